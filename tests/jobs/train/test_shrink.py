"""`python -m jobs.train shrink`: a file that loads, or a plain word of what is wrong."""

from importlib.resources import files

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from ift import Stylizer
from ift.training import shrinkage
from ift.weight_files import PRETRAINED
from jobs.train.__main__ import app


def shrink(*arguments):
    return CliRunner().invoke(app, ["shrink", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.mark.slow
def test_the_file_loads_and_has_smaller_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(shrinkage, "_PATCHES", 30)
    (tmp_path / "photos").mkdir()
    for name in ("coffee.png", "astronaut.png"):
        with files("skimage").joinpath("data", name).open("rb") as stream:
            picture = Image.open(stream).convert("RGB").resize((256, 256))
        for turn in range(8):
            crop = picture.rotate(90 * (turn % 4)).crop((8 * turn, 0, 8 * turn + 128, 96))
            crop.save(tmp_path / "photos" / f"{turn}{name}")
    (tmp_path / "photos" / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    done = shrink("--images", tmp_path / "photos", "--output", tmp_path / "new.safetensors", "--device", "cpu")
    assert done.exit_code == 0 and "by 16 photos" in done.output and "damaged.jpg" in done.stderr
    Stylizer.from_pretrained(tmp_path / "new.safetensors", device="cpu")
    old, new = load_file(PRETRAINED), load_file(tmp_path / "new.safetensors")
    assert {key: value.shape for key, value in old.items()} == {key: value.shape for key, value in new.items()}
    assert all(torch.equal(new[key], old[key]) for key in old if key.startswith("encoder."))
    weights = [
        sum(float(state[key].float().square().sum()) for key in old if "block4.body.2.weight" in key)
        for state in (old, new)
    ]
    assert weights[1] < weights[0]


@pytest.mark.parametrize(
    ("output", "named"), [("none/new.safetensors", "no folder"), ("new.bin", "ends in .safetensors")]
)
def test_mistakes_are_one_line(tmp_path, output, named):
    done = shrink("--images", tmp_path, "--output", tmp_path / output)
    assert done.exit_code == 2 and named in done.stderr and len(done.stderr.splitlines()) == 1


def test_too_few_pictures_are_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    done = shrink("--images", tmp_path, "--output", tmp_path / "new.safetensors")
    assert done.exit_code == 2 and "too few" in done.stderr and not (tmp_path / "new.safetensors").exists()
