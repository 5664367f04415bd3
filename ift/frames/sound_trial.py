"""Which sound a container can hold. FFmpeg knows only when the file is finished, so one is: in memory, of a packet."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ift.frames.pyav import opened_video

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet


def sound_that_fits(source: Path, container: str) -> dict[int, bool]:
    """By the indices of a video's sound streams, whether a container can hold them; silent ones are left out.

    Args:
        source: the video.
        container: FFmpeg's name of its format.

    Raises:
        ImageError: the source cannot be read.
    """
    with opened_video(source) as opened:
        streams = opened.streams.audio
        # Where FFmpeg has no decoder, PyAV has no context, whatever its types promise.
        fits = {stream.index: False for stream in streams if not stream.codec_context}
        for packet in opened.demux(streams) if streams else ():
            index = packet.stream.index
            if packet.size and index not in fits:
                fits[index] = _fits(packet, container)
            if len(fits) == len(streams):
                break
        return fits


def codec_of(stream: AudioStream) -> str:
    """FFmpeg's name of it."""
    return stream.codec_context.codec.canonical_name if stream.codec_context else "an unknown codec"


def _fits(packet: Packet[AudioStream], container: str) -> bool:
    import av

    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            packet.stream = trial.add_stream_from_template(packet.stream)
            trial.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return True
