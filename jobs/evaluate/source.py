"""What there is to judge, shard by shard: the pictures of a run as its records tell of them, or a frozen list."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from jobs.committed import Committed, committed_shards, iter_records
from jobs.errors import NotFoundInStoreError, PlanError
from jobs.evaluate.head import Head
from jobs.evaluate.triple import Triple, TripleShard
from jobs.parquet import from_parquet
from jobs.plan import Page, Plan, PlannedPair, record_key
from jobs.storage import Store

_RECORDED = (
    "row", "status", "pack", "sha256", "error_type", "error", "output", "encoder_s", "transform_s", "decoder_s",
)  # fmt: skip
_ON_DEVICE = ("encoder_s", "transform_s", "decoder_s")
_PAGES_KEPT = 4

PAGE = pa.schema(
    {
        "row": pa.int64(),
        "pair_id": pa.string(),
        "content": pa.string(),
        "styles": pa.list_(pa.string()),
        "result": pa.string(),
        "method": pa.string(),
        "label": pa.string(),
        "shard": pa.int64(),
    }
)
"""The columns of a page of a list."""


class Source(Protocol):
    """What there is to judge."""

    @property
    def rows(self) -> int:
        """Pairs in all, with a result or still without."""

    @property
    def shards(self) -> int:
        """Number of shards."""

    @property
    def ready(self) -> list[int]:
        """The shards that can be judged, as it was when the source was opened."""

    @property
    def changes(self) -> bool:
        """Whether a picture may become another one, which `Triple.sha256` then tells."""

    def rows_of(self, index: int) -> int:
        """Number of pairs in the shard at `index`."""

    def record_key(self, index: int) -> str:
        """The key of the records of the shard at `index`."""

    def iter_shards(self, indices: Iterable[int]) -> Iterator[TripleShard]:
        """Some shards that are ready, in the order given.

        Raises:
            DamagedRecordsError: a record object of the run cannot be read; the message names the way out.
            PlanError: a page is damaged.
            StorageError: the store cannot be read.
        """


class RunSource:
    """The pictures of a run.

    Args:
        store: of the run.
        plan: of the run.
        fingerprint: of the evaluation.
    """

    changes = True

    def __init__(self, store: Store, plan: Plan, fingerprint: str) -> None:
        self._store, self._plan, self._fingerprint = store, plan, fingerprint
        self._committed: Committed = committed_shards(store, plan)

    @property
    def rows(self) -> int:
        """Pairs in the plan."""
        return self._plan.rows

    @property
    def shards(self) -> int:
        """Shards of the plan."""
        return self._plan.shards

    @property
    def ready(self) -> list[int]:
        """Those that are committed."""
        return list(self._committed)

    def rows_of(self, index: int) -> int:
        """As in the plan."""
        return self._plan.rows_of(index)

    def record_key(self, index: int) -> str:
        """As in the run, in another store."""
        return record_key(index)

    def iter_shards(self, indices: Iterable[int]) -> Iterator[TripleShard]:
        """See `Source.iter_shards`."""
        with closing(iter_records(self._store, self._plan, indices, _RECORDED)) as records:
            for index, table in records:
                recorded = {record["row"]: record for record in table.to_pylist()}
                pairs = tuple(_of_run(pair, recorded[pair.row]) for pair in self._plan.shard(index).pairs)
                yield TripleShard(index, pairs, self._fingerprint)


def _of_run(pair: PlannedPair, record: dict[str, Any]) -> Triple:
    failed = record["status"] == "failed"
    return Triple(
        row=pair.row,
        pair_id=pair.pair_id,
        content=pair.content,
        styles=pair.styles,
        style_weights=pair.style_weights,
        result=record["output"],
        pack=record["pack"],
        sha256=record["sha256"],
        failure=f"the run has no picture of it: {record['error_type']}: {record['error']}" if failed else None,
        resolution=pair.resolution,
        style_resolution=pair.style_resolution,
        method=pair.method,
        preset=pair.preset,
        settings=pair.settings,
        label=pair.label,
        seconds=None if failed else sum(record[stage] or 0.0 for stage in _ON_DEVICE),
    )


class ListSource:
    """A frozen list of triples.

    Args:
        store: of the evaluation.
        head: of the evaluation.
    """

    changes = False

    def __init__(self, store: Store, head: Head) -> None:
        self._store, self._head = store, head
        self._table = lru_cache(maxsize=_PAGES_KEPT)(self._read)

    @property
    def rows(self) -> int:
        """Triples in the list."""
        return sum(page.rows for page in self._head.pages)

    @property
    def shards(self) -> int:
        """Shards of the list."""
        return sum(page.shards for page in self._head.pages)

    @property
    def ready(self) -> list[int]:
        """All."""
        return list(range(self.shards))

    def rows_of(self, index: int) -> int:
        """All shards are full, but for the last."""
        return min(self._head.shard_size, self.rows - index * self._head.shard_size)

    def record_key(self, index: int) -> str:
        """Such as records/shard-000012.parquet."""
        return record_key(index)

    def iter_shards(self, indices: Iterable[int]) -> Iterator[TripleShard]:
        """See `Source.iter_shards`."""
        pages = self._head.pages
        for index in indices:
            table = self._table(pages[bisect_right(pages, index, key=lambda page: page.first_shard) - 1])
            start, stop = np.searchsorted(table["shard"].to_numpy(), [index, index + 1])
            rows = table.slice(start, stop - start).drop_columns("shard").to_pylist()
            yield TripleShard(index, tuple(map(_of_list, rows)), self._head.fingerprint)

    def _read(self, page: Page) -> pa.Table:
        try:
            data = self._store.read(page.key)
            if hashlib.sha256(data).hexdigest() != page.sha256:
                raise ValueError("its triples are not those of its fingerprint")
            return from_parquet(data)
        except (NotFoundInStoreError, pa.ArrowException, OSError, ValueError) as error:
            raise PlanError(
                f"the list in {self._store.uri} is damaged: restore {page.key}, or give another --output ({error})"
            ) from error


def _of_list(row: dict[str, Any]) -> Triple:
    styles = tuple(row["styles"])
    return Triple(**{**row, "styles": styles}, style_weights=(1 / len(styles),) * len(styles))
