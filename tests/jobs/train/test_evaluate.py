"""`python -m jobs.train evaluate`: the figures are those of the pictures, and mistakes are said plainly."""

import json
from importlib.resources import files

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from ift import Stylizer, load_image
from ift.stylizer import fastest_dtype
from ift.training.quality import reconstruction_quality
from jobs.storage import open_store
from jobs.train.__main__ import app
from jobs.train.evaluate import evaluate_photos

NAMES = ["decoder_1", "decoder_2", "decoder_3", "decoder_4", "gate_1"]


def evaluate(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": "200"})


def source(file):
    with files("skimage").joinpath("data", file).open("rb") as stream:
        return Image.open(stream).convert("RGB")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos, one of them below, whose sides are no multiples of 8, and one file that is damaged."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    source("chelsea.png").crop((100, 50, 200, 120)).save(folder / "a.png")
    source("coffee.png").crop((150, 100, 345, 197)).save(folder / "below" / "b.png")
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return folder


@pytest.fixture(scope="module")
def facts(photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("figures") / "figures.json"
    done = evaluate("--images", photos, "--resolution", 96, "--json", path)
    assert done.exit_code == 0, done.output
    return json.loads(path.read_text()), done


def test_the_figures_are_the_means_over_the_photos_that_can_be_read(photos, facts):
    figures, _ = facts
    assert list(figures) == [
        *("psnr", "sharpness", "moment_error", "rgb_error", "rgb_bias", "rgb_biases", "images", "skipped", "resolution")
    ]
    model = Stylizer.from_pretrained(device="cpu")
    assert model.dtype == fastest_dtype(torch.device("cpu"))
    first = load_image(photos / "a.png", 96)
    second = load_image(photos / "below" / "b.png", 96)
    assert first.shape == (3, 67, 96) and second.shape == (3, 48, 96)
    qualities = [reconstruction_quality(model.encoder, model.decoder, image) for image in (first[:, :64], second)]
    for measure in ("psnr", "sharpness", "moment_error"):
        assert list(figures[measure]) == NAMES
        for name in NAMES:
            expected = sum(getattr(quality[name], measure) for quality in qualities) / 2
            assert figures[measure][name] == pytest.approx(expected, rel=1e-9)
    for name in NAMES:
        one, other = (quality[name].rgb_error for quality in qualities)
        casts = [abs(a + b) / 2 for a, b in zip(one, other, strict=True)]
        assert figures["rgb_biases"][name] == pytest.approx(max(casts), rel=1e-9)
        sizes = [abs(value) for value in (*one, *other)]
        assert figures["rgb_error"][name] == pytest.approx(sum(sizes) / 6, rel=1e-9)
    assert figures["rgb_bias"] == max(figures["rgb_biases"].values())
    assert (figures["images"], figures["skipped"], figures["resolution"]) == (2, 1, 96)


def test_the_table_shows_them_and_the_damaged_file_is_named(facts):
    figures, done = facts
    assert all(name in done.stdout for name in NAMES)
    assert f"{figures['psnr']['decoder_3']:.2f}" in done.stdout
    assert f"{figures['moment_error']['gate_1']:.4f}" in done.stdout
    assert "damaged.jpg" in done.stderr and "damaged.jpg" not in done.stdout
    assert "1 skipped" in done.stdout


def test_the_same_photos_give_the_same_figures(photos, facts, tmp_path):
    path = tmp_path / "again.json"
    assert evaluate("--images", photos, "--resolution", 96, "--json", path).exit_code == 0
    assert json.loads(path.read_text()) == facts[0]


def test_a_limit_spreads_over_all_photos(tmp_path):
    for number in range(6):
        Image.new("RGB", (32, 32), (40 * number, 100, 60)).save(tmp_path / f"{number}.png")
    for number in (1, 2, 4, 5):
        (tmp_path / f"{number}.png").write_bytes(b"damaged, and not to be opened")
    result = evaluate_photos(str(tmp_path), limit=2, device="cpu")
    assert (result.images, result.skipped) == (2, 0)
    everything = evaluate_photos(str(tmp_path), limit=100, device="cpu")
    assert (everything.images, everything.skipped) == (2, 4)


def test_what_is_not_defined_is_null(tmp_path):
    Image.new("RGB", (24, 24), (90, 120, 30)).save(tmp_path / "plain.png")
    facts = evaluate_photos(str(tmp_path), device="cpu").facts
    assert set(facts["sharpness"].values()) == {None}
    json.dumps(facts, allow_nan=False)
    assert evaluate("--images", tmp_path).exit_code == 0


def test_a_picture_that_is_too_small_is_skipped(tmp_path):
    source("coffee.png").resize((48, 40)).save(tmp_path / "fine.png")
    source("coffee.png").resize((48, 12)).save(tmp_path / "small.png")
    done = evaluate("--images", tmp_path)
    assert done.exit_code == 0
    assert "small.png is 48×12 pixels" in done.stderr


def test_a_photo_that_is_gone_since_it_was_listed_is_skipped(tmp_path, monkeypatch, capsys):
    source("coffee.png").resize((48, 40)).save(tmp_path / "fine.png")
    monkeypatch.setattr("jobs.train.photos.list_photos", lambda store: ["fine.png", "gone.png"])
    result = evaluate_photos(str(tmp_path), device="cpu")
    assert (result.images, result.skipped) == (1, 1)
    assert "gone.png" in capsys.readouterr().err


def test_mistakes_are_one_line(tmp_path, photos):
    empty = tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"no weights")
    (empty / "notes.txt").write_text("no picture")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "a.jpg").write_bytes(b"no picture")
    for arguments, words in (
        (("--images", empty), "no pictures"),
        (("--images", tmp_path / "nowhere"), "nowhere"),
        (("--images", damaged), "none of the 1 pictures"),
        (("--images", photos, "--weights", tmp_path / "none.safetensors"), "no such file"),
        (("--images", photos, "--weights", other), "not a safetensors file"),
        (("--images", photos, "--device", "abacus"), "abacus"),
        (("--images", photos, "--json", tmp_path / "no" / "folder" / "f.json"), "there is no folder"),
    ):
        done = evaluate(*arguments)
        assert done.exit_code == 2, done.output
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert words in line
        assert "Traceback" not in done.output


@pytest.mark.slow
def test_photos_on_s3_are_the_same_photos(photos, facts, s3):
    store = open_store(f"s3://{s3.bucket()}/photos")
    for path in photos.rglob("*.*"):
        store.write(str(path.relative_to(photos)), path.read_bytes())
    assert evaluate_photos(store.uri, resolution=96, device="cpu").facts == facts[0]
