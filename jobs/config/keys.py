"""The keys of a section of a configuration file, taken from the flags that stand for the same."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from ift.settings import PER_LEVEL
from jobs.storage.uris import scheme

_PATHS = {
    "manifest", "output", "allow_prefix", "weights", "vgg19", "contents", "styles", "content_masks", "style_masks",
    "log_json",
}  # fmt: skip
_STDOUT = "-"
_NUMBERS = {name.rstrip("_") for name in PER_LEVEL}  # per level, and not texts
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Key:
    """What may be said under one name.

    Attributes:
        name: in the file: the flag's, with underscores.
        parameter: of the function that takes the value.
        kind: str, int, float or bool.
        many: whether it is a list of these.
        levels: whether it is one value for all levels or a list of four, for a flag that takes them as text.
        path: whether it names a file or folder, which then is relative to that of the configuration file.
        flags: what sets it on a command line; of a choice the flag for true and the one for false.
        required: whether a value must come from somewhere.
        default: None for no value.
        help: the flag's.
        least: of a number.
        most: of a number.
    """

    name: str
    parameter: str
    kind: type
    many: bool
    levels: bool
    path: bool
    flags: tuple[str, ...]
    required: bool
    default: Any
    help: str
    least: float | None
    most: float | None

    @property
    def wanted(self) -> str:
        """What a value must be, in plain words."""
        bounds = f" from {self.least:g}" if self.least is not None else ""
        bounds += f" to {self.most:g}" if self.most is not None else " on" if bounds else ""
        kind = _KINDS[self.kind] + bounds
        if self.levels:
            return f"{kind}, a number, or a list of four" if self.name in _NUMBERS else f"{kind}, or a list of four"
        return f"a list of {kind}s" if self.many else kind

    def parse(self, value: Any) -> Any:
        """The value for the parameter; paths stay as they are.

        Raises:
            ValueError: it is of another type, or out of bounds.
        """
        if self.levels and not isinstance(value, str):
            return ",".join(map(self._level, value if isinstance(value, list) else [value]))
        if self.many:
            if not isinstance(value, list):
                raise ValueError(value)
            return [self._one(each) for each in value]
        return self._one(value)

    def words(self, value: Any) -> Iterator[str]:
        """The value on a command line."""
        if self.kind is bool:
            yield self.flags[0 if value else 1]
            return
        for each in value if self.many else [value]:
            yield from (self.flags[0], str(each))

    def placed(self, value: Any, place: Callable[[str], str]) -> Any:
        """The value with `place` applied to its paths, where they are those of local files."""
        if not self.path or value is None:
            return value
        if self.many:
            return [each if scheme(each) else place(each) for each in value]
        return value if scheme(value) or value == _STDOUT else place(value)

    def _one(self, value: Any) -> Any:
        if self.kind is float and type(value) is int:
            value = float(value)
        fits = isinstance(value, self.kind) and isinstance(value, bool) == (self.kind is bool)
        if not fits or value == "":
            raise ValueError(value)
        if self.kind in (int, float):
            self._check_bounds(value)
        return value

    def _check_bounds(self, number: float) -> None:
        least = -math.inf if self.least is None else self.least
        most = math.inf if self.most is None else self.most
        if not (least <= number <= most and math.isfinite(number)):
            raise ValueError(number)

    def _level(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float) if self.name in _NUMBERS else str):
            raise ValueError(value)
        return str(value)


def keys_of(group: Callable[..., object]) -> dict[str, Key]:
    """A key for each parameter of a function whose parameters are annotated as flags."""
    signature = inspect.signature(group, eval_str=True)
    keys = map(_key, signature.parameters.values())
    return {key.name: key for key in keys}


def _key(parameter: inspect.Parameter) -> Key:
    """Reads what typer is told of a flag."""
    assert get_origin(parameter.annotation) is Annotated
    annotated, option = get_args(parameter.annotation)
    (whole,) = (
        set(get_args(annotated) or [annotated]) - {NoneType} if get_origin(annotated) is not list else [annotated]
    )
    many = get_origin(whole) is list
    kind = get_args(whole)[0] if many else whole
    # Within Annotated, typer keeps the first of the given names in the place of the default.
    given = option.default if isinstance(option.default, str) else ""
    flags = tuple(given.split("/")) if given else ()
    if not flags:
        flag = parameter.name.replace("_", "-")
        flags = (f"--{flag}", f"--no-{flag}") if kind is bool else (f"--{flag}",)
    name = flags[0].removeprefix("--").replace("-", "_")
    required = parameter.default is inspect.Parameter.empty
    return Key(
        name=name,
        parameter=parameter.name,
        kind=kind,
        many=many,
        levels=name in _NUMBERS | {"method"},
        path=name in _PATHS,
        flags=flags,
        required=required,
        default=None if required else parameter.default,
        help=" ".join(option.help.split()),
        least=option.min,
        most=option.max,
    )
