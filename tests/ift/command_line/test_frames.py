"""Folders of pictures and videos from the command line."""

import numpy as np
import pytest
import torch
from PIL import Image

from ift import save_image

FAST = ("red.png", "--n-upd", "1", "--resolution", "0")


@pytest.fixture
def frames(folder, photo):
    """Three pictures and something else."""
    picture = photo("skimage", "astronaut.png", 48, 80)
    for number in (1, 2, 10):
        save_image(picture[:, :, number : number + 64], folder / "frames" / f"f{number}.png")
    (folder / "frames" / "notes.txt").write_text("not a picture")
    return folder / "frames"


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_to_a_folder(command, folder, frames):
    result = command("frames", *FAST, "-o", "new/results")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("new/results: 3 frames in ")
    assert names(folder / "new/results") == ["f1.png", "f10.png", "f2.png"]
    assert names(folder / "new") == ["results"]
    for name in names(folder / "new/results"):
        assert pixels(folder / "new/results" / name).shape == (48, 64, 3)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_each_is_the_picture_by_itself_and_a_group_is_not(command, frames, float32):
    assert command("frames/f2.png", *FAST, "-o", "alone.png").exit_code == 0
    for name, how in {"each": ("--each",), "window": ("--window", "1"), "group": ()}.items():
        assert command("frames", *FAST, "-o", name, *how).exit_code == 0
    assert np.abs(pixels("each/f2.png") - pixels("alone.png")).max() <= 1
    assert np.abs(pixels("window/f2.png") - pixels("alone.png")).max() <= 1
    assert np.abs(pixels("group/f2.png") - pixels("alone.png")).max() > 1


def test_a_window_over_all_frames_is_the_group(command, frames, float32):
    for name, how in {"window": ("--window", "5"), "group": ()}.items():
        assert command("frames", *FAST, "-o", name, *how).exit_code == 0
    for name in ("f1.png", "f2.png", "f10.png"):
        assert np.abs(pixels(f"window/{name}") - pixels(f"group/{name}")).max() <= 1


def test_phases_are_averaged(command, folder, frames, float32):
    for name, how in {"one": (), "two": ("--phases", "2")}.items():
        result = command("frames", *FAST, "-o", name, *how)
        assert result.exit_code == 0, result.output
    difference = np.abs(pixels("two/f2.png").astype(float) - pixels("one/f2.png"))
    assert pixels("two/f2.png").shape == (48, 64, 3) and 0 < difference.mean() < 20


def test_the_output_is_looked_at_before_any_frame_is(command, folder, frames):
    (folder / "torn.mp4").write_bytes(b"no video")
    result = command("torn.mp4", *FAST, "-o", "out.png")
    assert result.exit_code != 0 and "out.png: a video is written as .mp4" in result.stderr
    result = command("missing.mp4", *FAST, "-o", "frames")
    assert result.exit_code != 0 and "missing.mp4 does not exist" in result.stderr


def test_frames_of_several_sizes_in_tiles(command, frames, float32):
    save_image(torch.rand(3, 30, 90), frames / "f3.png")
    for name, how in {"whole": (), "tiles": ("--tile", "32")}.items():
        result = command("frames", *FAST, "-o", name, *how)
        assert result.exit_code == 0, result.output
    for name in ("f1.png", "f2.png", "f3.png", "f10.png"):
        assert np.abs(pixels(f"whole/{name}") - pixels(f"tiles/{name}")).max() <= 1


def test_a_folder_to_a_video_and_back(command, folder, frames):
    av = pytest.importorskip("av")
    result = command("frames", *FAST, "-o", "out.mp4", "--rate", "10")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("out.mp4: 3 frames in ")
    with av.open("out.mp4") as video:
        assert video.streams.video[0].average_rate == 10
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(video=0)]
    assert [frame.shape for frame in shown] == [(48, 64, 3)] * 3
    assert command("frames", *FAST, "-o", "results").exit_code == 0
    for frame, name in zip(shown, ("f1.png", "f2.png", "f10.png"), strict=True):
        assert np.abs(frame - pixels(f"results/{name}")).mean() < 12
    back = command("out.mp4", *FAST, "-o", "back")
    assert back.exit_code == 0, back.output
    assert len(names(folder / "back")) == 3


@pytest.mark.parametrize("how", [("--each",), ("--window", "3"), ("--window", "3", "--tile", "32")], ids=" ".join)
def test_a_video_to_a_video(command, frames, how):
    av = pytest.importorskip("av")
    with av.open("in.mp4", "w") as video:
        stream = video.add_stream("libx264", rate=12, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for name in ("f1", "f2", "f10", "f2", "f1"):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels(frames / f"{name}.png").astype(np.uint8))))
        video.mux(stream.encode())
    result = command("in.mp4", *FAST, "-o", "out.mkv", *how)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("out.mkv: 5 frames in ")
    with av.open("out.mkv") as video:
        assert [(frame.height, frame.width) for frame in video.decode(video=0)] == [(48, 64)] * 5


def test_a_video_that_would_be_odd_is_told(command, frames):
    pytest.importorskip("av")
    for path in frames.glob("*.png"):
        save_image(torch.rand(3, 31, 33), path)
    result = command("frames", *FAST, "-o", "out.webm")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("; 33×31 became 34×32: video needs even sides\n")


def test_a_damaged_frame_is_named_before_any_work(mistake, folder, frames):
    data = (frames / "f2.png").read_bytes()
    (frames / "f2.png").write_bytes(data[: len(data) // 2])
    assert mistake("frames", *FAST, "-o", "results").startswith("frames/f2.png ")
    (folder / "not.mp4").write_bytes(b"hello")
    pytest.importorskip("av")
    assert mistake("not.mp4", *FAST, "-o", "results").startswith("not.mp4 is not a video that can be read")
    (folder / "empty.mp4").write_bytes(b"")
    assert mistake("empty.mp4", *FAST, "-o", "results") == "empty.mp4 is empty (0 bytes)"
    (folder / "none").mkdir()
    assert mistake("none", *FAST, "-o", "results").startswith("none has no pictures")
