"""Sound, taken over from one video to another packet by packet, as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ift.errors import ImageError
from ift.frames.pyav import opened_video
from ift.frames.sound_trial import codec_of, sound_that_fits

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
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
        self._source, self._target = source, target
        fits = sound_that_fits(source, target.format.name)
        with ExitStack() as opened:
            container = opened.enter_context(opened_video(source))
            heard = [stream for stream in container.streams.audio if stream.index in fits]
            self.left_out = tuple(codec_of(stream) for stream in heard if not fits[stream.index])
            streams = tuple(stream for stream in heard if fits[stream.index])
            self._streams = {stream.index: target.add_stream_from_template(stream) for stream in streams}
            self._packets: Iterator[Packet[AudioStream]] = container.demux(streams) if streams else iter(())
            self._next = self._read()
            self._opened = opened.pop_all()

    def write_until(self, time: Fraction | float) -> None:
        """Writes what is to be heard until `time`, in seconds, so that it lies beside its pictures in the file.

        Raises:
            ImageError: the source cannot be read.
        """
        while self._next is not None:
            packet = self._next
            if packet.size:  # the last one of a stream is empty
                begin = packet.pts if packet.dts is None else packet.dts
                if begin is not None and packet.time_base is not None and begin * packet.time_base > time:
                    return
                packet.stream = self._streams[packet.stream.index]
                self._target.mux(packet)
            self._next = self._read()

    def finish(self) -> None:
        """Writes the rest.

        Raises:
            ImageError: the source cannot be read.
        """
        self.write_until(math.inf)

    def close(self) -> None:
        """Lets go of the source."""
        self._opened.close()

    def _read(self) -> Packet[AudioStream] | None:
        from av import FFmpegError

        try:
            return next(self._packets, None)
        except (FFmpegError, OSError) as error:
            raise ImageError(f"the sound of {self._source} cannot be read: {error.strerror or error}") from error
