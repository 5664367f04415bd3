"""How strongly, how often and in which order the levels are transformed; and the two presets."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from numbers import Number
from typing import Any, Literal, get_args

from ift.errors import SettingsError

LEVELS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""The paper's four levels, N = 1 … 4. Every per-level setting is given in this order."""

Solver = Literal["conjugate_gradient", "line_search", "fixed_step"]
Direction = Literal["coarse_to_fine", "fine_to_coarse"]
Form = Literal["single_pass", "cascade"]
Iteration = Literal["pass", "level"]


@dataclass(frozen=True)
class Settings:
    """Everything that decides how one picture is stylized, beside the pictures and the weights.

    Attributes:
        strength: κ per level, dimensionless: λ = κ·n/g with g the trace of the content moment that is changed,
            so that a picture looks the same at every resolution. None where `lambda_` is given.
        lambda_: the paper's λ per level (eq. 1). None where `strength` is given.
        n_upd: gradient updates per level (the paper's n_upd); 0 leaves a level as it is.
        solver: `line_search` takes the exact best step along the gradient, `conjugate_gradient` the exact best
            step along conjugate directions (the same minimum in a fraction of the updates), `fixed_step` takes
            `eta`, as published.
        eta: the step of `fixed_step`, η.
        tolerance: a level stops before n_upd when an update lowers the objective by less than this share of it;
            0 for n_upd updates, unless rounding is reached before. Not for `fixed_step`.
        centred: match the mean apart, transform what is left, and keep the result non-negative as the encoder's
            features are; else the paper's form, second moments about zero and nothing cut off.
        n_iter: how often the whole is repeated (the paper's n_iter).
        iterate: what n_iter repeats: the whole multi-level `pass` on its own output, or, within each `level`,
            the updates with the content term re-anchored at the result so far.
        gate: share of the skips let into the decoder: 0 artistic, 1 photo-realistic.
        direction: `coarse_to_fine` transforms relu4_1 first, while decoding; `fine_to_coarse` transforms
            relu1_1 first, while encoding.
        form: `single_pass` encodes and decodes once; `cascade` runs the four autoencoders, one per level.
    """

    strength: tuple[float, ...] | None = (1.0, 1.0, 1.0, 1.0)
    lambda_: tuple[float, ...] | None = None
    n_upd: tuple[int, ...] = (15, 15, 15, 15)
    solver: Solver = "conjugate_gradient"
    eta: float = 0.01
    tolerance: float = 1e-3
    centred: bool = True
    n_iter: int = 1
    iterate: Iteration = "pass"
    gate: float = 0.0
    direction: Direction = "coarse_to_fine"
    form: Form = "single_pass"

    def __post_init__(self) -> None:
        for field in fields(self):  # one form of each value, so that equal settings give equal text
            object.__setattr__(self, field.name, _parse(field.name, getattr(self, field.name)))
        if (self.strength is None) == (self.lambda_ is None):
            raise SettingsError("give either strength (κ, dimensionless) or lambda_ (the paper's λ), not both")
        for name in ("strength", "lambda_"):
            for value in getattr(self, name) or ():
                _require(math.isfinite(value) and value >= 0, name, value, "a finite number, 0 or more")
        for count in self.n_upd:
            _require(0 <= count <= 100_000, "n_upd", count, "a whole number from 0 to 100000")
        _require(math.isfinite(self.eta) and self.eta > 0, "eta", self.eta, "a finite number above 0")
        _require(0 <= self.tolerance < 1, "tolerance", self.tolerance, "a number from 0 to below 1")
        _require(1 <= self.n_iter <= 1000, "n_iter", self.n_iter, "a whole number from 1 to 1000")
        _require(0 <= self.gate <= 1, "gate", self.gate, "a number from 0 (artistic) to 1 (photo-realistic)")
        for name, kind in _CHOICES.items():
            _require(getattr(self, name) in get_args(kind), name, getattr(self, name), " or ".join(get_args(kind)))

    @classmethod
    def from_options(cls, preset: str = "artistic", **options: Any) -> Settings:
        """The settings of `preset` with some options changed.

        Args:
            preset: a name in `PRESETS`.
            options: values by the names in `OPTIONS`; None means "not given". A per-level option takes one
                number for all levels, four in the order of `LEVELS`, or text such as "1,1,0.5,0.5".

        Raises:
            SettingsError: an unknown name or a value out of range; the message says which and what is allowed.
        """
        if not isinstance(preset, str) or preset not in PRESETS:
            raise SettingsError(f"no preset is named {preset!r}: choose one of {', '.join(PRESETS)}")
        changes = {name: value for name, value in options.items() if value is not None}
        unknown = sorted(set(changes) - set(OPTIONS))
        if unknown:
            raise SettingsError(f"unknown option {', '.join(unknown)}: the options are {', '.join(OPTIONS)}")
        if "lambda_" in changes and "strength" not in changes:
            changes["strength"] = None
        elif "strength" in changes and "lambda_" not in changes:
            changes["lambda_"] = None
        return replace(PRESETS[preset], **changes)

    def to_json(self) -> str:
        """Canonical text: equal settings give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that `to_json` wrote."""
        return cls(**json.loads(text))


OPTIONS = tuple(field.name for field in fields(Settings))
"""The names that `Settings.from_options` takes, and that a manifest may have as columns."""

_CHOICES: dict[str, Any] = {"solver": Solver, "direction": Direction, "form": Form, "iterate": Iteration}


def _parse(name: str, value: Any) -> Any:
    try:
        if name in ("strength", "lambda_"):
            return None if value is None else _per_level(name, value, _number)
        if name == "n_upd":
            return _per_level(name, value, _whole)
        if name == "n_iter":
            return _whole(value)
        if name == "centred":
            return _truth(value)
        if name in ("eta", "gate", "tolerance"):
            return _number(value)
    except OverflowError as error:
        raise SettingsError(f"{name} is out of range: the number is far too large") from error
    except (TypeError, ValueError) as error:
        kind = "whole number" if name in ("n_upd", "n_iter") else "number"
        raise SettingsError(f"{name} = {value!r} is not a {kind}{_per_level_hint(name)}") from error
    return str(value)


def _per_level(name: str, value: Any, number: Callable[[Any], float]) -> tuple[float, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    values = tuple(number(part) for part in parts) if isinstance(parts, (list, tuple)) else (number(parts),)
    if len(values) not in (1, len(LEVELS)):
        raise SettingsError(f"{name} has {len(values)} values{_per_level_hint(name)}")
    return values * len(LEVELS) if len(values) == 1 else values


def _per_level_hint(name: str) -> str:
    per_level = name in ("strength", "lambda_", "n_upd")
    return f": give one number, or four for {', '.join(LEVELS)}" if per_level else ""


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not isinstance(value, (Number, str)):  # NumPy's truth values are no Number
        raise TypeError(value)
    return number + 0.0  # -0.0 equals 0.0, but not as text


def _whole(value: Any) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


def _truth(value: Any) -> bool:
    truths = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return truths[str(value).lower()]
    except KeyError:
        raise SettingsError(f"centred = {value!r}: it must be true or false") from None


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise SettingsError(f"{name} = {value!r} is out of range: it must be {allowed}")


PRESETS = {
    "artistic": Settings(strength=(5.0,) * 4, n_upd=(20,) * 4, gate=0.0),
    "photo": Settings(strength=(1.0,) * 4, n_upd=(15,) * 4, gate=1.0),
}
"""Chosen by looking at many pictures; see the README."""
