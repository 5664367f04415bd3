import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import ift


def colour(path):
    with Image.open(path) as image:
        red, _, blue = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return red, blue


def test_one_style(command, folder):
    result = command("content.png", "red.png", "-o", "new/out.jpg", "--resolution", "48", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("new/out.jpg: 48×32 in ")
    assert result.output.endswith(" s on cpu\n")
    with Image.open(folder / "new/out.jpg") as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (48, 32), "RGB")


def test_several_styles_options_and_the_photo_preset(command, folder):
    shares = {"reddish.webp": "3,1", "bluish.webp": "1,3"}
    for name, weights in shares.items():
        result = command(
            *("content.png", "red.png", "blue.png", "-o", name, "--preset", "photo", "--style-weight", weights),
            *("--resolution", "0", "--strength", "20,20,10,5", "--n-upd", "5", "--uncentred"),
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        with Image.open(folder / name) as image:
            assert (image.format, image.size) == ("WEBP", (60, 40))
    (red, blue), (less_red, more_blue) = colour("reddish.webp"), colour("bluish.webp")
    assert red > less_red and blue < more_blue


def test_quality_and_the_resolution_of_styles(command, folder):
    variants = {"usual": [], "poor": ["--quality", "10"], "fine": ["--style-resolution", "16"]}
    for name, more in variants.items():
        assert command("content.png", "red.png", "-o", f"{name}.jpg", "--n-upd", "2", *more).exit_code == 0
    usual, poor, fine = ((folder / f"{name}.jpg").read_bytes() for name in variants)
    assert len(poor) < 0.5 * len(usual)
    assert fine != usual


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png", "red.png"], "nowhere.png does not exist"),
        (["content.png", "nowhere.png"], "nowhere.png does not exist"),
        (["content.png", "."], ". is a folder, not a picture"),
        (["content.png", "text.png"], "text.png is not a picture that can be read"),
        (
            ["content.png", "red.png", "--preset", "cubist"],
            "no preset is named 'cubist': choose one of artistic, photo",
        ),
        (["content.png", "red.png", "--strength", "much"], "strength = 'much' is not a number"),
        (["content.png", "red.png", "--strength", "-1"], "strength = -1.0 is out of range"),
        (["content.png", "red.png", "--strength", "1", "--lambda", "1"], "give either strength"),
        (["content.png", "red.png", "--gate", "2"], "gate = 2.0 is out of range"),
        (["content.png", "red.png", "--solver", "adam"], "solver = 'adam' is out of range"),
        (["content.png", "red.png", "--device", "gpu"], "the device gpu cannot be used"),
        (["content.png", "red.png", "--weights", "none.safetensors"], "none.safetensors: no such file"),
        (["content.png", "red.png", "--vgg19", "text.png"], "text.png: not a safetensors file nor a PyTorch file"),
        (["content.png", "red.png", "--style-weight", "a"], "--style-weight a: give one number per style"),
        (["content.png", "red.png", "--style-weight", "1,2"], "1 styles need as many weights"),
        (["content.png", "red.png", "-o", "out.gif"], "out.gif: the suffix must be one of .jpg"),
        (["content.png", "red.png", "-o", "out"], "out: the suffix must be one of .jpg"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_explained_in_one_line_and_write_nothing(command, folder, arguments, message):
    (folder / "text.png").write_text("hello")
    before = sorted(folder.iterdir())
    result = command("-o", "out.png", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("arguments", [["content.png"], ["content.png", "red.png"], ["-o", "out.png"]])
def test_missing_arguments_are_usage_errors(command, arguments):
    result = command(*arguments)
    assert result.exit_code == 2
    assert "Missing" in result.stderr and "Traceback" not in result.stderr


def test_help_names_every_option(command):
    result = command("--help")
    assert result.exit_code == 0
    text = re.sub("\x1b[^m]*m", "", result.output)  # a CI server may ask for colours
    for name in ("--preset", "--strength", "--gate", "--lambda", "--resolution", "--style-weight", "--device"):
        assert name in text


@pytest.mark.slow
def test_as_a_process(folder):
    def run(*arguments):
        line = [sys.executable, "-m", "ift", "content.png", "red.png", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(Path(ift.__file__).parents[1])}
        return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    done = run("-o", "out.tif", "--n-upd", "2")
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(folder / "out.tif") as image:
        assert (image.format, image.size) == ("TIFF", (60, 40))
    failed = run("-o", "out.bmp")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == "error: out.bmp: the suffix must be one of .jpg .jpeg .png .webp .tif .tiff\n"


def mask(path, *colours):
    """Vertical stripes of colours, 60×40."""
    picture = Image.new("RGB", (60, 40))
    width = 60 // len(colours)
    for index, colour_ in enumerate(colours):
        picture.paste(colour_, (index * width, 0, (index + 1) * width, 40))
    picture.save(path)


@pytest.mark.parametrize("method", ["wct", "ost", "adain", "avatar", "wct,ift,adain,avatar", "nst"])
def test_every_method_makes_a_picture_of_its_own(command, folder, method):
    steps = ("--nst-steps", "2", "--n-upd", "2")
    assert command("content.png", "red.png", "-o", "ift.png", *steps).exit_code == 0
    result = command("content.png", "red.png", "blue.png", "-o", "out.png", "--method", method, *steps)
    assert result.exit_code == 0, result.output
    assert (folder / "out.png").read_bytes() != (folder / "ift.png").read_bytes()


def test_each_region_takes_the_style_of_its_label(command, folder):
    mask(folder / "halves.png", "black", "white")
    result = command(
        *("content.png", "red.png", "blue.png", "-o", "out.png", "--content-mask", "halves.png"),
        *("--style-mask", "black", "--style-mask", "255", "--resolution", "0"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    with Image.open(folder / "out.png") as image:
        left, right = image.crop((0, 0, 20, 40)), image.crop((40, 0, 60, 40))
        left.save(folder / "left.png")
        right.save(folder / "right.png")
    (red_left, blue_left), (red_right, blue_right) = colour(folder / "left.png"), colour(folder / "right.png")
    assert red_left > blue_left + 30
    assert blue_right > red_right + 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "neural"), "no method is named 'neural': choose one of ift, wct"),
        (("--content-mask", "no.png"), "no.png does not exist"),
        (("--style-mask", "red", "--style-mask", "blue"), "2 --style-mask for 1 styles: give one for each"),
        (("--content-mask", "halves.png", "--method", "nst"), "take no masks"),
    ],
)
def test_mistakes_with_methods_and_masks_are_named(command, folder, arguments, message):
    mask(folder / "halves.png", "black", "white")
    result = command("content.png", "red.png", "-o", "out.png", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not (folder / "out.png").exists()
