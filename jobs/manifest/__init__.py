"""A manifest of content/style pairs: from a Parquet, CSV or JSONL file to rows that are ready to plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.manifest.columns import Column, Table
from jobs.manifest.problems import SHOWN_PROBLEMS, Problems, problem
from jobs.manifest.recipes import LABEL, Defaults, Recipe
from jobs.manifest.rows import ROWS, Checked, Checker
from jobs.manifest.values import IMAGES, MAX_RESOLUTION, MIN_RESOLUTION, OUTPUT_SUFFIXES

__all__ = [
    "IMAGES", "LABEL", "MAX_RESOLUTION", "MIN_RESOLUTION", "OUTPUT_SUFFIXES", "ROWS", "Checked", "Defaults", "Manifest",
    "Problems", "Recipe", "problem",
]  # fmt: skip


class Manifest:
    """A manifest file and what is wrong with it, read in batches; memory is flat in the number of rows.

    Attributes:
        uri: where it lies, for messages; relative references in it are taken from there.
        problems: of the rows read so far. What is wrong between rows, such as an id twice, others add to them.
    """

    def __init__(
        self,
        uri: str,
        file: Path,
        defaults: Defaults,
        allowed: Sequence[str] = (),
        most_problems: int = SHOWN_PROBLEMS,
    ) -> None:
        """Takes a local copy of the manifest.

        Args:
            uri: an absolute path or s3:// URI.
            file: what to read: Parquet, CSV or JSONL.
            defaults: what applies where a row gives nothing.
            allowed: folders and s3:// prefixes below which pictures must lie; none means anywhere.
            most_problems: that are described; more are counted.

        Raises:
            ManifestError: not a manifest.
            SettingsError: the defaults contradict each other.
        """
        self.uri = uri
        self._file = file
        self._table = Table(uri, file)
        self._checker = Checker(uri, defaults, allowed, Problems(most_problems))

    @property
    def problems(self) -> Problems:
        """What is wrong with the rows read so far."""
        return self._checker.problems

    @property
    def rows(self) -> int:
        """How many rows have been read so far, whether they can be used or not."""
        return self._table.rows

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines worth printing: which columns are ignored, and which of them look misspelt."""
        return self._table.notes

    def batches(self) -> Iterator[Checked]:
        """All usable rows, checked one by one.

        Raises:
            ManifestError: the file is damaged, lacks a column, or has no rows.
        """
        return map(self._checker.check, self._table.batches())

    def said(self, rows: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Content and styles as some usable rows write them, for messages; reads the file once more."""
        said: dict[int, tuple[str, ...]] = {}
        for batch in Table(self.uri, self._file).batches() if rows else ():
            for row in rows:
                if batch.first <= row < batch.first + batch.rows:
                    content, style = (_value(batch.columns[name], row - batch.first) for name in ("content", "style"))
                    said[row] = (content, *(style if isinstance(style, list) else [style]))
            if len(said) == len(rows):
                break
        return said

    def check(self) -> None:
        """Raises ManifestError if any row cannot be used."""
        if self.problems.count:
            raise self.problems.error(self.uri, self._table.rows)


def _value(column: Column, row: int) -> Any:
    return column.values[column.codes[row]]
