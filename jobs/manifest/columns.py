"""Parquet, CSV and JSONL files as batches of columns, in which each distinct value stands once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from posixpath import splitext
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from jobs.errors import ManifestError
from jobs.manifest.problems import listed, shortened, shown
from jobs.manifest.values import ALIASES, KNOWN, LISTS, LONGEST_LIST

_ROWS = 1 << 15  # of a batch
_BYTES = 1 << 24  # of a batch, so that long values do not add up, and of the longest row of a text file
_VALUES = 1 << 26  # of a column in a row group; more are fine if that has very many rows
_BUFFER = 1 << 20  # bytes read at a time
_SHOWN_NAMES = 20
_LONGEST_NAME = 200  # characters kept of the name of a column that means nothing
_STRADDLING = "straddling object"  # how pyarrow says that a row is longer than a block


class Column(NamedTuple):
    """The values of one column in a batch of rows.

    Attributes:
        values: what stands there, each distinct value at least once; never None.
        codes: of each row the place of its value, -1 where there is none; (rows,) int64.
    """

    values: list[Any]
    codes: np.ndarray


class Batch(NamedTuple):
    """Rows `first` to `first + rows` of a manifest: the columns that mean something, by their proper names."""

    first: int
    rows: int
    columns: dict[str, Column]


class Vocabulary(NamedTuple):
    """The columns of a kind of table.

    Attributes:
        required: that it must have.
        known: all that mean something.
        kind: what such a file is called in messages.
        example: of a line of JSON, for messages.
    """

    required: tuple[str, ...]
    known: tuple[str, ...]
    kind: str
    example: str


MANIFEST = Vocabulary(("content", "style"), KNOWN, "a manifest", '{"content": "a.jpg", "style": "b.jpg"}')


class Table:
    """A manifest file, or another table of pairs, read in batches; memory is flat in the number of rows.

    Attributes:
        names: of the columns. Those of a JSONL file are known only after all batches were read, and of its columns
            that mean nothing only the first are kept.
        rows: number of rows read so far.
    """

    def __init__(self, uri: str, file: Path, words: Vocabulary = MANIFEST) -> None:
        """Takes a local file; `uri` stands for it in messages, and `words` are the columns that it may have.

        Raises:
            ManifestError: it is neither Parquet nor CSV nor JSONL by its name or its first bytes.
        """
        self.names: list[str] = []
        self.rows = 0
        self._uri = uri
        self._file = file
        self._words = words
        self._kind = _kind(uri, file, words)

    def batches(self) -> Iterator[Batch]:
        """All rows, some ten thousand at a time.

        Raises:
            ManifestError: the file is damaged, lacks a column, or has no rows.
        """
        try:
            batches = _READERS[self._kind](self._file, self.names, self._words)
            if self.names:
                self._check_names()
            for rows, columns in batches:
                self._check_doubles()
                yield Batch(self.rows, rows, {ALIASES.get(name, name): column for name, column in columns.items()})
                self.rows += rows
        except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
            raise ManifestError(f"{self._uri} cannot be read as {self._kind}: {_words(error)}") from error
        if self.rows or self.names:
            self._check_names()
        if not self.rows:
            words = "has no rows: write one for each pair, with at least a content and a style"
            raise ManifestError(f"{self._uri} {words}")

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines worth printing: which columns are ignored, and which of them look misspelt."""
        ignored = [name for name in self.names if name not in self._words.known]
        hints = _hints(self.names, self._words.known)
        return (f"ignored columns: {listed(ignored, _SHOWN_NAMES)}", *hints) if ignored else ()

    def _check_names(self) -> None:
        self._check_doubles()
        missing = [name for name in self._words.required if name not in self.names]
        if missing:
            there = f"the columns there are {listed(self.names, _SHOWN_NAMES)}"
            raise ManifestError(
                f"{self._uri} has no column {' and no column '.join(missing)}: name the columns that hold the pictures"
                f" so ({'; '.join([there, *_hints(self.names, self._words.known)])})"
            )

    def _check_doubles(self) -> None:
        counts = Counter(ALIASES.get(name, name) for name in self.names if name in self._words.known)
        for name, count in counts.items():
            if count > 1:
                raise ManifestError(f"{self._uri} has {count} columns that mean {name}: keep one of them")


def _kind(uri: str, file: Path, words: Vocabulary) -> str:
    kind = KINDS.get(splitext(uri)[1].lower())
    if kind is None:
        with file.open("rb") as start:
            if start.read(4) == b"PAR1":
                return "parquet"
        raise ManifestError(f"{uri} is not {words.kind}: give a Parquet, CSV or JSONL file ({', '.join(KINDS)})")
    return kind


def _hints(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Which of the first columns look like a misspelt name of another."""
    free = [name for name in known if name not in names]
    near = {
        name: get_close_matches(name[:_LONGEST_NAME].strip().lower(), free, 1, 0.8)
        for name in names[:_SHOWN_NAMES]
        if name not in known
    }
    return [f"column {shown(name)}: did you mean {match[0]!r}?" for name, match in near.items() if match]


def _words(error: BaseException) -> str:
    if _STRADDLING in str(error):
        return f"a row is longer than {_BYTES >> 20} MiB: look for a double quote that is never closed"
    return shortened(str(error)) or type(error).__name__


# One reader for each kind: it fills in the names, at once where the file says them, and gives numbers of rows and the
# columns that mean something

_Batches = Iterator[tuple[int, dict[str, Column]]]


def _read_parquet(file: Path, names: list[str], words: Vocabulary) -> _Batches:
    schema = pa.parquet.read_schema(file)
    names.extend(schema.names)
    known = [name for name in dict.fromkeys(names) if name in words.known]
    for field in schema:
        if field.name in words.known and not _is_plain(field.type):
            kind = shortened(str(field.type))
            raise ValueError(f"column {field.name} holds {kind}: write text, numbers, or lists of them")
    return _parquet_batches(file, known)


def _parquet_batches(file: Path, known: list[str]) -> _Batches:
    leaves = pa.parquet.read_metadata(file).schema
    paths = [leaves.column(index).path for index in range(len(leaves)) if _is_text(leaves.column(index))]
    # Texts stay encoded as they are in the file, where the same long one may stand very often.
    encoded = [path for path in paths if path.split(".")[0] in known]
    with pa.parquet.ParquetFile(file, read_dictionary=encoded, buffer_size=_BUFFER) as source:
        for number in range(source.num_row_groups):
            size = _batch_rows(source.metadata.row_group(number), known)
            for batch in source.iter_batches(size, [number], known):
                yield batch.num_rows, {name: _of_arrow(batch.column(name)) for name in known}


def _is_text(leaf: Any) -> bool:
    return str(leaf.physical_type) == "BYTE_ARRAY" and leaf.converted_type != "DECIMAL"


def _batch_rows(group: Any, known: list[str]) -> int:
    """As many rows of a row group as need some memory, however long or many the values of one row are."""
    size = 0
    for chunk in (group.column(index) for index in range(group.num_columns)):
        name = chunk.path_in_schema.split(".")[0]
        if name in known:
            if chunk.num_values > max(_VALUES, 8 * group.num_rows):  # some bytes can say any number of equal values
                raise ValueError(f"column {name} has {chunk.num_values} values in one row group: write smaller ones")
            size += max(chunk.total_uncompressed_size, 8 * chunk.num_values)
    return int(min(max(_BYTES * group.num_rows // max(size, 1), 1), _ROWS))


def _read_csv(file: Path, names: list[str], words: Vocabulary) -> _Batches:
    """Every cell is text, an empty one is null, and ';' separates what there is of several styles."""
    with file.open("rb") as stream:
        start = pa.BufferReader(stream.read(_BYTES))  # a reader of the file would read on
    with _open_csv(start, pa.csv.ConvertOptions(), [], _BYTES) as reader:
        names.extend(reader.schema.names)
    return _csv_batches(file, [name for name in dict.fromkeys(names) if name in words.known])


def _csv_batches(file: Path, known: list[str]) -> _Batches:
    options = pa.csv.ConvertOptions(
        include_columns=known,
        column_types=dict.fromkeys(known, pa.binary()),  # so that what is not UTF-8 can be told with its row
        null_values=[""],
        strings_can_be_null=True,
    )
    for block in _csv_blocks(file, options):
        for start in range(0, block.num_rows, _ROWS):
            batch = block.slice(start, _ROWS)
            columns = {name: _of_arrow(batch.column(name)) for name in known}
            yield batch.num_rows, {n: _split(column) if n in LISTS else column for n, column in columns.items()}


def _csv_blocks(file: Path, options: pa.csv.ConvertOptions) -> Iterator[pa.RecordBatch]:
    """The rows in small blocks, for the reader keeps dozens; from a long row on, which needs a large one, in those."""
    rows = 0
    for size in (_BUFFER, _BYTES):
        ragged: list[pa.csv.InvalidRow] = []
        try:
            with _open_csv(file, options, ragged, size) as reader:
                known = 0
                for block in reader:
                    _refuse_ragged(ragged)
                    known += block.num_rows
                    if known > rows:
                        yield block.slice(max(block.num_rows - (known - rows), 0))
                        rows = known
            _refuse_ragged(ragged)
            return
        except pa.ArrowInvalid as error:
            if size == _BYTES or _STRADDLING not in str(error):
                raise


def _open_csv(
    source: Path | pa.BufferReader, options: pa.csv.ConvertOptions, ragged: list[pa.csv.InvalidRow], block_size: int
) -> pa.csv.CSVStreamingReader:
    def skip(row: pa.csv.InvalidRow) -> str:
        ragged[:] = ragged or [row]
        return "skip"

    return pa.csv.open_csv(
        source,
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=block_size),  # with threads no row has a number
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=options,
    )


def _refuse_ragged(ragged: list[pa.csv.InvalidRow]) -> None:
    if ragged:
        raise ValueError(
            f"row {ragged[0].number - 2} (counting from 0), value {shown(ragged[0].text)}: has"
            f" {ragged[0].actual_columns} cells for {ragged[0].expected_columns} columns: write one cell for each,"
            " and put a cell that holds commas into double quotes"
        )


def _split(column: Column) -> Column:
    values = [
        [part.strip() for part in cell.split(";")] if isinstance(cell, str) and ";" in cell else cell
        for cell in column.values
    ]
    return Column(values, column.codes)


def _read_jsonl(file: Path, names: list[str], words: Vocabulary) -> _Batches:
    """One object a line.

    pyarrow's JSON reader wants one type a column, and takes some texts for times; here a style may be a text in
    one row and a list in the next.
    """
    known = frozenset(words.known)
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    size = 0
    for number, line in _lines(file):
        row = _object(number, line, words)
        if not row.keys() <= seen:
            _note_names(row, names, known)
            seen.update(names)
        rows.append({name: row[name] for name in row.keys() & known})
        size += len(line)
        if len(rows) == _ROWS or size >= _BYTES:
            yield len(rows), _of_objects(rows, [name for name in names if name in known])
            rows, size = [], 0
    if rows:
        yield len(rows), _of_objects(rows, [name for name in names if name in known])


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, by their numbers from 1."""
    with file.open("rb") as stream:
        number = 0
        while line := stream.readline(_BYTES + 1):
            number += 1
            if len(line) > _BYTES:
                raise ValueError(f"line {number} is longer than {_BYTES >> 20} MiB: write one object a line")
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.strip():
                yield number, line


def _object(number: int, line: bytes, words: Vocabulary) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except RecursionError:
        raise ValueError(f"line {number} is nested too deeply: write one plain object a line") from None
    except ValueError as error:
        raise ValueError(f"line {number} is not JSON ({shortened(str(error))}): write one object a line") from error
    if not isinstance(row, dict):
        raise ValueError(f"line {number} is {shown(row)}: write one object a line, such as {words.example}")
    return row


def _note_names(row: Iterable[str], names: list[str], known: frozenset[str]) -> None:
    """Adds new names of columns; of those that mean nothing only the first, for each row may have others."""
    for name in (name[:_LONGEST_NAME] for name in row):
        if name not in names and (name in known or len(names) <= _SHOWN_NAMES + len(known)):
            names.append(name)


_READERS: dict[str, Callable[[Path, list[str], Vocabulary], _Batches]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "jsonl": _read_jsonl,
}
KINDS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


# Distinct values


def _is_plain(kind: pa.DataType) -> bool:
    """Whether a column of a Parquet file holds what a manifest may: texts, numbers, truth values, or lists of them."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_boolean,
        pa.types.is_null,
    )
    return any(test(kind) for test in tests)


def _of_arrow(array: pa.Array) -> Column:
    if pa.types.is_null(array.type):
        return Column([], np.full(len(array), -1))
    if pa.types.is_nested(array.type):
        return _of_values(_lists(array))
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    dictionary = array.dictionary
    if len(dictionary) > len(codes):  # of a whole row group, of which this batch has few
        used, codes = np.unique(np.append(codes, -1), return_inverse=True)
        dictionary, codes = dictionary.take(pa.array(used[1:])), codes[:-1] - 1
    return Column(_scalars(dictionary), codes)


def _lists(array: pa.Array) -> list[Any]:
    """The lists of an array, in which equal texts are one object; of too long ones the start."""
    if (pc.max(pc.list_value_length(array)).as_py() or 0) > LONGEST_LIST:
        array = pc.list_slice(array, 0, LONGEST_LIST + 1)
    parts = _of_arrow(pc.list_flatten(array))
    lists: list[Any] = [[] if valid else None for valid in array.is_valid().to_pylist()]
    values = [*parts.values, None]  # the last is that of code -1
    for row, code in zip(pc.list_parent_indices(array).to_pylist(), parts.codes.tolist(), strict=True):
        lists[row].append(values[code])
    return lists


def _scalars(array: pa.Array) -> list[Any]:
    """Python's values; bytes where a text is not UTF-8."""
    try:
        values: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        values = array.cast(pa.binary()).to_pylist()
    return [_decoded(value) if isinstance(value, bytes) else value for value in values]


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _of_objects(rows: list[dict[str, Any]], names: Sequence[str]) -> dict[str, Column]:
    return {name: _of_values([row.get(name) for row in rows]) for name in names}


def _of_values(values: Sequence[Any]) -> Column:
    places: dict[Hashable, int] = {}
    distinct: list[Any] = []
    codes = np.full(len(values), -1)
    for row, value in enumerate(values):
        if value is not None:
            place = places.setdefault(value if type(value) is str else _key(value), len(distinct))
            if place == len(distinct):
                distinct.append(value)
            codes[row] = place
    return Column(distinct, codes)


def _key(value: Any) -> Hashable:
    """Equal for equal values of one type; what is too strange to compare is always distinct."""
    key = (list, *((type(part), part) for part in value)) if isinstance(value, list) else (type(value), value)
    try:
        hash(key)
    except TypeError:
        return object()
    return key
