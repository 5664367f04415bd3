"""The pictures behind a row of an evaluation: its content, its styles and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import NotFoundInStoreError
from jobs.evaluate.places import Place, open_place
from jobs.pictures import KeptPictures
from jobs.storage import read_uri


class ResultPictures:
    """Reads pictures by the rows of metrics.parquet, whatever the layout of the run; of packs, the last ones stay.

    Args:
        output: URI of the run, or of the evaluation of a list.
        allowed: folders and s3:// prefixes below which contents and styles must lie; anywhere if there are none.
    """

    def __init__(self, output: str, allowed: Sequence[str] = ()) -> None:
        self._place: Place = open_place(output)
        self._kept = None if self._place.run is None else KeptPictures(self._place.run)
        self._allowed = allowed

    def content(self, row: Mapping[str, Any]) -> bytes:
        """The content's file.

        Raises:
            StorageError: it cannot be read.
        """
        return read_uri(row["content"], allowed=self._allowed)

    def style(self, row: Mapping[str, Any], number: int = 0) -> bytes:
        """The file of a style, counted from 0.

        Raises:
            StorageError: it cannot be read.
            IndexError: the row has fewer styles.
        """
        return read_uri(row["styles"][number], allowed=self._allowed)

    def result(self, row: Mapping[str, Any]) -> bytes:
        """The result's file.

        Raises:
            NotFoundInStoreError: the pair has no result, or it is gone.
            DamagedPackError: its pack cannot be read.
            StorageError: it cannot be read.
        """
        if row["result"] is None:
            raise NotFoundInStoreError(f"pair {row['pair_id']} has no result: {row['error']}")
        if self._kept is None:
            return read_uri(row["result"], allowed=self._allowed)
        return self._kept.read(row["result"], row["pack"], row["pair_id"])
