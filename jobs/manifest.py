"""A manifest of content/style pairs: from a Parquet, CSV or JSONL file to rows that are ready to plan."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from posixpath import basename, splitext
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ift.errors import SettingsError
from ift.label_mask import is_label, label_of
from ift.settings import OPTIONS, PRESETS, WITHOUT_MASKS, Settings
from jobs.errors import ManifestError, StorageError
from jobs.storage import check_key, read_uri, resolve_uri
from jobs.storage.uris import local_path, scheme, split_s3

OUTPUT_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""How the name of an output may end."""

IMAGES = "images/"
"""The folder of the outputs, in the store of the job."""

MIN_RESOLUTION, MAX_RESOLUTION = 16, 100_000
"""The range of `resolution` and `style_resolution`, in pixels."""

LABEL = "label:"
"""How a style's mask begins that is one label for the whole picture, such as label:256; no resolved URI does."""

_Mask = int | str | None
"""Of a style: the label of the whole picture, a reference to a label image, or None: the style of every label."""

_LISTS = ("style", "style_weight", "style_mask")
_ALIASES = {"lambda": "lambda_"}
_ALTERNATIVES = {"strength": "lambda_", "lambda_": "strength"}
_PAIR_ID = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,200}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_SHOWN_ERRORS = 10
_SHOWN = 20  # columns


@dataclass(frozen=True)
class Defaults:
    """What the job's own options say for every row that does not say otherwise.

    Attributes:
        preset: a name in `ift.PRESETS`.
        options: values by the names in `ift.OPTIONS`; None means "not given".
        resolution: target size of the content in pixels; None for its own size.
        style_resolution: the same for the style; None for that of the content.
    """

    preset: str = "artistic"
    options: Mapping[str, object] = field(default_factory=dict)
    resolution: int | None = None
    style_resolution: int | None = None


@dataclass(frozen=True)
class Pair:
    """One validated row.

    Attributes:
        row: position in the manifest, from 0.
        pair_id: unique in the manifest and safe in a file name.
        content: the picture to stylize, as a resolved URI.
        styles: one or more style pictures, as resolved URIs.
        style_weights: the share of each style; they sum to 1.
        content_mask: a label image for the content, as a resolved URI; None for no spatial control.
        style_masks: of each style a label image, as a resolved URI, or the label of the whole picture, after `LABEL`;
            None where the picture is the style of every label.
        resolution: target size of the content in pixels; None for its own size.
        style_resolution: the same for the styles; that of the content where neither row nor job says.
        output: the key that the row asks for, relative to the job's images; None to derive it.
        method: the method of the settings in short, `Settings.method_name`.
        preset: the preset that the settings started from.
        settings: all settings, as `Settings.to_json` writes them.
    """

    row: int
    pair_id: str
    content: str
    styles: tuple[str, ...]
    style_weights: tuple[float, ...]
    content_mask: str | None
    style_masks: tuple[str | None, ...]
    resolution: int | None
    style_resolution: int | None
    output: str | None
    method: str
    preset: str
    settings: str


@dataclass(frozen=True)
class Manifest:
    """Every row of a manifest, in its order.

    Attributes:
        uri: where it was read from.
        pairs: one for each row.
        ignored_columns: names of the columns that mean nothing here.
        notes: lines worth printing: which columns are ignored, and which of them look misspelt.
    """

    uri: str
    pairs: list[Pair]
    ignored_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_manifest(uri: str, defaults: Defaults) -> Manifest:
    """Reads and validates a whole manifest.

    Args:
        uri: a local path or s3:// URI of a Parquet, CSV or JSONL file. Relative references in it are taken
            from its own place.
        defaults: what applies where a row gives nothing.

    Raises:
        ManifestError: not a manifest, or rows that cannot be used (up to ten of them in one message).
        SettingsError: the defaults contradict each other.
        StorageError: the file cannot be read.
    """
    Settings.from_options(defaults.preset, **defaults.options)
    if not scheme(uri):
        uri = str(Path(uri).absolute())  # workers run in other folders
    source = _read_columns(uri, read_uri(uri))
    _check_columns(uri, source)
    columns = {_ALIASES.get(name, name): values for name, values in source.values.items()}
    problems: dict[int, str] = {}
    parsed = {name: _parse_column(name, values, problems) for name, values in columns.items()}
    pairs = _pairs(uri, parsed, defaults, problems)
    if problems:
        raise ManifestError(_summary(uri, len(columns["content"]), problems))
    ignored = tuple(name for name in source.names if name not in source.values)
    notes = (f"ignored columns: {_listed(ignored)}", *_hints(source.names)) if ignored else ()
    return Manifest(uri, pairs, ignored, notes)


# Files to columns


class _Columns(NamedTuple):
    """The names of all columns, and the values (None where not given) of those that mean something."""

    names: list[str]
    values: dict[str, list[Any]]


def _read_columns(uri: str, data: bytes) -> _Columns:
    reader = _READERS.get(splitext(uri)[1].lower()) or (_read_parquet if data[:4] == b"PAR1" else None)
    if reader is None:
        raise ManifestError(f"{uri} is not a manifest: give a Parquet, CSV or JSONL file ({', '.join(_READERS)})")
    try:
        return reader(data)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"{uri} cannot be read as {reader.__name__.removeprefix('_read_')}: {error}") from error


def _read_parquet(data: bytes) -> _Columns:
    file = pa.parquet.ParquetFile(pa.BufferReader(data))
    names = list(file.schema_arrow.names)
    return _known(names, file.read(columns=[name for name in names if name in _KNOWN]))


def _read_csv(data: bytes) -> _Columns:
    """Every cell is text, an empty one is null, and ';' separates what there is of several styles."""
    text = dict.fromkeys(_KNOWN, pa.string())
    ragged: list[pa.csv.InvalidRow] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    table = pa.csv.read_csv(
        io.BytesIO(data),
        read_options=pa.csv.ReadOptions(use_threads=False),  # only then does a ragged row have a number
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pa.csv.ConvertOptions(column_types=text, null_values=[""], strings_can_be_null=True),
    )
    if ragged:
        raise ValueError(
            f"row {ragged[0].number - 2} (counting from 0), value {_shown(ragged[0].text)}: has"
            f" {ragged[0].actual_columns} cells for {ragged[0].expected_columns} columns: write one cell for each,"
            " and put a cell that holds commas into double quotes"
        )
    columns = _known(table.column_names, table)
    for name in set(_LISTS) & columns.values.keys():
        columns.values[name] = [
            [part.strip() for part in cell.split(";")] if cell and ";" in cell else cell
            for cell in columns.values[name]
        ]
    return columns


def _known(names: list[str], table: pa.Table) -> _Columns:
    return _Columns(names, {n: table.column(i).to_pylist() for i, n in enumerate(table.column_names) if n in _KNOWN})


def _read_jsonl(data: bytes) -> _Columns:
    """One object a line.

    pyarrow's JSON reader wants one type a column, and takes some texts for times; here a style may be a text in
    one row and a list in the next.
    """
    rows = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is not JSON ({error}): write one object a line") from error
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is {_shown(row)}: write one object a line, such as {_EXAMPLE_LINE}")
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _Columns(names, {name: [row.get(name) for row in rows] for name in names if name in _KNOWN})


_EXAMPLE_LINE = '{"content": "a.jpg", "style": "b.jpg"}'

_READERS: dict[str, Callable[[bytes], _Columns]] = {
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
}


def _check_columns(uri: str, source: _Columns) -> None:
    counts = Counter(_ALIASES.get(name, name) for name in source.names if name in _KNOWN)
    for name, count in counts.items():
        if count > 1:
            raise ManifestError(f"{uri} has {count} columns that mean {name}: keep one of them")
    missing = [name for name in ("content", "style") if name not in source.values]
    if missing and source.names:
        raise ManifestError(
            f"{uri} has no column {' and no column '.join(missing)}: name the columns that hold the pictures so"
            f" ({'; '.join([f'the columns there are {_listed(source.names)}', *_hints(source.names)])})"
        )
    if missing or not source.values["content"]:
        raise ManifestError(f"{uri} has no rows: write one for each pair, with at least a content and a style")


def _hints(names: Sequence[str]) -> list[str]:
    """Which of the first columns look like a misspelt name of another."""
    free = [name for name in _KNOWN if name not in names]
    near = {
        name: get_close_matches(name.strip().lower(), free, 1, 0.8) for name in names[:_SHOWN] if name not in _KNOWN
    }
    return [f"column {_shown(name)}: did you mean {match[0]!r}?" for name, match in near.items() if match]


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*map(_shown, names[:_SHOWN]), *(["…"] if len(names) > _SHOWN else [])])


# Values of one column: a parser takes a given value; its ValueError says what the value must be


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    if not value:
        raise ValueError("is empty: give a value, or null where the column is optional")
    if len(value) > 4096:
        raise ValueError(f"has {len(value)} characters: at most 4096 are allowed")
    if not value.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value):
        raise ValueError("has control characters or line breaks: remove them")
    return value


def _styles(value: Any) -> tuple[str, ...]:
    if value == []:
        raise ValueError("names no style: give at least one")
    if not isinstance(value, (str, list)):
        raise ValueError("must be text or a list of texts")
    return tuple(map(_text, [value] if isinstance(value, str) else value))


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


def _style_masks(value: Any) -> tuple[_Mask, ...]:
    if value == []:
        raise ValueError("names no mask: give one for each style, or null for the whole column")
    return tuple(map(_style_mask, value if isinstance(value, list) else [value]))


def _style_mask(value: Any) -> _Mask:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise ValueError("must be a label image, a label such as red or 3, or none, for each style")
    text = _text(str(value))
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
        if isinstance(value, str):
            return parse_hashable(_text(value))
        try:
            return parse_hashable(tuple(value) if isinstance(value, list) else value)
        except TypeError:
            raise ValueError("must be a number, a list of numbers, or text such as '1,2,3,4'") from None

    return parse


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
    "preset": _preset,
    **{name: _option(name) for name in OPTIONS},
}

_KNOWN = (*_PARSERS, *_ALIASES)


def _parse_column(name: str, values: list[Any], problems: dict[int, str]) -> list[Any]:
    """The parsed values; what cannot be parsed becomes None, and a problem of its row."""
    parse, required = _PARSERS[name], name in ("content", "style")
    parsed = []
    for row, value in enumerate(values):
        result = None
        if value is not None:
            try:
                result = parse(value)
            except ValueError as error:
                problems.setdefault(row, _problem(row, name, value, str(error)))
        elif required:
            problems.setdefault(row, _problem(row, name, value, "is missing: name a picture, or remove the row"))
        parsed.append(result)
    return parsed


# Columns to pairs


class _Row(NamedTuple):
    """What a row gives, parsed: its options, and the other columns by their names."""

    options: dict[str, Any]
    content: str
    style: tuple[str, ...]
    pair_id: str | None
    style_weight: tuple[float, ...] | None
    content_mask: str | None
    style_mask: tuple[_Mask, ...] | None
    resolution: int | None
    style_resolution: int | None
    output: str | None
    preset: str | None


class _RowError(Exception):
    """What is wrong with a row as a whole: the column(s), the value and the reason."""


def _pairs(uri: str, columns: Mapping[str, list[Any]], defaults: Defaults, problems: dict[int, str]) -> list[Pair]:
    """The rows without a problem, as pairs; what is wrong with a row as a whole joins the problems."""
    make = _PairMaker(uri, defaults)
    pairs = []
    for number, row in enumerate(_rows(columns)):
        if number not in problems:
            try:
                pairs.append(make(number, row))
            except _RowError as error:
                problems[number] = _problem(number, *error.args)
    return pairs


def _rows(columns: Mapping[str, list[Any]]) -> Iterator[_Row]:
    nothing = [None] * len(columns["content"])
    options = {name: columns[name] for name in OPTIONS if name in columns}
    plain = [columns.get(name, nothing) for name in _Row._fields if name != "options"]
    for number, values in enumerate(zip(*plain, strict=True)):
        given = {name: column[number] for name, column in options.items() if column[number] is not None}
        yield _Row(given, *values)


class _PairMaker:
    """Makes pairs of rows, and remembers what must not come twice or need not be worked out twice."""

    def __init__(self, uri: str, defaults: Defaults) -> None:
        self._uri = uri
        self._defaults = defaults
        self._resolved: dict[str, str] = {}
        self._settings: dict[tuple[object, ...], tuple[Settings, str]] = {}
        self._outputs: dict[str, int] = {}
        self._ids: dict[str, tuple[int, str | None]] = {}

    def __call__(self, number: int, row: _Row) -> Pair:
        """The pair of a row; `_RowError` if there cannot be one."""
        weights, masks = _shares(row), _masks(row)
        settings, text = self._settings_of(row)
        if row.content_mask is not None and set(WITHOUT_MASKS) & set(settings.method):
            reason = f"the method {settings.method_name} takes no masks: choose another, or remove the masks"
            raise _RowError("content_mask", row.content_mask, reason)
        content = self._resolve("content", row.content)
        styles = tuple(self._resolve("style", style) for style in row.style)
        if row.output is not None and self._outputs.setdefault(row.output, number) != number:
            other = self._outputs[row.output]
            raise _RowError("output", row.output, f"row {other} has it too: give each row its own")
        resolution = row.resolution or self._defaults.resolution
        return Pair(
            row=number,
            pair_id=self._id_of(number, row, weights, masks),
            content=content,
            styles=styles,
            style_weights=weights,
            content_mask=self._resolve_mask("content_mask", row.content_mask),
            style_masks=tuple(self._resolve_mask("style_mask", mask) for mask in masks),
            resolution=resolution,
            style_resolution=row.style_resolution or self._defaults.style_resolution or resolution,
            output=row.output,
            method=settings.method_name,
            preset=row.preset or self._defaults.preset,
            settings=text,
        )

    def _resolve(self, column: str, reference: str) -> str:
        if reference not in self._resolved:
            try:
                uri = resolve_uri(reference, self._uri)
                if scheme(uri):  # refuse what no worker could read
                    split_s3(uri) if scheme(uri) == "s3" else local_path(uri)
            except StorageError as error:
                raise _RowError(column, reference, str(error)) from error
            self._resolved[reference] = uri
        return self._resolved[reference]

    def _resolve_mask(self, column: str, mask: _Mask) -> str | None:
        if isinstance(mask, int):
            return f"{LABEL}{mask}"
        return None if mask is None else self._resolve(column, mask)

    def _settings_of(self, row: _Row) -> tuple[Settings, str]:
        """The settings, and the text of them."""
        key = (row.preset, *row.options.items())
        if key not in self._settings:
            # A row that gives λ does not want the job's strength beside it, and the other way round.
            replaced = {_ALTERNATIVES.get(name) for name in row.options}
            options = {name: value for name, value in self._defaults.options.items() if name not in replaced}
            try:
                settings = Settings.from_options(row.preset or self._defaults.preset, **{**options, **row.options})
            except SettingsError as error:
                raise _RowError(", ".join(row.options), tuple(row.options.values()), str(error)) from error
            self._settings[key] = settings, settings.to_json()
        return self._settings[key]

    def _id_of(self, number: int, row: _Row, weights: tuple[float, ...], masks: tuple[_Mask, ...]) -> str:
        digest = None if row.pair_id else _digest(row, weights, masks)
        pair_id = row.pair_id or _derived_id(row, digest or "")
        other, other_digest = self._ids.setdefault(pair_id, (number, digest))
        if other == number:
            return pair_id
        if digest and digest == other_digest:
            reason = f"rows {other} and {number} are the same pair: remove one, or give them different pair_id"
            raise _RowError("content and style", (row.content, *row.style), reason)
        raise _RowError("pair_id", pair_id, f"row {other} has it too: give each row its own")


def _shares(row: _Row) -> tuple[float, ...]:
    if row.style_weight is None:
        return (1 / len(row.style),) * len(row.style)
    if len(row.style_weight) != len(row.style):
        reason = f"there are {len(row.style)} styles: give one weight for each"
        raise _RowError("style_weight", list(row.style_weight), reason)
    return row.style_weight


def _masks(row: _Row) -> tuple[_Mask, ...]:
    masks = row.style_mask or (None,) * len(row.style)
    if len(masks) != len(row.style):
        reason = f"there are {len(row.style)} styles: give one mask for each, none where a style is that of every label"
        raise _RowError("style_mask", list(masks), reason)
    if row.content_mask is None and set(masks) != {None}:
        raise _RowError("style_mask", list(masks), "means nothing without content_mask: give both, or neither")
    return masks


def _digest(row: _Row, weights: tuple[float, ...], masks: tuple[_Mask, ...]) -> str:
    """Of what the row itself says, so that neither moving the folder nor an option of the job changes it."""
    said = (
        row.content,
        row.style,
        weights,
        row.resolution,
        row.style_resolution,
        row.preset,
        sorted(row.options.items()),
        *(() if row.content_mask is None else (row.content_mask, masks)),
    )
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _derived_id(row: _Row, digest: str) -> str:
    more = "-more" if len(row.style) > 1 else ""
    return f"{_stem(row.content)}-{_stem(row.style[0])}{more}-{digest[:10]}"


def _stem(reference: str) -> str:
    return _UNSAFE.sub("_", splitext(basename(reference))[0])[:40]


# Messages


def _problem(row: int, column: str, value: object, reason: str) -> str:
    return f"row {row} (counting from 0), column {column}, value {_shown(value)}: {reason}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _summary(uri: str, rows: int, problems: Mapping[int, str]) -> str:
    lines = [problems[row] for row in sorted(problems)[:_SHOWN_ERRORS]]
    first = f"; the first {len(lines)}" if len(problems) > len(lines) else ""
    return "\n  ".join([f"{uri}: {len(problems)} of {rows} rows cannot be used{first}:", *lines])
