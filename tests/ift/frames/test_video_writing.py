"""Videos that are written, read again by the package and by PyAV alone."""

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from ift.box import Box
from ift.errors import ImageError, SettingsError
from ift.frames import Frames, open_frames, open_writer
from ift.frames.video_file import VideoFile
from tests.ift.frames.conftest import drawings, error, restyled, whole

av = pytest.importorskip("av")

Make = Callable[..., Path]
SUFFIXES = [".mp4", ".mov", ".mkv", ".webm"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colours_and_order_survive(tmp_path: Path, scratch: Path, suffix: str) -> None:
    frames, output = drawings(6, tmp_path), tmp_path / "new" / f"out{suffix}"
    order = list(range(6))
    random.Random(suffix).shuffle(order)
    with open_writer(output, frames, scratch=scratch) as writer:
        for index in order:
            picture = frames.pictures[index]
            writer.write(index, Box(0, 0, picture.height, picture.width), whole(picture))
    assert writer.notes == ()
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    assert not list(scratch.iterdir())
    result = open_frames(output, scratch)
    assert len(result) == 6
    for before, after in zip(frames.pictures, result.pictures, strict=True):
        assert error(whole(before), whole(after)) < 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_players_are_told_the_colours(tmp_path: Path, scratch: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    restyled(drawings(2, tmp_path), output, scratch)
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.pix_fmt, stream.codec_context.codec.canonical_name) == (
            "yuv420p",
            "vp9" if suffix == ".webm" else "h264",
        )
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("count", "rate"), [(1, None), (6, None), (6, Fraction(30_000, 1001)), (3, Fraction(1, 2)), (4, Fraction(23.976))]
)
def test_a_folder_becomes_a_video_of_the_rate(
    tmp_path: Path, scratch: Path, suffix: str, count: int, rate: Fraction | None
) -> None:
    output = tmp_path / f"out{suffix}"
    restyled(drawings(count, tmp_path), output, scratch, rate=rate)
    result = open_frames(output, scratch)
    meant = rate or Fraction(25)
    assert len(result.times) == count
    for number, time in enumerate(result.times):
        assert abs(time - number / meant) <= Fraction(1, 1900)  # Matroska counts in milliseconds
    with av.open(str(output)) as container:  # the last frame is to be seen as long as the others
        assert abs(container.duration / 1e6 - count / meant) < 0.002


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("start", [0, 5123])
def test_a_variable_rate_stays_what_it_is(video: Make, tmp_path: Path, scratch: Path, suffix: str, start: int) -> None:
    milliseconds = [start + time for time in (0, 40, 80, 200, 250, 500, 541)]
    frames = open_frames(video("source.mkv", 7, milliseconds=milliseconds), scratch)
    restyled(frames, tmp_path / f"out{suffix}", scratch)
    assert open_frames(tmp_path / f"out{suffix}", scratch).times == frames.times


def test_times_finer_than_encoders_count_are_rounded(tmp_path: Path, scratch: Path) -> None:
    times = (Fraction(0), Fraction(1, 999_983), Fraction(10, 999_979), Fraction(1, 7))
    frames = replace(drawings(4, tmp_path), times=times, rate=Fraction(25))
    destination = VideoFile(tmp_path / "out.mp4", (64, 96), times, Fraction(25), 95, None)
    for index, picture in enumerate(frames.pictures):
        destination.put(index, (whole(picture).permute(1, 2, 0) * 255).round().byte().numpy())
    destination.finish()
    destination.close()
    for before, after in zip(times, open_frames(tmp_path / "out.mp4", scratch).times, strict=True):
        assert abs(before - after) <= Fraction(1, 1_000_000)


def test_odd_sides_become_even_and_nothing_is_cut(tmp_path: Path, scratch: Path) -> None:
    frames = drawings(2, tmp_path, 63, 95)
    notes = restyled(frames, tmp_path / "out.mp4", scratch)
    assert notes == ("95×63 became 96×64: video needs even sides",)
    picture = open_frames(tmp_path / "out.mp4", scratch).pictures[0]
    assert (picture.height, picture.width) == (64, 96)
    assert error(picture.read(Box(0, 0, 63, 95)), whole(frames.pictures[0])) < 2


def test_quality_costs_bytes(tmp_path: Path, scratch: Path) -> None:
    sizes = []
    for quality in (1, 50, 100):
        restyled(drawings(2, tmp_path), tmp_path / "out.mp4", scratch, quality=quality)
        sizes.append((tmp_path / "out.mp4").stat().st_size)
    assert sizes == sorted(set(sizes))


class _InterruptionError(Exception):
    pass


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("at", [0, 3, 5])
def test_the_file_appears_whole_or_not_at_all(video: Make, tmp_path: Path, scratch: Path, suffix: str, at: int) -> None:
    frames = open_frames(video(sound="aac"), scratch)
    output = tmp_path / "new" / f"out{suffix}"
    output.parent.mkdir()
    output.write_bytes(b"what was there before")

    def interrupted() -> None:
        with open_writer(output, frames, scratch=scratch) as writer:
            for index, picture in enumerate(frames.pictures):
                if index == at:
                    raise _InterruptionError
                writer.write(index, Box(0, 0, picture.height, picture.width), whole(picture))

    with pytest.raises(_InterruptionError):
        interrupted()
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    assert output.read_bytes() == b"what was there before"


def test_a_frame_too_few_leaves_nothing(tmp_path: Path, scratch: Path) -> None:
    frames, output = drawings(3, tmp_path), tmp_path / "new" / "out.mp4"
    with (
        pytest.raises(ImageError, match="frame 2 was not finished"),
        open_writer(output, frames, scratch=scratch) as writer,
    ):
        for index in (0, 2):
            writer.write(index, Box(0, 0, 64, 96), whole(frames.pictures[index]))
    assert not list(output.parent.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match=r"out\.mp4 cannot be written: (Not a directory|File exists)"):
        restyled(drawings(1, tmp_path), tmp_path / "file" / "out.mp4", scratch)


def test_names_are_no_protocols_or_patterns(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = Path("tcp:a") / "ü %d?x=y.mp4"
    restyled(drawings(1, tmp_path / "source"), output, scratch)
    assert len(open_frames(output, scratch)) == 1


def test_what_no_encoder_takes_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"16386×8 is too large for libx264, whose sides have at most 16384"):
        VideoFile(tmp_path / "out.mp4", (8, 16_386), [Fraction(0)], Fraction(25), 95, None)


def test_the_frames_of_a_video_become_pictures(video: Make, tmp_path: Path, scratch: Path) -> None:
    frames: Frames = open_frames(video(count=2), scratch)
    restyled(frames, tmp_path / "out", scratch)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["frame000001.png", "frame000002.png"]
