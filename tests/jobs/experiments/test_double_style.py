"""What is left of two styles, against features taken by hand; and the experiment from end to end."""

import csv
import json

import pytest
import torch
from PIL import Image

from ift import METHODS, Stylizer, load_image, save_image
from ift.images import decode_image
from jobs.experiments.double_style import DoubleStyle, StylePair, remains, style_pairs, trial_id
from tests.jobs.experiments.drivers import experiment


@pytest.fixture
def folders(tmp_path):
    """One content and two styles of one colour family each."""
    for seed, name in enumerate(("content/photo", "style/a_red", "style/b_blue")):
        picture = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(seed))
        tint = torch.tensor([[1.0, 1, 1], [1, 0.2, 0.1], [0.1, 0.2, 1]])[seed].reshape(3, 1, 1)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_image(picture * tint, tmp_path / f"{name}.png")
    return tmp_path


def features(model, picture):
    """(C, pixels) at each level, in float32."""
    x, found = picture.unsqueeze(0).to(model.dtype), []
    for level in (1, 2, 3, 4):
        x, _ = model.encoder.stage(level, x)
        found.append(x[0].flatten(1).float())
    return found


def gram_distance(ours, theirs):
    """‖G − S‖/‖S‖ from the features themselves, the mean over levels."""
    grams = [(f @ f.T / f.shape[1], g @ g.T / g.shape[1]) for f, g in zip(ours, theirs, strict=True)]
    return sum(float((ours - theirs).norm() / theirs.norm()) for ours, theirs in grams) / 4


def test_remains_are_distances_between_features():
    model = Stylizer.from_pretrained()
    pictures = [torch.rand(3, 32, 40, generator=torch.Generator().manual_seed(seed)) ** (1 + seed) for seed in range(3)]
    with torch.inference_mode():
        found = remains(model, pictures[0], [model.style(picture) for picture in pictures[1:]])
        result, first, second = (features(model, picture) for picture in pictures)
    assert found.to_first == pytest.approx(gram_distance(result, first), rel=0.02)
    assert found.to_second == pytest.approx(gram_distance(result, second), rel=0.02)
    both = [torch.cat(each, dim=1) for each in zip(first, second, strict=True)]  # of one size: half and half
    spread = [float(a.var(1).sum() / b.var(1).sum()) for a, b in zip(result, both, strict=True)]
    assert found.to_mixture == pytest.approx(gram_distance(result, both), rel=0.02)
    assert found.variance == pytest.approx(sum(spread) / 4, rel=0.02)


def test_every_two_of_ones_own_styles_are_a_pair(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abcde"]
    assert style_pairs(paths, own=True) == [StylePair(*paths[:2]), StylePair(*paths[2:4])]


@pytest.mark.slow
def test_figures_and_pictures(folders):
    output = folders / "out"
    done = experiment(
        "double-style", "--contents", folders / "content", "--styles", folders / "style", "--output", output,
        "--resolution", 48, "--nst-steps", 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with (output / "double-style.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [name for name in METHODS if name != "nst"] + ["nst"]
    model = Stylizer.from_pretrained()
    styles = [load_image(folders / "style" / name) for name in ("a_red.png", "b_blue.png")]
    content = load_image(folders / "content" / "photo.png")
    with torch.inference_mode():
        made = model.stylize(content, model.style(styles), method="ift").cpu()
        for column, style in zip(("to_first", "to_second"), styles, strict=True):
            expected = gram_distance(features(model, made), features(model, style))
            assert float(rows[0][column]) == pytest.approx(expected, rel=0.02)
    pair = StylePair(folders / "style/a_red.png", folders / "style/b_blue.png")
    name = trial_id(0, folders / "content/photo.png", pair, "ift")
    stored = decode_image((output / f"run/images/{name}.png").read_bytes(), name)
    assert (stored - made).abs().max() < 0.01
    with Image.open(output / "double-style-a_red_b_blue.png") as sheet:
        assert sheet.width > sheet.height
    facts = json.loads((output / "double-style.json").read_text())
    assert facts["definition"]["nst_steps"] == 2 and set(facts["medians"]) == set(METHODS)
    assert "nearer style" in done.stdout


def test_nst_takes_minutes_and_is_left_out_unless_asked_for():
    assert "nst" not in DoubleStyle().methods
