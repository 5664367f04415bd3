"""Sound that is taken over: the same packets, in step with the pictures."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ift.errors import ImageError
from ift.frames import open_frames
from tests.ift.frames.conftest import restyled

av = pytest.importorskip("av")

Make = Callable[..., Path]


def _packets(path: Path) -> list[tuple[float, bytes]]:
    """(seconds, bytes) of each."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [(float(packet.pts * packet.time_base), bytes(packet)) for packet in packets]


@pytest.mark.parametrize(
    ("source", "codec", "suffix"),
    [
        ("a.mp4", "aac", ".mp4"),
        ("a.mp4", "aac", ".mkv"),
        ("a.mkv", "aac", ".mov"),
        ("a.mkv", "libopus", ".webm"),
        ("a.mkv", "libmp3lame", ".mp4"),
        ("a.mkv", "flac", ".mkv"),
        ("a.avi", "pcm_s16le", ".mkv"),
        ("a.avi", "libmp3lame", ".mp4"),
    ],
)
def test_packets_are_the_same_and_in_step(
    video: Make, tmp_path: Path, scratch: Path, source: str, codec: str, suffix: str
) -> None:
    path = video(source, 20, codec="mpeg4", sound=codec)
    output = tmp_path / f"out{suffix}"
    frames = open_frames(path, scratch)
    assert restyled(frames, output, scratch) == ()
    before, after = _packets(path), _packets(output)
    assert len(before) > 5
    assert [data for _, data in before] == [data for _, data in after]
    # Matroska has no negative times: pictures and sound then begin later together.
    shift = float(open_frames(output, scratch).times[0] - frames.times[0])
    for (early, _), (late, _) in zip(before, after, strict=True):
        assert abs(late - early - shift) < 0.002


@pytest.mark.parametrize(
    ("source", "codec", "suffix", "name"),
    [
        ("a.mp4", "aac", ".webm", "aac"),
        ("a.mkv", "libopus", ".mov", "opus"),  # which FFmpeg finds out when it writes the header
        ("a.avi", "pcm_s16le", ".mp4", "pcm_s16le"),  # and this at the very end
    ],
)
def test_what_a_container_cannot_hold_is_left_out_and_told(
    video: Make, tmp_path: Path, scratch: Path, source: str, codec: str, suffix: str, name: str
) -> None:
    frames = open_frames(video(source, codec="mpeg4", sound=codec), scratch)
    output = tmp_path / f"out{suffix}"
    notes = restyled(frames, output, scratch)
    assert notes == (f"left out the sound in {name}: {suffix} cannot hold it; .mkv can",)
    assert len(open_frames(output, scratch)) == len(frames)
    assert not _packets(output)


def test_sound_goes_on_after_the_pictures(video: Make, tmp_path: Path, scratch: Path) -> None:
    long = video("long.mkv", 40, sound="aac")
    path = tmp_path / "short.mkv"
    with av.open(str(long)) as source, av.open(str(path), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size and (packet.stream.type == "audio" or packet.pts < 100):
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    frames = open_frames(path, scratch)
    restyled(frames, tmp_path / "out.mp4", scratch)
    assert len(open_frames(tmp_path / "out.mp4", scratch)) == len(frames) == 3
    assert [data for _, data in _packets(path)] == [data for _, data in _packets(tmp_path / "out.mp4")]


def test_a_source_that_is_gone_is_named_and_leaves_nothing(video: Make, tmp_path: Path, scratch: Path) -> None:
    path = video(sound="aac")
    frames = open_frames(path, scratch)
    path.unlink()
    output = tmp_path / "new" / "out.mp4"
    with pytest.raises(ImageError, match=r"source\.mp4 cannot be read: No such file"):
        restyled(frames, output, scratch)
    assert not list(output.parent.iterdir())
