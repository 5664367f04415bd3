import json
from dataclasses import FrozenInstanceError, replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ift.errors import SettingsError
from ift.settings import LEVELS, OPTIONS, PRESETS, Settings

PER_LEVEL = ("strength", "lambda_", "n_upd")
NUMBERS = (*PER_LEVEL, "eta", "tolerance", "n_iter", "gate", "nst_steps", "guided_radius")


def per_level(number):
    return number | st.lists(number, min_size=4, max_size=4)


def not_negative(most, **bounds):
    return st.floats(0, most, **bounds) | st.integers(0, int(most)) | st.just(-0.0)


VALUES = {
    "method": st.sampled_from(
        ["ift", "wct", "ost", "adain", "avatar", "nst", "wct,ift,ost,adain", "ift,ift,wct,avatar"]
    ),
    "alpha": per_level(not_negative(1)),
    "strength": per_level(not_negative(1e9)),
    "lambda_": per_level(not_negative(1e9)),
    "n_upd": per_level(st.integers(0, 100_000)),
    "solver": st.sampled_from(["conjugate_gradient", "line_search", "fixed_step"]),
    "eta": st.floats(1e-9, 1e9),
    "tolerance": st.floats(0, 0.99),
    "centred": st.booleans(),
    "n_iter": st.integers(1, 1000),
    "iterate": st.sampled_from(["pass", "level"]),
    "gate": not_negative(1),
    "direction": st.sampled_from(["coarse_to_fine", "fine_to_coarse"]),
    "form": st.sampled_from(["single_pass", "cascade"]),
    "nst_steps": st.integers(1, 100_000),
    "keep_colours": st.booleans(),
    "guided_radius": st.integers(0, 10_000),
}
SOME = st.fixed_dictionaries({}, optional=VALUES).filter(lambda options: not {"strength", "lambda_"} <= set(options))


def spelled(value):
    """The same value as a command line or a text column would give it."""
    return ",".join(map(repr, value)) if isinstance(value, list) else str(value)


def test_every_option_is_tested_here():
    assert tuple(VALUES) == OPTIONS


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_what_its_name_gives(preset):
    assert Settings.from_options(preset) == PRESETS[preset]
    assert Settings.from_options(preset, **dict.fromkeys(OPTIONS)) == PRESETS[preset]


def test_the_presets_differ_and_artistic_is_the_default():
    assert Settings.from_options() == PRESETS["artistic"] != PRESETS["photo"]
    assert (PRESETS["artistic"].gate, PRESETS["photo"].gate) == (0.3, 1)


@pytest.mark.parametrize("name", PER_LEVEL)
@pytest.mark.parametrize(
    "two",
    [2, 2.0, "2", " 2 ", "2.0", "2,2,2,2", "2, 2, 2, 2", [2], [2] * 4, (2.0,) * 4, ["2"] * 4, Decimal(2), np.int64(2)],
    ids=repr,
)
def test_one_number_has_many_spellings(name, two):
    settings = Settings.from_options(**{name: two})
    assert getattr(settings, name) == (2, 2, 2, 2)
    assert settings.to_json() == Settings.from_options(**{name: 2}).to_json()


def test_four_numbers_keep_the_order_of_the_levels():
    settings = Settings.from_options(strength="1,2.5,3,4e2", n_upd=[4, 3, 2, 1])
    assert settings.strength == (1.0, 2.5, 3.0, 400.0)
    assert settings.n_upd == (4, 3, 2, 1)
    assert len(LEVELS) == 4


@pytest.mark.parametrize(
    ("value", "truth"),
    [(True, True), ("true", True), ("Yes", True), (1, True), ("FALSE", False), ("no", False), (0, False), ("0", False)],
)
def test_centred_is_a_truth_value(value, truth):
    assert Settings.from_options(centred=value).centred is truth


def test_lambda_and_strength_replace_each_other():
    by_lambda = Settings.from_options("photo", lambda_="1e4,1e4,1e3,1e2")
    assert (by_lambda.strength, by_lambda.lambda_) == (None, (1e4, 1e4, 1e3, 1e2))
    assert replace(by_lambda, strength=3, lambda_=None).strength == (3, 3, 3, 3)
    assert Settings.from_options("photo", strength=3).lambda_ is None
    for make in (Settings.from_options, Settings):
        with pytest.raises(SettingsError, match=r"either strength .* or lambda_ .* not both"):
            make(strength=1, lambda_=1)
    with pytest.raises(SettingsError, match="either strength"):
        Settings(strength=None)


FOUR = "give one number, or four for relu1_1, relu2_1, relu3_1, relu4_1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "cubist"}, "no preset is named 'cubist': choose one of artistic, photo"),
        ({"preset": ["photo"]}, "no preset is named ['photo']: choose one of artistic, photo"),
        ({"stength": 1, "beta": 2}, "unknown option beta, stength: the options are method, alpha, strength, lambda_"),
        ({"method": "neural"}, "no method is named 'neural': choose one of ift, wct, ost, adain, avatar, nst"),
        ({"method": "ift,wct"}, "method = 'ift,wct': give one name, or four for relu1_1, relu2_1, relu3_1, relu4_1"),
        ({"method": 3}, "method = 3: give one name, or four"),
        ({"method": "nst,nst,nst,ift"}, "nst works on pixels, not level by level: it cannot be mixed"),
        ({"method": "avatar,ift,ift,ift"}, "avatar matches patches at relu4_1 only: give it last"),
        ({"alpha": 1.5}, "alpha = 1.5 is out of range: it must be a number from 0 (content) to 1"),
        ({"keep_colours": "maybe"}, "keep_colours = 'maybe': it must be true or false"),
        ({"nst_steps": 0}, "nst_steps = 0 is out of range: it must be a whole number from 1"),
        ({"guided_radius": 2.5}, "guided_radius = 2.5 is not a whole number"),
        ({"strength": "much"}, f"strength = 'much' is not a number: {FOUR}"),
        ({"strength": ""}, f"strength = '' is not a number: {FOUR}"),
        ({"strength": "1,,1,1"}, f"strength = '1,,1,1' is not a number: {FOUR}"),
        ({"strength": [1, None, 1, 1]}, f"strength = [1, None, 1, 1] is not a number: {FOUR}"),
        ({"strength": {1: 2}}, f"strength = {{1: 2}} is not a number: {FOUR}"),
        ({"strength": b"12"}, f"strength = b'12' is not a number: {FOUR}"),
        ({"strength": 1j}, f"strength = 1j is not a number: {FOUR}"),
        ({"strength": [1, 2]}, f"strength has 2 values: {FOUR}"),
        ({"lambda_": "1,2,3,4,5"}, f"lambda_ has 5 values: {FOUR}"),
        ({"n_upd": []}, f"n_upd has 0 values: {FOUR}"),
        ({"strength": -1}, "strength = -1.0 is out of range: it must be a finite number, 0 or more"),
        ({"strength": [1, 1, 1, float("nan")]}, "strength = nan is out of range: it must be a finite number"),
        ({"strength": "1e400"}, "strength = inf is out of range: it must be a finite number"),
        ({"lambda_": float("inf")}, "lambda_ = inf is out of range: it must be a finite number"),
        ({"n_upd": 1.5}, f"n_upd = 1.5 is not a whole number: {FOUR}"),
        ({"n_upd": float("nan")}, f"n_upd = nan is not a whole number: {FOUR}"),
        ({"n_upd": float("inf")}, f"n_upd = inf is not a whole number: {FOUR}"),
        ({"n_upd": -1}, "n_upd = -1 is out of range: it must be a whole number from 0 to 100000"),
        ({"n_upd": 100_001}, "n_upd = 100001 is out of range: it must be a whole number from 0 to 100000"),
        ({"n_iter": 0}, "n_iter = 0 is out of range: it must be a whole number from 1 to 1000"),
        ({"n_iter": 1001}, "n_iter = 1001 is out of range"),
        ({"n_iter": "twice"}, "n_iter = 'twice' is not a whole number"),
        ({"n_iter": [2]}, "n_iter = [2] is not a whole number"),
        ({"eta": 0}, "eta = 0.0 is out of range: it must be a finite number above 0"),
        ({"eta": "nan"}, "eta = nan is out of range"),
        ({"tolerance": 1}, "tolerance = 1.0 is out of range: it must be a number from 0 to below 1"),
        ({"tolerance": float("nan")}, "tolerance = nan is out of range"),
        ({"gate": 1.01}, "gate = 1.01 is out of range: it must be a number from 0 (artistic) to 1 (photo-realistic)"),
        ({"gate": -0.1}, "gate = -0.1 is out of range"),
        ({"gate": "nan"}, "gate = nan is out of range"),
        ({"gate": "half"}, "gate = 'half' is not a number"),
        ({"centred": "perhaps"}, "centred = 'perhaps': it must be true or false"),
        ({"centred": 2}, "centred = 2: it must be true or false"),
        ({"solver": "adam"}, "solver = 'adam' is out of range: it must be conjugate_gradient or line_search or fixed"),
        ({"direction": 5}, "direction = '5' is out of range: it must be coarse_to_fine or fine_to_coarse"),
        ({"form": "double_pass"}, "form = 'double_pass' is out of range: it must be single_pass or cascade"),
        ({"iterate": "twice"}, "iterate = 'twice' is out of range: it must be pass or level"),
    ],
    ids=lambda value: "" if isinstance(value, str) else repr(value),
)
def test_refusals_say_what_is_allowed(options, message):
    with pytest.raises(SettingsError) as caught:
        Settings.from_options(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, False, np.True_, [True] * 4], ids=repr)
def test_truth_values_are_no_numbers(name, value):
    with pytest.raises(SettingsError, match=f"{name} = .* is not a"):
        Settings.from_options(**{name: value})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_beyond_floating_point_are_refused(name, digits):
    with pytest.raises(SettingsError, match=f"{name} is out of range"):
        Settings.from_options(**{name: 10**digits})


@pytest.mark.parametrize("name", PER_LEVEL)
def test_the_constructor_refuses_what_the_options_refuse(name):
    strength = None if name == "lambda_" else 1
    for wrong in ((1, 2), "much", True, -1):
        with pytest.raises(SettingsError, match=name):
            Settings(**{"strength": strength, name: wrong})


@given(st.sampled_from(list(PRESETS)), SOME)
def test_json_round_trip(preset, options):
    settings = Settings.from_options(preset, **options)
    text = settings.to_json()
    assert Settings.from_json(text) == settings
    assert Settings.from_json(text).to_json() == text
    values = json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    assert list(values) == sorted(OPTIONS)


@given(SOME)
def test_the_text_does_not_depend_on_how_the_settings_were_given(options):
    settings = Settings.from_options("photo", **options)
    swapped = {"strength": None} if "lambda_" in options else {}
    others = [
        Settings.from_options("photo", **{name: spelled(value) for name, value in options.items()}),
        replace(PRESETS["photo"], **(swapped | options)),
    ]
    for other in others:
        assert other == settings and hash(other) == hash(settings)
        assert other.to_json() == settings.to_json()


def test_zero_has_one_text():
    assert Settings(gate=-0.0, strength="-0,0,0,0").to_json() == Settings(gate=0, strength=0).to_json()


@given(SOME, SOME)
def test_different_settings_have_different_text(options, others):
    first, second = Settings.from_options(**options), Settings.from_options(**others)
    assert (first.to_json() == second.to_json()) == (first == second)


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        PRESETS["photo"].gate = 0.5


def test_one_name_of_a_method_is_meant_as_its_authors_do():
    assert Settings.from_options(method="avatar").method == ("adain", "adain", "adain", "avatar")
    assert Settings.from_options(method="ift,ift,wct,wct").method == ("ift", "ift", "wct", "wct")
    assert Settings.from_options(method=["ost"] * 4) == Settings.from_options(method="ost")


@pytest.mark.parametrize("name", ["ift", "wct", "ost", "adain", "avatar", "nst", "ift,ift,wct,avatar"])
def test_the_name_of_a_method_is_what_was_given(name):
    assert Settings.from_options(method=name).method_name == name


def test_a_level_is_left_by_what_its_method_asks_for():
    settings = Settings(method="ift,wct,ift,adain", n_upd=(0, 0, 5, 5), alpha=(0, 1, 0, 0))
    assert [settings.leaves(level) for level in (1, 2, 3, 4)] == [True, False, False, True]
