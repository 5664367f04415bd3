"""Sound, taken over from one video to another packet by packet, as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ift.frames.pyav import opened_video

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet


class Sound:
    """The sound of a video on its way into another container, which must not have packets yet.

    Attributes:
        left_out: codecs of what the container cannot hold.

    Raises:
        ImageError: the source cannot be read.
    """

    def __init__(self, source: Path, target: OutputContainer) -> None:
        self._target = target
        self._opened = ExitStack()
        container = self._opened.enter_context(opened_video(source))
        held = {
            stream: stream.codec_context.codec.canonical_name in target.supported_codecs
            for stream in container.streams.audio
        }
        self.left_out = tuple(stream.codec_context.name for stream, fits in held.items() if not fits)
        streams = [stream for stream, fits in held.items() if fits]
        self._streams = {stream.index: target.add_stream_from_template(stream) for stream in streams}
        self._packets: Iterator[Packet] = iter(container.demux(streams)) if streams else iter(())
        self._next = next(self._packets, None)

    def write_until(self, time: Fraction | float) -> None:
        """Writes what is to be heard until `time`, in seconds, so that it lies beside its pictures in the file."""
        while self._next is not None:
            packet = self._next
            if packet.dts is not None and packet.time_base is not None:  # the last one of a stream is empty
                if packet.dts * packet.time_base > time:
                    return
                packet.stream = self._streams[packet.stream.index]
                self._target.mux(packet)
            self._next = next(self._packets, None)

    def finish(self) -> None:
        """Writes the rest."""
        self.write_until(math.inf)

    def close(self) -> None:
        """Lets go of the source."""
        self._opened.close()
