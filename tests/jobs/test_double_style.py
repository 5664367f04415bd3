"""The comparison of methods on two styles, on small pictures of its own."""

import csv

import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from ift import METHODS, Stylizer, load_image, save_image
from jobs.double_style import main

app = typer.Typer()
app.command()(main)


@pytest.fixture
def folders(tmp_path):
    """One content and two styles of one colour family each."""
    for seed, name in enumerate(("content/photo", "style/a_red", "style/b_blue")):
        picture = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(seed))
        tint = torch.tensor([[1.0, 1, 1], [1, 0.2, 0.1], [0.1, 0.2, 1]])[seed].reshape(3, 1, 1)
        save_image(picture * tint, tmp_path / f"{name}.png")
    return tmp_path


def relative_gram_distance(model, ours, theirs):
    """‖G − S‖/‖S‖ from the features themselves, the mean over levels."""
    distances = []
    x, y = (picture.unsqueeze(0).to(model.dtype) for picture in (ours, theirs))
    for level in (1, 2, 3, 4):
        (x, _), (y, _) = model.encoder.stage(level, x), model.encoder.stage(level, y)
        grams = [f[0].flatten(1).float() @ f[0].flatten(1).float().T / f[0, 0].numel() for f in (x, y)]
        distances.append(float((grams[0] - grams[1]).norm() / grams[1].norm()))
    return sum(distances) / 4


def test_figures_and_pictures(folders):
    arguments = ("--content", folders / "content", "--style", folders / "style", "--output", folders / "out")
    result = CliRunner().invoke(app, [*map(str, arguments), "--resolution", "48", "--nst-steps", "2"])
    assert result.exit_code == 0, result.output
    with (folders / "out" / "double_style.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == list(METHODS)
    model = Stylizer.from_pretrained()
    styles = [load_image(folders / "style" / name) for name in ("a_red.png", "b_blue.png")]
    with torch.inference_mode():
        content = load_image(folders / "content" / "photo.png")
        made = model.stylize(content, model.style(styles), method="ift").cpu()
        for column, style in zip(("to_first", "to_second"), styles, strict=True):
            expected = relative_gram_distance(model, made, style)
            assert float(rows[0][column]) == pytest.approx(expected, rel=0.02)
    with Image.open(folders / "out" / "a_red_b_blue.png") as sheet:
        assert sheet.width > sheet.height
    assert "nearer style" in result.output


def test_a_folder_that_is_not_there_is_named(folders):
    arguments = ("--content", folders / "nowhere", "--style", folders / "style", "--output", folders / "out")
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 2
    assert "nowhere" in result.output
