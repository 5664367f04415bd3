"""What a user may do wrong: one line each, and no file."""

import pytest
import torch
from PIL import Image

from ift import save_image


@pytest.fixture(autouse=True)
def things(folder):
    """Beside the pictures: frames, a mask, things in the way."""
    for number in (1, 2):
        save_image(torch.rand(3, 16, 24), folder / "frames" / f"{number}.png")
    Image.new("L", (60, 40)).save(folder / "mask.png")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("mine")
    (folder / "file").write_text("mine")
    (folder / "dir.png").mkdir()


PICTURE, FRAMES = ("content.png", "red.png"), ("frames", "red.png")

MISTAKES = [
    ((*PICTURE, "-o", "out.png", "--window", "3"), "--each, --window, --phases and --rate are for frames"),
    ((*PICTURE, "-o", "out.png", "--rate", "3"), "--each, --window, --phases and --rate are for frames"),
    ((*PICTURE, "-o", "out.png", "--phases", "2"), "--each, --window, --phases and --rate are for frames"),
    ((*PICTURE, "-o", "out.png", "--each"), "--each, --window, --phases and --rate are for frames"),
    ((*PICTURE, "-o", "out.png", "--method", "nst", "--tile", "128"), "nst optimises whole pictures"),
    ((*PICTURE, "-o", "out.png", "--method", "nst", "--sample", "2"), "nst optimises whole pictures"),
    ((*PICTURE, "-o", "out.png", "--tile", "100"), "tiles of 100 pixels: their side must be a multiple of 8"),
    ((*PICTURE, "-o", "out.png", "--tile", "0"), "tiles of 0 pixels"),
    ((*PICTURE, "-o", "out.png", "--tile", "-8"), "tiles of -8 pixels"),
    ((*PICTURE, "-o", "out.png", "--memory", "lots"), "'lots' is no size"),
    ((*PICTURE, "-o", "out.png", "--memory", "1MB"), "0.001 GB are too little for the smallest tiles"),
    ((*PICTURE, "-o", "out.png", "--memory", "9" * 400), f"'{'9' * 400}' is no size"),
    ((*PICTURE, "-o", "out.gif", "--tile", "128"), "out.gif: the suffix must be one of"),
    ((*PICTURE, "-o", "out.mp4"), "out.mp4: the suffix must be one of"),
    ((*PICTURE, "-o", "out", "--tile", "128"), "out: the suffix must be one of"),
    ((*PICTURE, "-o", "dir.png"), "dir.png is a folder: name a file"),
    ((*PICTURE, "-o", "dir.png", "--tile", "128"), "dir.png is a folder: name a file"),
    ((*PICTURE, "-o", "file/out.png", "--tile", "128"), "cannot hold scratch files"),
    ((*PICTURE, "-o", "out.png", "--tile", "128", "--scratch", "file"), "file cannot hold scratch files"),
    ((*PICTURE, "-o", "out.png", "--preview", "small.gif"), "small.gif: the suffix must be one of"),
    ((*PICTURE, "-o", "out.png", "--preview", "dir.png"), "--preview dir.png is a folder"),
    ((*PICTURE, "-o", "out.png", "--preview", "out.png"), "--preview out.png is the place of another file"),
    ((*PICTURE, "-o", "out.png", "--preview", "./content.png"), "--preview content.png is the place of another file"),
    ((*PICTURE, "-o", "out.png", "--preview", "a.png", "--deep-zoom", "a.png"), "--deep-zoom a.png is the place"),
    ((*PICTURE, "-o", "out.png", "--deep-zoom", "file"), "file is a file: name a folder"),
    ((*PICTURE, "-o", "out.png", "--deep-zoom", "full"), "full holds other things, such as thesis.txt"),
    ((*PICTURE, "-o", "out.png", "--deep-zoom", "full", "--tile", "128"), "full holds other things"),
    ((*PICTURE, "-o", "out.png", "--deep-zoom", "."), ". holds other things"),
    (("content.png", "no.png", "-o", "out.png", "--tile", "128"), "no.png does not exist"),
    (("no.png", "red.png", "-o", "out.png", "--tile", "128"), "no.png does not exist"),
    (("file", "red.png", "-o", "out.png", "--tile", "128"), "file is not a picture that can be read"),
    ((*PICTURE, "-o", "out.png", "--tile", "128", "--content-mask", "no.png"), "no.png does not exist"),
    ((*PICTURE, "-o", "out.png", "--tile", "128", "--method", "avatar", "--content-mask", "mask.png"), "avatar"),
    ((*PICTURE, "-o", "out.png", "--tile", "128", "--style-mask", "a", "--style-mask", "b"), "2 --style-mask for 1"),
    ((*FRAMES, "-o", "out", "--sample", "2"), "--sample is for single pictures: frames has frames"),
    ((*FRAMES, "-o", "out", "--preview", "a.png"), "--preview is for single pictures: frames has frames"),
    ((*FRAMES, "-o", "out", "--deep-zoom", "zoom"), "--deep-zoom is for single pictures: frames has frames"),
    ((*FRAMES, "-o", "out", "--content-mask", "mask.png"), "--content-mask is for single pictures"),
    ((*FRAMES, "-o", "out", "--scratch", "given"), "--scratch is for single pictures"),
    ((*FRAMES, "-o", "out", "--window", "3", "--each"), "with --each there is nothing to share over a --window"),
    ((*FRAMES, "-o", "out", "--rate", "3"), "--rate 3 goes with a video as output"),
    ((*FRAMES, "-o", "out.mp4", "--rate", "inf"), "--rate inf goes with a video as output, and is a number"),
    ((*FRAMES, "-o", "out.mp4", "--rate", "5000"), "rate is 5000, but must lie between"),
    ((*FRAMES, "-o", "out", "--tile", "20"), "tiles of 20 pixels"),
    ((*FRAMES, "-o", "out", "--method", "nst"), "nst optimises whole pictures"),
    ((*FRAMES, "-o", "frames"), "frames is where the frames come from"),
    ((*FRAMES, "-o", "./frames/../frames"), "frames/../frames is where the frames come from"),
    ((*FRAMES, "-o", "out.jpg"), "out.jpg: a video is written as .mp4"),
    ((*FRAMES, "-o", "out.avi"), "out.avi: a video is written as .mp4"),
    ((*FRAMES, "-o", "file"), "file is a file, but the results need a folder"),
    (("frames", "frames", "-o", "out"), "frames is a folder, not a picture"),
    (("no.mp4", "red.png", "-o", "out"), "no.mp4 does not exist"),
    (("content.png", "no.mp4", "-o", "out.png"), "no.mp4 does not exist"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(line)[-70:] for line, _ in MISTAKES])
def test_it_is_told_in_one_line_and_nothing_is_written(mistake, arguments, message):
    assert message in mistake(*arguments, "--n-upd", "1")


@pytest.mark.parametrize(
    "flag", [("--window", "0"), ("--sample", "0"), ("--rate", "0"), ("--rate", "nan"), ("--tile", "wide")], ids=" ".join
)
def test_numbers_out_of_range_are_usage_errors(command, folder, flag):
    result = command(*FRAMES, "-o", "out", *flag)
    assert result.exit_code == 2
    assert flag[0] in result.stderr and "Traceback" not in result.stderr
    assert not (folder / "out").exists()
