"""Pictures in parts from the command line."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ift
from ift import save_image
from ift.allocator import resident_bytes
from ift.command_line.scratch_folder import scratch_folder

HEIGHT, WIDTH = 100, 150
FAST = ("red.png", "--resolution", "0", "--n-upd", "1")


@pytest.fixture
def large(folder, photo):
    save_image(photo("skimage", "astronaut.png", HEIGHT, WIDTH), folder / "large.png")
    return folder


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def levels(one, other):
    return np.abs(pixels(one) - pixels(other)).max()


def left_over(folder):
    return [path.name for path in folder.rglob("*") if path.name.startswith(".") or "scratch" in path.name]


def test_tiles_give_the_same_picture_in_any_format(command, large, float32):
    names = ["whole.png", "tiles.png", "tiles.tif", "new/tiles.jpg", "tiles.webp"]
    for name in names:
        how = () if name == "whole.png" else ("--tile", "128")
        result = command("large.png", *FAST, "-o", name, *how)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(f"{name}: {WIDTH}×{HEIGHT} in ")
        assert ("in tiles of 128" in result.stdout) == bool(how)
    assert levels("tiles.png", "whole.png") <= 1
    assert levels("tiles.tif", "tiles.png") == 0
    assert np.abs(pixels("new/tiles.jpg") - pixels("whole.png")).mean() < 3
    formats = []
    for name in names[1:]:
        with Image.open(name) as image:
            formats.append((image.format, image.size))
    assert formats == [(format_, (WIDTH, HEIGHT)) for format_ in ("PNG", "TIFF", "JPEG", "WEBP")]
    assert left_over(large) == []


def test_little_memory_makes_tiles(command, large):
    assert command("large.png", *FAST, "-o", "whole.png").exit_code == 0
    # More than the smallest tile takes, and less than a picture four times as large.
    Image.open("large.png").resize((1100, 750)).save("larger.png")
    refused = command("larger.png", *FAST, "-o", "tiles.png", "--memory", "1MB")
    assert refused.exit_code == 2 and "give --memory" in refused.stderr
    advised = refused.stderr.rsplit(" ", 1)[1].strip()
    assert float(advised.removesuffix("GB")) > resident_bytes() / 1e9
    assert left_over(large) == [] and not (large / "tiles.png").exists()


@pytest.mark.slow
def test_a_memory_as_advised_is_enough(command, large):
    Image.open("large.png").resize((1100, 750)).save("larger.png")
    refused = command("larger.png", *FAST, "-o", "tiles.png", "--memory", "1MB")
    advised = refused.stderr.rsplit(" ", 1)[1].strip()
    del refused  # and with it the model, which a process of its own would not have had
    gc.collect()
    result = command("larger.png", *FAST, "-o", "tiles.png", "--memory", advised)
    assert result.exit_code == 0, result.output
    assert "1100×750 in tiles of " in result.stdout


@pytest.mark.parametrize("how", [(), ("--tile", "128")], ids=["in one piece", "in tiles"])
def test_a_preview_and_deep_zoom(command, large, how):
    result = command(
        *("large.png", *FAST, "-o", "out.png", "--preview", "small/preview.jpg", "--deep-zoom", "zoom", *how)
    )
    assert result.exit_code == 0, result.output
    with Image.open("small/preview.jpg") as image:
        assert image.size == (WIDTH, HEIGHT)
    assert np.abs(pixels("small/preview.jpg") - pixels("out.png")).mean() < 4
    assert {path.name for path in Path("zoom").iterdir()} == {"index.html", "picture.dzi", "picture_files"}
    assert f'Width="{WIDTH}"' in Path("zoom/picture.dzi").read_text()
    again = command("large.png", *FAST, "-o", "out.png", "--deep-zoom", "zoom", *how)
    assert again.exit_code == 0, again.output
    assert left_over(large) == []


def test_a_preview_is_small(command, large):
    Image.new("RGB", (1300, 40), "teal").save("wide.png")
    result = command("wide.png", *FAST, "-o", "out.png", "--preview", "preview.png", "--tile", "512")
    assert result.exit_code == 0, result.output
    with Image.open("preview.png") as image:
        assert image.size == (1024, 32)


def test_masks_with_tiles(command, large, float32):
    halves = Image.new("RGB", (22, 15), "black")
    halves.paste("white", (11, 0, 22, 15))
    halves.save("halves.png")
    masks = ("--content-mask", "halves.png", "--style-mask", "halves.png", "--style-mask", "white")
    for name, how in {"whole.png": (), "tiles.png": ("--tile", "128")}.items():
        line = ("large.png", "large.png", "blue.png", "--resolution", "0", "--n-upd", "1", "-o", name, *masks, *how)
        result = command(*line)
        assert result.exit_code == 0, result.output
    assert levels("tiles.png", "whole.png") <= 1


def test_a_sample_tells_how_far_off_it_is(command, large):
    result = command("large.png", *FAST, "-o", "sample.png", "--tile", "64", "--sample", "2")
    assert result.exit_code == 0, result.output
    assert "; statistics off by " in result.stdout and "% at relu4_1" in result.stdout
    assert command("large.png", *FAST, "-o", "whole.png", "--tile", "64").exit_code == 0
    assert 0 < np.abs(pixels("sample.png") - pixels("whole.png")).mean() < 60


def test_a_sample_without_a_tile_size(command, large):
    result = command("large.png", *FAST, "-o", "out.png", "--sample", "1")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("given", [(), ("--scratch", "given")])
def test_a_damaged_content_leaves_nothing(command, large, given):
    data = (large / "large.png").read_bytes()
    (large / "damaged.png").write_bytes(data[: len(data) // 2])
    result = command("damaged.png", *FAST, "-o", "new/out.png", "--tile", "128", *given)
    assert result.exit_code == 2
    assert result.stderr.rstrip().splitlines()[-1].startswith("error: damaged.png ")
    assert "Traceback" not in result.stderr
    assert not (large / "new").exists()
    assert not any(path.stat().st_size for path in (large / "given").rglob("*") if path.is_file())


def test_the_scratch_folder_is_gone_at_the_end(command, large):
    result = command("large.png", *FAST, "-o", "out.png", "--tile", "128", "--scratch", "given")
    assert result.exit_code == 0, result.output
    assert list((large / "given").iterdir()) == []


def test_what_others_have_in_the_scratch_folder_stays(command, large):
    (large / "given").mkdir()
    (large / "given" / "mine.txt").write_text("mine")
    assert command("large.png", *FAST, "-o", "out.png", "--tile", "128", "--scratch", "given").exit_code == 0
    assert [path.name for path in (large / "given").iterdir()] == ["mine.txt"]


LINE = ("large.png", "red.png", "--resolution", "0", "--n-upd", "1", "--tile", "48", "--device", "cpu")


def start(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(ift.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "ift", *LINE, *arguments]
    return subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["tally-000003-0*", "tally-000005-2*", "done-000002*"])
def test_a_run_that_was_killed_goes_on(command, large, mark):
    scratch = large / "given" / "ift-scratch"
    process = start(large, "-o", "out.png", "--scratch", "given")
    while not list((scratch / "tour").glob(mark)):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (large / "out.png").exists()
    tallies = {path.name: path.stat().st_mtime_ns for path in (scratch / "tour").glob("tally-*")}
    result_file = (scratch / "result.raw").stat().st_ino
    assert tallies

    shutil.copytree(scratch, large / "copy")
    second = start(large, "-o", "out.png", "--scratch", "given")
    seen = {}
    while second.poll() is None:
        for path in (scratch / "tour").glob("tally-*"):
            try:
                seen[path.name] = path.stat().st_mtime_ns
                assert (scratch / "result.raw").stat().st_ino == result_file
            except FileNotFoundError:
                continue
        time.sleep(0.002)
    assert second.returncode == 0, second.communicate()[0]
    assert {name: seen.get(name) for name in tallies} == tallies  # none was counted again
    assert len(seen) > len(tallies) or mark.startswith("done")
    assert list((large / "given").iterdir()) == []
    assert start(large, "-o", "unbroken.png").wait() == 0
    assert (large / "out.png").read_bytes() == (large / "unbroken.png").read_bytes()


def test_two_runs_do_not_share_a_scratch_folder(command, large):
    line = ("large.png", *FAST, "-o", "out.png", "--tile", "128", "--scratch", "given")
    with scratch_folder(Path("given"), Path("other.png")):
        refused = command(*line)
        assert refused.exit_code == 2
        assert refused.stderr.startswith("error: given/ift-scratch is in use by another run")
        assert not (large / "out.png").exists()
    assert command(*line).exit_code == 0


@pytest.mark.slow
def test_an_interrupted_run_leaves_nothing_but_its_scratch_folder(large):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and its children
    process = start(large, "-o", "new/out.png")
    while not list(large.rglob("tally-*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[0]
    assert process.returncode not in (0, 2)
    assert "Traceback" not in told
    assert left_over(large) == [] and not (large / "new").exists()
