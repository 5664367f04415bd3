"""The model card says what is known, and only that."""

from dataclasses import replace

import pytest

from ift.training.recipe import RECIPES, schedule
from jobs.train.card import Facts, model_card

NAMES = ["decoder_1", "decoder_2", "decoder_3", "decoder_4", "gate_1"]
FIGURES = {
    "psnr": {name: 30.125 + place for place, name in enumerate(NAMES)},
    "sharpness": {**{name: 0.9 + place / 100 for place, name in enumerate(NAMES)}, "decoder_2": None},
    "moment_error": {name: 0.01234 * (1 + place) for place, name in enumerate(NAMES)},
    "rgb_bias": 5 / 255,
    "rgb_biases": {name: (1 + place) / 255 for place, name in enumerate(NAMES)},
    "rgb_error": {name: (2 + place) / 255 for place, name in enumerate(NAMES)},
    "images": 24,
    "skipped": 2,
    "resolution": 512,
}


def facts(recipe="default", **changes):
    recipe = RECIPES[recipe]
    lengths = schedule(recipe, 1900)
    known = Facts(
        images="s3://bucket/photos",
        photos=1900,
        skipped=0,
        recipe=recipe,
        lengths=lengths,
        steps=sum(lengths),
        seconds=5400,
        seed=17,
        start="scratch",
        workers=2,
        device="cpu",
        dtype="bfloat16",
        versions={"ift": "0.1.0", "torch": "2.13.0"},
    )
    return replace(known, **changes)


def row(card, first):
    """The cells of the table's row that begins so."""
    (line,) = [line for line in card.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_says_what_was_done(recipe):
    known = facts(recipe)
    card = model_card(known)
    flat = " ".join(card.split())
    assert "1,900 in `s3://bucket/photos`" in flat
    assert f"Recipe `{recipe}`, from scratch, seed 17: {known.steps:,} steps in 90 minutes" in flat
    assert "2 workers, each on cpu, the networks in bfloat16" in flat
    assert "ift 0.1.0, torch 2.13.0" in flat
    for stage, steps in zip(known.recipe.stages, known.lengths, strict=True):
        cells = next(
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in card.splitlines()
            if line.startswith(f"| {stage.name} |")
        )
        assert cells[4:] == [str(stage.crop), str(stage.batch), f"{stage.learning_rate:g}", f"{steps:,}"]
        assert cells[1] == ", ".join(map(str, stage.blocks))
    assert "nan" not in flat and "unfinished" not in flat and "could not be used" not in flat


def test_every_table_is_one():
    lines = model_card(facts(figures=FIGURES, evaluated_on="held_out")).splitlines()
    for above, line in zip(lines, lines[1:], strict=False):
        if above.startswith("|") and line.startswith("|"):
            assert above.count("|") == line.count("|")


def test_what_went_otherwise_is_said():
    flat = " ".join(model_card(facts(skipped=3, steps=120, start="pretrained", workers=1, seconds=75)).split())
    assert "3 of them could not be used" in flat
    assert "120 of" in flat and "unfinished" in flat
    assert "from the weights that the package ships" in flat
    assert "75 seconds, 1 worker on cpu" in flat
    assert "from `runs/a.safetensors`" in model_card(facts(start="runs/a.safetensors"))


def test_what_was_not_trained_comes_from_where_it_came():
    card = model_card(facts("default", start="scratch"))
    assert "Block 1 is the least-squares solution" in card and "measured on photographs of the training" in card
    later = model_card(facts("default", start="pretrained"))
    assert "As in the weights at the start: the normalisation, block 1." in later and "least-squares" not in later
    paper = model_card(facts("paper", start="pretrained"))
    assert "As in the weights at the start: the normalisation." in paper
    assert "least-squares" not in model_card(facts("paper", start="scratch"))


def test_figures_are_shown_as_they_are():
    card = model_card(facts(figures=FIGURES, evaluated_on="held_out"))
    assert row(card, "PSNR, dB")[1:] == ["30.12", "31.12", "32.12", "33.12", "34.12"]
    assert row(card, "sharpness, of the photo's")[1:] == ["0.900", "–", "0.920", "0.930", "0.940"]
    assert row(card, "error of second moments")[1:] == ["0.0123", "0.0247", "0.0370", "0.0494", "0.0617"]
    assert row(card, "colour cast, of 255")[1:] == ["1.00", "2.00", "3.00", "4.00", "5.00"]
    flat = " ".join(card.split())
    assert "24 photographs in `held_out` (2 more could not be used), longer side at most 512 pixels" in flat


def test_without_figures_it_says_so():
    card = model_card(facts())
    assert "None were measured" in card and "| PSNR, dB |" not in card


def test_a_moving_average_is_claimed_only_where_there_is_one():
    recipe = RECIPES["default"]
    assert "moving average" in model_card(facts(recipe="default"))
    stages = tuple(replace(stage, average=None) for stage in recipe.stages)
    plain = replace(recipe, stages=stages, clip=None, whitened=False, cosine=False, warm_up=0)
    card = " ".join(model_card(facts(recipe="default")).split())
    bare = " ".join(model_card(replace(facts(), recipe=plain)).split())
    for words in ("moving average", "clipped", "white", "cosine", "rising"):
        assert words in card and words not in bare
    assert "the last weights" in bare
