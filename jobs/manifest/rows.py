"""Rows of a manifest, checked and put into Arrow batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ift.settings import OPTIONS
from jobs.errors import StorageError
from jobs.manifest.columns import Batch, Column
from jobs.manifest.problems import Problems, problem
from jobs.manifest.recipes import Defaults, Recipe, RecipeBook, RowError, Wanted, derived_id, stem
from jobs.manifest.values import parse
from jobs.storage import check_allowed, resolve_uri
from jobs.storage.uris import local_path, scheme, split_s3

ROWS = pa.schema(
    {
        "row": pa.int64(),
        "pair_id": pa.string(),
        "derived": pa.bool_(),
        "content": pa.string(),
        "content_mask": pa.string(),
        "output": pa.string(),
        "label": pa.string(),
        "group": pa.string(),
        "recipe": pa.int64(),
    }
)
"""Of each usable row its place in the manifest, from 0; its id, and whether that was derived; content and content
mask, as resolved URIs; the key that it asks for, relative to the job's images; its label; its group; and the
number of its recipe."""

_REQUIRED = ("content", "style")
_OF_RECIPE = ("style", "style_weight", "style_mask", "resolution", "style_resolution", "preset")
_RESOLVED, _SHORT = 1 << 16, 256  # references that are remembered, if they have at most so many characters
_encode = json.JSONEncoder().encode


class Checked(NamedTuple):
    """The usable rows of a batch, a table of `ROWS`; and the recipes that no earlier batch had."""

    rows: pa.Table
    recipes: list[Recipe]


class Checker:
    """Checks batch after batch; what is wrong with a row joins the problems.

    Attributes:
        problems: of all rows so far.
    """

    def __init__(self, uri: str, defaults: Defaults, allowed: Sequence[str], problems: Problems) -> None:
        """Takes the manifest's place, what applies where a row gives nothing, and below what pictures must lie.

        Raises:
            SettingsError: the defaults contradict each other.
        """
        self.problems = problems
        self._resolve = resolver(uri, allowed)
        self._book = RecipeBook(defaults, self._resolve_for_recipe)

    def check(self, batch: Batch) -> Checked:
        """The usable rows of a batch."""
        rows = _Rows(batch, self.problems)
        nothing = Column([], np.full(batch.rows, -1))
        given = {**batch.columns, **{name: nothing for name in _REQUIRED if name not in batch.columns}}
        columns = {name: rows.mapped(name, column, partial(parse, name)) for name, column in given.items()}
        said, said_mask = columns["content"], columns.get("content_mask", nothing)
        group = columns.get("group", nothing)
        recipes, new = self._recipes(rows, columns, said_mask, group)
        content = rows.mapped("content", said, self._resolve)
        content_mask = rows.mapped("content_mask", said_mask, self._resolve)
        usable = np.flatnonzero(rows.usable)
        given_ids = _take(columns.get("pair_id", nothing), usable)
        derived = given_ids.is_null()
        ids = _derived_ids(usable[derived.to_numpy(zero_copy_only=False)], said, said_mask, group, recipes)
        arrays = {
            "row": pa.array(usable + batch.first),
            "pair_id": pc.replace_with_mask(given_ids, derived, pa.array(ids, pa.string())),
            "derived": derived,
            "content": _take(content, usable),
            "content_mask": _take(content_mask, usable),
            "output": _take(columns.get("output", nothing), usable),
            "label": _take(columns.get("label", nothing), usable),
            "group": _take(group, usable),
            "recipe": pa.array([recipes.values[code].number for code in recipes.codes[usable]], pa.int64()),
        }
        return Checked(pa.table(arrays, schema=ROWS), new)

    def _recipes(
        self, rows: _Rows, columns: Mapping[str, Column], mask: Column, group: Column
    ) -> tuple[Column, list[Recipe]]:
        """The recipe of each usable row, and those that are new."""
        usable = np.flatnonzero(rows.usable)
        parts = {name: columns[name] for name in (*_OF_RECIPE, *OPTIONS) if name in columns}
        has = {"content_mask": mask, "group": group}
        given = [Column([True], column.codes.clip(max=0)) for column in has.values()]
        first, places = _combinations([*given, *parts.values()], usable)
        recipes: list[Recipe | None] = []
        new: list[Recipe] = []
        errors: dict[int, tuple[Any, ...]] = {}
        for row in first.tolist():
            try:
                masked, grouped = (bool(column.codes[row] >= 0) for column in has.values())
                recipe, is_new = self._book.recipe(_wanted(parts, row, masked=masked, grouped=grouped))
            except RowError as error:
                errors[len(recipes)] = error.args
                recipes.append(None)
            else:
                recipes.append(recipe)
                new.extend([recipe] if is_new else [])
        codes = np.full(len(rows.usable), -1)
        codes[usable] = places

        def describe(row: int) -> tuple[str, Any, str]:
            column, value, reason = errors[codes[row]]
            return column, has[column].values[has[column].codes[row]] if value is None else value, reason

        rows.refuse(np.flatnonzero(np.isin(codes, list(errors))), describe)
        return Column(recipes, codes), new

    def _resolve_for_recipe(self, column: str, reference: str) -> str:
        try:
            return self._resolve(reference)
        except StorageError as error:
            raise RowError(column, reference, str(error)) from error


class _Rows:
    """The rows of a batch, fewer and fewer of which are usable.

    Attributes:
        usable: (rows,) bool
    """

    def __init__(self, batch: Batch, problems: Problems) -> None:
        self.usable = np.ones(batch.rows, bool)
        self._first = batch.first
        self._problems = problems

    def refuse(self, rows: np.ndarray, describe: Callable[[int], tuple[str, Any, str]]) -> None:
        """Takes rows out by their places in the batch, with the column, the value and the reason of each."""
        rows = rows[self.usable[rows]]
        self.usable[rows] = False
        self._problems.add(
            rows + self._first, lambda place: problem(int(rows[place]) + self._first, *describe(rows[place]))
        )

    def mapped(self, name: str, column: Column, function: Callable[[Any], Any]) -> Column:
        """What each value of a column becomes; where it cannot, None, and its rows are refused."""
        values: list[Any] = []
        reasons: dict[int, str] = {}
        for place, value in enumerate(column.values):
            try:
                values.append(None if value is None else function(value))
            except (ValueError, StorageError) as error:
                values.append(None)
                reasons[place] = str(error)
        if name in _REQUIRED:
            reasons[-1] = "is missing: name a picture, or remove the row"

        def describe(row: int) -> tuple[str, Any, str]:
            code = column.codes[row]
            return name, None if code < 0 else column.values[code], reasons[code]

        self.refuse(np.flatnonzero(np.isin(column.codes, list(reasons))), describe)
        return Column(values, column.codes)


def resolver(base: str, allowed: Sequence[str]) -> Callable[[str], str]:
    """What makes the URI of a reference in the manifest at `base`; StorageError for what no worker may read."""

    def resolve(reference: str) -> str:
        uri = resolve_uri(reference, base)
        if scheme(uri):
            split_s3(uri) if scheme(uri) == "s3" else local_path(uri)
        check_allowed(uri, allowed)
        return uri

    remembered = lru_cache(maxsize=_RESOLVED)(resolve)
    return lambda reference: remembered(reference) if len(reference) <= _SHORT else resolve(reference)


def _combinations(columns: Sequence[Column], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each different combination of values, and of each row the place of its combination."""
    combined = np.zeros(len(rows), np.int64)
    largest = 1
    for column in columns:
        if largest * (len(column.values) + 1) >= 1 << 63:
            combined = np.unique(combined, return_inverse=True)[1]
            largest = len(rows)
        combined = combined * (len(column.values) + 1) + column.codes[rows] + 1
        largest *= len(column.values) + 1
    _, first, places = np.unique(combined, return_index=True, return_inverse=True)
    return rows[first], places


def _wanted(columns: Mapping[str, Column], row: int, *, masked: bool, grouped: bool) -> Wanted:
    given = {name: column.values[column.codes[row]] for name, column in columns.items() if column.codes[row] >= 0}
    options = tuple((name, given[name]) for name in OPTIONS if name in given)
    said: dict[str, Any] = {name: given.get(name) for name in _OF_RECIPE}
    return Wanted(**said, options=options, masked=masked, grouped=grouped)


def _derived_ids(rows: np.ndarray, content: Column, mask: Column, group: Column, recipes: Column) -> list[str]:
    if not len(rows):
        return []
    contents = [(stem(said), _encode(said).encode()) if said else ("", b"") for said in content.values]
    # The last is that of code -1.
    masks, groups = ([*(_encode(said).encode() for said in column.values), None] for column in (mask, group))
    codes = zip(*(column.codes[rows].tolist() for column in (content, mask, group, recipes)), strict=True)
    ids = []
    for c, m, g, r in codes:
        name, said = contents[c]
        ids.append(derived_id(name, said, masks[m], groups[g], recipes.values[r]))
    return ids


def _take(column: Column, rows: np.ndarray) -> pa.Array:
    codes = column.codes[rows]
    return pa.array(column.values, pa.string()).take(pa.array(codes, mask=codes < 0))
