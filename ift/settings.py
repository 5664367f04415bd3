"""How strongly, how often and in which order the levels are transformed; and the two presets."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from numbers import Number
from typing import Any, Literal, get_args

from ift.errors import SettingsError

MAX_PIXELS: int = 178_956_970 // 2
"""Width × height above which a file is refused; below it Pillow itself has no doubts."""

MAX_LARGE_PIXELS: int = 1 << 32
"""The same where pictures are read in constant memory: 4.3 gigapixels, 12 GB of scratch file."""

LEVELS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""The paper's four levels, N = 1 … 4. Every per-level setting is given in this order."""

METHODS = ("ift", "wct", "ost", "adain", "avatar", "nst")
"""Avatar-Net's patches at relu4_1 go with AdaIN below it; NST (eq. 29) works on pixels, hence at all levels at once."""

WITHOUT_MASKS = ("avatar", "nst")
"""Methods that are no map of single features, so that regions cannot have theirs."""

Solver = Literal["conjugate_gradient", "line_search", "fixed_step"]
Direction = Literal["coarse_to_fine", "fine_to_coarse"]
Form = Literal["single_pass", "cascade"]
Iteration = Literal["pass", "level"]


@dataclass(frozen=True)
class Settings:
    """Everything that decides how one picture is stylized, beside the pictures and the weights.

    Attributes:
        method: a name in `METHODS` per level; given as one name, it is meant as its authors do: "avatar" stands for
            AdaIN at relu1_1, relu2_1 and relu3_1 and the style decorator at relu4_1. Any mix goes, but "nst".
        alpha: α per level, 0 to 1: the share of the result in its blend with the content, for the methods in closed
            form (WCT, OST, AdaIN, Avatar-Net); 0 leaves a level as it is.
        strength: κ per level, dimensionless: λ = κ·n/g with g the trace of the content moment that is changed,
            so that a picture looks the same at every resolution. None where `lambda_` is given.
        lambda_: the paper's λ per level (eq. 1). None where `strength` is given.
        n_upd: gradient updates per level (the paper's n_upd); 0 leaves a level as it is.
        solver: `line_search` takes the exact best step along the gradient, `conjugate_gradient` the exact best
            step along conjugate directions (the same minimum in a fraction of the updates), in a few directions
            only and the rest in closed form where that is near enough, `fixed_step` takes `eta`, as published.
        eta: the step of `fixed_step`, η.
        tolerance: a level stops before n_upd when an update lowers the objective by less than this share of it;
            0 for n_upd updates, unless rounding is reached before. Not for `fixed_step`.
        centred: match the mean apart, transform what is left, and keep the result non-negative as the encoder's
            features are; else the paper's form, second moments about zero and nothing cut off.
        n_iter: how often the whole is repeated (the paper's n_iter).
        iterate: what n_iter repeats: the whole multi-level `pass` on its own output, or, within each `level`,
            the updates with the content term re-anchored at the result so far.
        gate: share of the skips let into the decoder: 0 none of the content's fine detail, 1 photo-realistic.
        nst_steps: most outer steps of L-BFGS, for NST.
        keep_colours: give the result the colours of the content; its light and texture stay those of the style.
        guided_radius: in pixels; above 0, the result is smoothed by a guided filter that keeps the content's edges.
        direction: `coarse_to_fine` transforms relu4_1 first, while decoding; `fine_to_coarse` transforms
            relu1_1 first, while encoding.
        form: `single_pass` encodes and decodes once; `cascade` runs the four autoencoders, one per level.
    """

    method: tuple[str, ...] = ("ift",) * 4
    alpha: tuple[float, ...] = (1.0,) * 4
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
    nst_steps: int = 100
    keep_colours: bool = False
    guided_radius: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):  # one form of each value, so that equal settings give equal text
            object.__setattr__(self, field.name, _parse(field.name, getattr(self, field.name)))
        if (self.strength is None) == (self.lambda_ is None):
            raise SettingsError("give either strength (κ, dimensionless) or lambda_ (the paper's λ), not both")
        for name in ("strength", "lambda_"):
            for value in getattr(self, name) or ():
                _require(math.isfinite(value) and value >= 0, name, value, "a finite number, 0 or more")
        for value in self.alpha:
            _require(0 <= value <= 1, "alpha", value, "a number from 0 (content) to 1")
        for count in self.n_upd:
            _require(0 <= count <= 100_000, "n_upd", count, "a whole number from 0 to 100000")
        _require(math.isfinite(self.eta) and self.eta > 0, "eta", self.eta, "a finite number above 0")
        _require(0 <= self.tolerance < 1, "tolerance", self.tolerance, "a number from 0 to below 1")
        _require(1 <= self.n_iter <= 1000, "n_iter", self.n_iter, "a whole number from 1 to 1000")
        _require(0 <= self.gate <= 1, "gate", self.gate, "a number from 0 (artistic) to 1 (photo-realistic)")
        _require(1 <= self.nst_steps <= 100_000, "nst_steps", self.nst_steps, "a whole number from 1 to 100000")
        _require(
            0 <= self.guided_radius <= 10_000, "guided_radius", self.guided_radius, "a whole number from 0 to 10000"
        )
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

    def leaves(self, level: int) -> bool:
        """Whether the features of a level (1 to 4) stay as they are."""
        return (self.n_upd if self.method[level - 1] == "ift" else self.alpha)[level - 1] == 0

    @property
    def method_name(self) -> str:
        """The method in one word where it has one, else per level."""
        return next((name for name in METHODS if _by_name(name) == self.method), ",".join(self.method))

    def to_json(self) -> str:
        """Canonical text: equal settings give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that `to_json` wrote."""
        return cls(**json.loads(text))


OPTIONS = tuple(field.name for field in fields(Settings))
"""The names that `Settings.from_options` takes, and that a manifest may have as columns."""

PER_LEVEL = ("alpha", "strength", "lambda_", "n_upd")
"""Those that take one number for all levels, or four in the order of `LEVELS`."""

_WHOLE = ("n_upd", "n_iter", "nst_steps", "guided_radius")

_CHOICES: dict[str, Any] = {"solver": Solver, "direction": Direction, "form": Form, "iterate": Iteration}


def _parse(name: str, value: Any) -> Any:
    try:
        return _PARSERS[name](value)
    except OverflowError as error:
        raise SettingsError(f"{name} is out of range: the number is far too large") from error
    except (TypeError, ValueError) as error:
        kind = "whole number" if name in _WHOLE else "number"
        raise SettingsError(f"{name} = {value!r} is not a {kind}{_per_level_hint(name)}") from error


def _per_level(name: str, value: Any, number: Callable[[Any], float]) -> tuple[float, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    values = tuple(number(part) for part in parts) if isinstance(parts, (list, tuple)) else (number(parts),)
    if len(values) not in (1, len(LEVELS)):
        raise SettingsError(f"{name} has {len(values)} values{_per_level_hint(name)}")
    return values * len(LEVELS) if len(values) == 1 else values


def _per_level_hint(name: str) -> str:
    return f": give one number, or four for {', '.join(LEVELS)}" if name in PER_LEVEL else ""


def _by_name(method: str) -> tuple[str, ...]:
    return ("adain", "adain", "adain", "avatar") if method == "avatar" else (method,) * len(LEVELS)


def _methods(value: Any) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or len(parts) not in (1, len(LEVELS)):
        raise SettingsError(f"method = {value!r}: give one name, or four for {', '.join(LEVELS)}")
    unknown = [part for part in parts if part not in METHODS]
    if unknown:
        raise SettingsError(f"no method is named {unknown[0]!r}: choose one of {', '.join(METHODS)}")
    methods = _by_name(parts[0]) if len(parts) == 1 else tuple(parts)
    if "nst" in methods and len(set(methods)) > 1:
        raise SettingsError("nst works on pixels, not level by level: it cannot be mixed with other methods")
    if "avatar" in methods[:-1]:
        raise SettingsError("avatar matches patches at relu4_1 only: give it last, such as adain,adain,adain,avatar")
    return methods


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


def _truth(name: str, value: Any) -> bool:
    truths = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return truths[str(value).lower()]
    except KeyError:
        raise SettingsError(f"{name} = {value!r}: it must be true or false") from None


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise SettingsError(f"{name} = {value!r} is out of range: it must be {allowed}")


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "method": _methods,
    "alpha": lambda value: _per_level("alpha", value, _number),
    "strength": lambda value: None if value is None else _per_level("strength", value, _number),
    "lambda_": lambda value: None if value is None else _per_level("lambda_", value, _number),
    "n_upd": lambda value: _per_level("n_upd", value, _whole),
    **dict.fromkeys(("n_iter", "nst_steps", "guided_radius"), _whole),
    "centred": lambda value: _truth("centred", value),
    "keep_colours": lambda value: _truth("keep_colours", value),
    **dict.fromkeys(("eta", "gate", "tolerance"), _number),
    **dict.fromkeys(_CHOICES, str),
}

PRESETS = {
    "artistic": Settings(strength=(5.0,) * 4, n_upd=(20,) * 4, gate=0.3),
    "photo": Settings(strength=(1.0,) * 4, n_upd=(15,) * 4, gate=1.0),
}
"""Chosen by looking at many pictures, and by the evaluation's figures: a gate of 0.3 keeps far more of the content than
0 does, at hardly any loss of style; see docs/experiments."""
