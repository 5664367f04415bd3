"""Pictures in parts by the command line: as in one piece, and what is wrong is told before any work."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import ift
from ift import save_image
from ift.__main__ import app

QUICK = ("--n-upd", "3", "--device", "cpu")


@pytest.fixture
def folder(tmp_path, photo):
    """With a content of 180×140, a style, and no output yet."""
    save_image(photo("skimage", "astronaut.png", 140, 180), tmp_path / "content.png")
    save_image(photo("sklearn", "flower.jpg", 64, 80), tmp_path / "style.png")
    return tmp_path


@pytest.fixture
def command(folder, monkeypatch):
    """Runs the command in that folder."""
    monkeypatch.chdir(folder)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def stylized(command, folder):
    """A function from an output and more arguments to its pixels (H, W, 3) and what was told."""

    def run(output, *more):
        result = command("content.png", "style.png", "-o", output, *QUICK, *more)
        assert result.exit_code == 0, result.output
        return pixels(folder / output), result.stdout

    return run


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def assert_near(one, other):
    """To the rounding of bfloat16, in which the networks may compute."""
    assert one.shape == other.shape
    assert np.abs(one - other).mean() < 1.0
    assert np.abs(one - other).max() < 40


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_tiles_give_the_picture_in_one_piece(stylized, folder, suffix):
    before = files(folder)
    whole, _ = stylized("whole.png")
    tiles, told = stylized(f"tiles{suffix}", "--tile", "128")
    assert told.startswith(f"tiles{suffix}: 180×140 in tiles of 128 in ")
    assert "statistics off" not in told
    if suffix == ".jpg":
        assert np.abs(tiles - whole).mean() < 3
    else:
        assert_near(tiles, whole)
    assert files(folder) == sorted([*before, Path("whole.png"), Path(f"tiles{suffix}")])


def test_tiles_in_a_folder_that_is_still_to_be_made(stylized, folder):
    whole, _ = stylized("whole.png")
    tiles, _ = stylized("new/er/tiles.png", "--tile", "96")
    assert_near(tiles, whole)
    assert files(folder / "new") == [Path("er"), Path("er/tiles.png")]


def test_a_resolution_goes_with_tiles(stylized):
    tiles, told = stylized("tiles.png", "--tile", "64", "--resolution", "120")
    assert tiles.shape == (93, 120, 3)
    assert_near(tiles, stylized("whole.png", "--resolution", "120")[0])


def test_masks_go_with_tiles(command, folder):
    mask = Image.new("RGB", (18, 14), "black")
    mask.paste("white", (9, 0, 18, 14))
    mask.save(folder / "mask.png")
    save_image(1 - torch.rand(3, 40, 40) * torch.tensor([0.1, 0.5, 1.0]).view(3, 1, 1), folder / "other.png")
    masks = ("--content-mask", "mask.png", "--style-mask", "black", "--style-mask", "white")
    for name, more in (("whole.png", ()), ("tiles.png", ("--tile", "64"))):
        result = command("content.png", "style.png", "other.png", "-o", name, *masks, *QUICK, *more)
        assert result.exit_code == 0, result.output
    assert_near(pixels(folder / "tiles.png"), pixels(folder / "whole.png"))


@pytest.mark.parametrize("more", [(), ("--tile", "64")], ids=["whole", "tiles"])
def test_a_preview_and_a_folder_to_zoom_into_are_written_as_well(stylized, folder, more):
    result, _ = stylized("out.png", "--preview", "small.jpg", "--deep-zoom", "zoom", *more)
    assert np.abs(pixels(folder / "small.jpg") - result).mean() < 4  # it is no larger than a preview
    assert (folder / "zoom" / "index.html").read_text(encoding="utf-8").startswith("<!")
    deepest = max((folder / "zoom" / "picture_files").iterdir(), key=lambda path: int(path.name))
    assert np.abs(pixels(deepest / "0_0.jpg") - result).mean() < 4
    again, _ = stylized("out.png", "--preview", "small.jpg", "--deep-zoom", "zoom", *more)  # in the place of the first
    assert np.array_equal(again, result)


def test_a_sample_tells_how_far_off_the_statistics_are(stylized):
    exact, _ = stylized("exact.png", "--tile", "64")
    tiles, told = stylized("out.png", "--tile", "64", "--sample", "2")
    errors = re.findall(r"([0-9.]+)% at (relu\d_1)", told)
    assert [name for _, name in errors] == ["relu4_1", "relu3_1", "relu2_1", "relu1_1"]
    assert all(0 < float(error) < 100 for error, _ in errors)
    assert tiles.shape == exact.shape
    every, told = stylized("every.png", "--tile", "64", "--sample", "1000")
    assert "off by" not in told
    assert np.array_equal(every, exact)


def test_memory_that_is_too_little_names_one_that_is_enough(command, folder):
    before = files(folder)
    result = command("content.png", "style.png", "-o", "out.png", *QUICK, "--memory", "10MB")
    assert result.exit_code == 2
    advised = re.search(r"^error: 0.01 GB are too little for the smallest tiles: give --memory (\S+)$", result.stderr)
    assert advised and files(folder) == before
    result = command("content.png", "style.png", "-o", "out.png", *QUICK, "--memory", advised[1])
    assert result.exit_code == 0, result.output


def test_little_memory_forces_tiles(command, folder, photo):
    save_image(torch.rand(3, 4, 4), folder / "seed.png")
    with Image.open(folder / "content.png") as image:
        image.resize((1600, 1200)).save(folder / "large.jpg")
    refused = command("large.jpg", "style.png", "-o", "out.png", *QUICK, "--memory", "1MB", "--resolution", "0")
    least = refused.stderr.split()[-1]
    narrow = ("--method", "adain", "--alpha", "0,0,0,1", "--gate", "0", "--memory", least, "--resolution", "0")
    result = command("large.jpg", "style.png", "-o", "out.png", "--device", "cpu", *narrow)
    assert result.exit_code == 0, result.output
    assert re.match(r"out.png: 1600×1200 in tiles of \d+ in ", result.stdout)


def spoilt(folder):
    data = (folder / "content.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    (folder / "text.png").write_text("hello")
    (folder / "taken").mkdir()
    (folder / "taken" / "letter.txt").write_text("dear")
    (folder / "frames").mkdir()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cut.png", "--tile", "64"), "cut.png"),
        (("text.png", "--tile", "64"), "text.png is not a picture that can be read"),
        (("nowhere.png", "--tile", "64"), "nowhere.png does not exist"),
        (("content.png", "--tile", "100"), "tiles of 100 pixels: their side must be a multiple of 8"),
        (("content.png", "--tile", "0"), "tiles of 0 pixels: their side must be a multiple of 8"),
        (("content.png", "--tile", "-64"), "tiles of -64 pixels: their side must be a multiple of 8"),
        (("content.png", "--tile", "64", "--method", "nst"), "nst optimises whole pictures: leave out --tile"),
        (("content.png", "--sample", "2", "--method", "nst"), "nst optimises whole pictures: leave out --tile"),
        (("content.png", "--memory", "nonsense"), "'nonsense' is no size: give it such as 2GB"),
        (("content.png", "--memory", "-2GB"), "'-2GB' is no size"),
        (("content.png", "--memory", "9" * 400 + "GB"), "is no size"),
        (("content.png", "--window", "3"), "--window and --rate are for frames"),
        (("content.png", "--rate", "25"), "--window and --rate are for frames"),
        (("content.png", "--tile", "64", "-o", "out.gif"), "out.gif: the suffix must be one of .jpg"),
        (("content.png", "--tile", "64", "-o", "out.mp4"), "out.mp4: the suffix must be one of .jpg"),
        (("content.png", "--tile", "64", "-o", "content.png/out.png"), "content.png"),
        (("content.png", "--tile", "64", "--preview", "small.gif"), "small.gif: the suffix must be one of .jpg"),
        (("content.png", "--preview", "out.png"), "--preview out.png is the place of another file"),
        (("content.png", "--preview", "content.png"), "--preview content.png is the place of another file"),
        (("content.png", "--deep-zoom", "style.png"), "--deep-zoom style.png is the place of another file"),
        (("content.png", "--deep-zoom", "text.png"), "--deep-zoom text.png is a file"),
        (("content.png", "--tile", "64", "--scratch", "text.png"), "text.png"),
        (("content.png", "--tile", "64", "--content-mask", "no.png", "--style-mask", "1"), "no.png does not exist"),
        (("content.png", "--tile", "64", "--style-mask", "1", "--style-mask", "2"), "2 --style-mask for 1 styles"),
        (("content.png", "--tile", "64", "--device", "gpu"), "the device gpu cannot be used"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_mistakes_are_told_in_one_line_and_leave_nothing(command, folder, arguments, message):
    spoilt(folder)
    before = files(folder)
    content, *more = arguments
    result = command(content, "style.png", "-o", "out.png", *more)
    assert result.exit_code == 2
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = [line for line in re.split(r"[\r\n]+", result.stderr) if line.startswith("error: ")]
    assert len(lines) == 1 and message in lines[0], result.stderr
    assert "Traceback" not in result.stderr and result.stdout == ""
    assert files(folder) == before


def test_a_folder_with_other_things_is_not_zoomed_into(command, folder):
    spoilt(folder)
    result = command("content.png", "style.png", "-o", "out.png", *QUICK, "--tile", "64", "--deep-zoom", "taken")
    assert result.exit_code == 2
    assert "taken holds other things, such as letter.txt" in result.stderr
    assert files(folder / "taken") == [Path("letter.txt")]


def test_a_sample_of_nothing_is_a_usage_error(command):
    result = command("content.png", "style.png", "-o", "out.png", "--sample", "0")
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_a_scratch_folder_of_ones_own_is_empty_at_the_end(stylized, folder):
    tiles, _ = stylized("out.png", "--tile", "64", "--scratch", "work/here")
    assert np.array_equal(tiles, stylized("other.png", "--tile", "64")[0])
    assert files(folder / "work" / "here") == []


def test_what_broke_off_with_other_files_is_not_mixed_in(command, stylized, folder):
    spoilt(folder)
    broken = command("content.png", "style.png", "-o", "content.png/out.png", *QUICK, "--tile", "64", "--scratch", "w")
    assert broken.exit_code == 2
    assert list((folder / "w").rglob("done-*"))  # all but the last step was done
    with Image.open(folder / "content.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "content.png")
    tiles, _ = stylized("out.png", "--tile", "64", "--scratch", "w")
    assert np.array_equal(tiles, stylized("other.png", "--tile", "64")[0])
    assert files(folder / "w") == []


def test_what_is_done_is_not_believed_without_the_pixels(command, stylized, folder):
    command("content.png", "style.png", "-o", "content.png/out.png", *QUICK, "--tile", "64", "--scratch", "w")
    (result,) = (folder / "w").rglob("result.raw")
    result.unlink()
    tiles, _ = stylized("out.png", "--tile", "64", "--scratch", "w")
    assert np.array_equal(tiles, stylized("other.png", "--tile", "64")[0])


def process(folder, *more):
    line = [sys.executable, "-m", "ift", "content.png", "style.png", *QUICK, "--scratch", "work", *more]
    environment = {**os.environ, "PYTHONPATH": str(Path(ift.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(line, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_the_same_picture(folder):
    with Image.open(folder / "content.png") as image:
        image.resize((720, 560)).save(folder / "content.png")
    how = ("--tile", "64", "--resolution", "0")
    first = process(folder, "-o", "out.png", *how)
    try:
        while not (tallies := list((folder / "work").rglob("tally-*-1.safetensors"))):
            assert first.poll() is None, first.stderr.read()
            time.sleep(0.02)
        # Who comes while it is at work is sent away.
        second = process(folder, "-o", "second.png", *how)
        told = second.communicate(timeout=120)[1].decode()
        if first.poll() is None:
            assert second.returncode == 2 and "is in use by another run" in told, told
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
    assert not (folder / "out.png").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in (folder / "work").rglob("tally-*")}
    assert kept and tallies
    again = process(folder, "-o", "out.png", *how)
    again.communicate(timeout=200)
    assert again.returncode == 0
    assert list((folder / "work").iterdir()) == []
    unbroken = process(folder, "-o", "unbroken.png", *how)
    assert unbroken.wait(timeout=200) == 0
    assert (folder / "out.png").read_bytes() == (folder / "unbroken.png").read_bytes()
