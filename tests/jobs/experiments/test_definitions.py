"""The experiments as manifests: what they ask for, the same each time, and accepted by the main job's own reader."""

import json
from collections import Counter
from pathlib import Path

import pytest

from ift import Settings
from jobs.experiments import double_style, photo_pairs, table1, trade_off
from jobs.experiments.pairs import Pair, among, crossed
from jobs.experiments.trials import Trial, to_manifest
from jobs.manifest import Defaults, Manifest

PHOTOS = [Path(f"/photos/{name}.jpg") for name in ("a", "b;c", "d é", "e")]
STYLES = [Path(f"/styles/{name}.jpg") for name in ("s", "t", "u", "v")]


def of_trade_off():
    definition = trade_off.TradeOff()
    return trade_off.trials(definition, {"artistic": crossed(PHOTOS, STYLES, 5), "photo": among(PHOTOS, 3)})


def of_photo_pairs():
    return photo_pairs.trials(photo_pairs.PhotoPairs(), among(PHOTOS, 4))


def of_table1():
    return table1.trials(table1.Table1(), crossed(PHOTOS, STYLES, 3))


def of_double_style():
    return double_style.trials(double_style.DoubleStyle(), PHOTOS, double_style.style_pairs(STYLES, own=True))


def read(tmp_path, trials):
    """What the main job understands of the manifest: settings and everything else by pair id."""
    file = tmp_path / "manifest.jsonl"
    file.write_bytes(to_manifest(trials))
    manifest = Manifest(str(file), file, Defaults())
    found = {}
    for batch in manifest.batches():
        recipes = {recipe.number: recipe for recipe in batch.recipes}
        for row in batch.rows.to_pylist():
            found[row["pair_id"]] = row, recipes[row["recipe"]]
    manifest.check()
    assert manifest.notes == ()
    return found


@pytest.mark.parametrize("make", [of_trade_off, of_photo_pairs, of_table1, of_double_style])
def test_a_definition_made_twice_is_the_same_manifest(make):
    assert to_manifest(make()) == to_manifest(make())
    ids = [trial.pair_id for trial in make()]
    assert len(ids) == len(set(ids))


def test_the_trade_off_asks_for_every_value_of_every_knob_once_and_one_start_a_pair(tmp_path):
    definition, trials = trade_off.TradeOff(), of_trade_off()
    assert len(trials) == (5 + 3) * (1 + sum(len(knob.values) for knob in definition.knobs))
    settings = [Settings.from_options(trial.preset, **trial.knobs) for trial in trials]
    assert sum(all(one.leaves(level) for level in (1, 2, 3, 4)) for one in settings) == 5 + 3
    assert Counter(trial.preset for trial in trials) == {"artistic": 5 * 42, "photo": 3 * 42}
    assert {one.gate for one, trial in zip(settings, trials, strict=True) if trial.preset == "photo"} == {1.0}
    assert {trial.resolution for trial in trials} == {256}


@pytest.mark.parametrize("make", [of_trade_off, of_photo_pairs, of_table1, of_double_style])
def test_the_main_job_reads_each_manifest_as_it_was_meant(tmp_path, make):
    trials = make()
    found = read(tmp_path, trials)
    assert len(found) == len(trials)
    for trial in trials:
        row, recipe = found[trial.pair_id]
        knobs = {"lambda_" if name == "lambda" else name: value for name, value in trial.knobs.items()}
        assert recipe.settings == Settings.from_options(trial.preset, **knobs).to_json()
        assert (row["content"], recipe.styles) == (str(trial.content), tuple(map(str, trial.styles)))
        assert (recipe.resolution, recipe.style_resolution) == (trial.resolution, trial.resolution)


def test_the_papers_own_line_is_its_own_parameters():
    paper = next(trial for trial in of_photo_pairs() if trial.pair_id.endswith("-paper"))
    settings = Settings.from_options(
        paper.preset, **{"lambda_" if name == "lambda" else name: value for name, value in paper.knobs.items()}
    )
    assert settings.lambda_ == (1e4, 1e4, 1e3, 1e2) and settings.n_upd == (10, 10, 10, 5)
    assert (settings.solver, settings.eta, settings.centred, settings.gate) == ("fixed_step", 0.01, False, 1.0)


def test_the_supplements_parameters_hold_for_all_other_lines():
    for trial in of_photo_pairs() + of_table1():
        if not trial.pair_id.endswith("-paper"):
            settings = Settings.from_options(trial.preset, **trial.knobs)
            assert (settings.n_upd, settings.n_iter) == ((15,) * 4, 1)
            assert (settings.guided_radius, settings.keep_colours) == (0, False)
    assert {trial.resolution for trial in of_table1()} == {256, 512, 768, 1024}


def test_a_manifest_says_one_style_as_text_and_more_as_a_list():
    one = Trial("x", Path("/c.jpg"), (Path("/a;b.jpg"),), "photo", 64, {"method": "wct", "alpha": 0.5})
    two = Trial("y", Path("/c.jpg"), (Path("/a.jpg"), Path("/b.jpg")), "photo", 64)
    first, second = map(json.loads, to_manifest([one, two]).splitlines())
    assert first["style"] == "/a;b.jpg" and (first["method"], first["alpha"]) == ("wct", 0.5)
    assert second["style"] == ["/a.jpg", "/b.jpg"] and "method" not in second


def test_contents_of_one_name_have_trials_of_their_own():
    namesakes = [Path("/photos/a.jpg"), Path("/photos/a.png")]
    pairs = {"artistic": [Pair(path, STYLES[0]) for path in namesakes], "photo": []}
    ids = [trial.pair_id for trial in trade_off.trials(trade_off.TradeOff(), pairs)]
    assert len(set(ids)) == len(ids) == 2 * 42
