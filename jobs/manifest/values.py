"""Values of one column: a parser takes a given value, and its ValueError says what the value must be."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from posixpath import splitext
from typing import Any

from ift.errors import SettingsError
from ift.labels import is_label, label_of
from ift.settings import OPTIONS, PRESETS, Settings
from jobs.errors import StorageError
from jobs.storage import check_key

OUTPUT_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""How the name of an output may end."""

IMAGES = "images/"
"""The folder of the outputs, in the store of the job."""

MIN_RESOLUTION, MAX_RESOLUTION = 16, 100_000
"""The range of `resolution` and `style_resolution`, in pixels."""

Mask = int | str | None
"""Of a style: the label of the whole picture, a reference to a label image, or None: the style of every label."""

_PAIR_ID = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,200}")
_LONGEST_TEXT, _LONGEST_NAME = 4096, 200  # characters

LONGEST_LIST = 1000
"""Most values in a list."""


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        raise ValueError("is not UTF-8: save the file as UTF-8")
    if not isinstance(value, str):
        raise ValueError("must be text")
    if not value:
        raise ValueError("is empty: give a value, or null where the column is optional")
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"has {len(value)} characters: at most {_LONGEST_TEXT} are allowed")
    if not value.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value):
        raise ValueError("has control characters or line breaks: remove them")
    return value


def _styles(value: Any) -> tuple[str, ...]:
    if value == []:
        raise ValueError("names no style: give at least one")
    if not isinstance(value, (str, bytes, list)):
        raise ValueError("must be text or a list of texts")
    return tuple(map(_text, value if isinstance(value, list) else [value]))


def _weights(value: Any) -> tuple[float, ...]:
    try:
        weights = tuple(map(_number, value if isinstance(value, list) else [value]))
    except ValueError:
        weights = ()
    if not weights or not all(0 < weight < math.inf for weight in weights):
        raise ValueError("must be a positive finite number for each style")
    largest = max(weights)  # first to at most 1, so that no sum overflows
    total = math.fsum(weight / largest for weight in weights)
    return tuple(weight / largest / total for weight in weights)


def _style_masks(value: Any) -> tuple[Mask, ...]:
    if value == []:
        raise ValueError("names no mask: give one for each style, or null for the whole column")
    return tuple(map(_style_mask, value if isinstance(value, list) else [value]))


def _style_mask(value: Any) -> Mask:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        return None
    if isinstance(value, bool) or not isinstance(value, (str, bytes, int)) or value == "":
        raise ValueError("must be a label image, a label such as red or 3, or none, for each style")
    text = _text(value if isinstance(value, bytes) else str(value))
    return label_of(text) if is_label(text) else text


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise ValueError("must be a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _resolution(value: Any) -> int:
    try:
        number = _number(value)
    except ValueError:
        number = math.nan
    if not (number.is_integer() and MIN_RESOLUTION <= number <= MAX_RESOLUTION):
        raise ValueError(
            f"must be a whole number of pixels from {MIN_RESOLUTION} to {MAX_RESOLUTION}, or null for the job's default"
        )
    return int(number)


def _pair_id(value: Any) -> str:
    if not isinstance(value, str) or not _PAIR_ID.fullmatch(value):
        raise ValueError(
            "must be text of 1 to 200 letters A-Z a-z, digits and . _ - that does not start with '.',"
            " or null for a derived one"
        )
    return value


def _output(value: Any) -> str:
    key = _text(value)
    if splitext(key)[1].lower() not in OUTPUT_SUFFIXES:
        raise ValueError(f"must end with one of {' '.join(OUTPUT_SUFFIXES)}")
    try:
        check_key(IMAGES + key)
    except StorageError as error:
        raise ValueError(f"must be a path below the job's images: {error}") from error
    return key


def _name(value: Any) -> str:
    """Of a class or a group, which may be a number."""
    name = _text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"has {len(name)} characters: at most {_LONGEST_NAME} are allowed")
    return name


def _preset(value: Any) -> str:
    if not isinstance(value, str) or value not in PRESETS:
        raise ValueError(f"is not a preset: choose one of {', '.join(PRESETS)}, or leave it null")
    return value


def _option(name: str) -> Callable[[Any], Any]:
    """A parser of one of `ift.OPTIONS`, to the value that the settings would have: the same from every format."""

    @lru_cache(maxsize=4096, typed=True)
    def parse_hashable(value: Any) -> Any:
        try:
            return getattr(Settings.from_options(**{name: value}), name)
        except (SettingsError, OverflowError) as error:
            raise ValueError(str(error)) from error

    def parse(value: Any) -> Any:
        if isinstance(value, (str, bytes)):
            return parse_hashable(_text(value))
        try:
            return parse_hashable(tuple(value) if isinstance(value, list) else value)
        except TypeError:
            raise ValueError("must be a number, a list of numbers, or text such as '1,2,3,4'") from None

    return parse


def parse(name: str, value: Any) -> Any:
    """What a value in the column `name` means; ValueError says what it must be."""
    if isinstance(value, list) and len(value) > LONGEST_LIST:
        raise ValueError(f"has more than {LONGEST_LIST} values: give fewer")
    return _PARSERS[name](value)


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "content": _text,
    "style": _styles,
    "pair_id": _pair_id,
    "style_weight": _weights,
    "content_mask": _text,
    "style_mask": _style_masks,
    "resolution": _resolution,
    "style_resolution": _resolution,
    "output": _output,
    "label": _name,
    "group": _name,
    "preset": _preset,
    **{name: _option(name) for name in OPTIONS},
}
ALIASES = {"lambda": "lambda_"}
"""Other names of columns."""

KNOWN = (*_PARSERS, *ALIASES)
"""The names of all columns of a manifest that mean something."""

LISTS = ("style", "style_weight", "style_mask")
"""Columns that hold one value for each of several styles."""
