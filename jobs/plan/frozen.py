"""A frozen plan, of which only the pages in use are in memory."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.errors import NotFoundInStoreError, PlanError
from jobs.parquet import from_parquet
from jobs.plan.editions import Edition, Page, damaged, read_editions
from jobs.plan.shards import PAIRS, Shard, planned_pairs, record_key
from jobs.storage import Store

_PAGES_KEPT = 4


@dataclass(frozen=True)
class Plan:
    """The work of a job, in shards; memory is flat in the number of rows.

    Attributes:
        store: where it is frozen.
        editions: at least one; their shards are numbered on.
    """

    store: Store = field(repr=False, compare=False)
    editions: tuple[Edition, ...]
    _table: Callable[[Page], pa.Table] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_table", lru_cache(maxsize=_PAGES_KEPT)(self._read))

    @property
    def fingerprint(self) -> str:
        """That of the first edition, which stays as the plan grows."""
        return self.editions[0].fingerprint

    @property
    def rows(self) -> int:
        """Number of pairs."""
        return sum(edition.rows for edition in self.editions)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return self.editions[-1].first_shard + self.editions[-1].shards

    @property
    def manifest(self) -> str:
        """URI that the last pairs came from."""
        return self.editions[-1].manifest

    @property
    def options(self) -> Mapping[str, Any]:
        """What decides the bytes of the results: image_format, quality, layout, tile, whole_megapixels, phases."""
        return self.editions[0].options

    @property
    def layout(self) -> str:
        """How the pictures are kept: a name in `jobs.plan.LAYOUTS`."""
        return str(self.options["layout"])

    @property
    def weights(self) -> str:
        """SHA-256 of the model's weights."""
        return self.editions[0].weights

    def shard(self, index: int) -> Shard:
        """The shard at `index`; IndexError outside 0 … shards − 1.

        Raises:
            PlanError: its page is damaged.
            StorageError: the store cannot be reached.
        """
        edition = self._edition(index)
        page = edition.pages[bisect_right(edition.pages, index, key=lambda page: page.first_shard) - 1]
        table = self._table(page)
        start, stop = np.searchsorted(table["shard"].to_numpy(), [index, index + 1])
        return Shard(index, planned_pairs(table.slice(start, stop - start)), edition.fingerprint, self.layout)

    def iter_shards(self, skip: Container[int] = ()) -> Iterator[Shard]:
        """All shards but those to be skipped, in order; a page of which all are skipped is not read."""
        for edition in self.editions:
            for page in edition.pages:
                for index in range(page.first_shard, page.first_shard + page.shards):
                    if index not in skip:
                        yield self.shard(index)

    def rows_of(self, index: int) -> int:
        """Number of pairs in the shard at `index`, without a look at them."""
        edition = self._edition(index)
        return edition.smaller.get(index, edition.shard_size)

    def record_key(self, index: int) -> str:
        """The key of the records of the shard at `index`, without a look at its pairs."""
        return record_key(index)

    def pages(self) -> Iterator[pa.Table]:
        """All pairs, some thousand at a time in the order of shards; tables of `jobs.plan.shards.PAIRS`."""
        return (self._table(page) for edition in self.editions for page in edition.pages)

    def _edition(self, index: int) -> Edition:
        if not 0 <= index < self.shards:
            raise IndexError(f"shard {index} of a plan of {self.shards}")
        return self.editions[bisect_right(self.editions, index, key=lambda edition: edition.first_shard) - 1]

    def _read(self, page: Page) -> pa.Table:
        """The pairs of a page, if they are those that were frozen."""
        try:
            data = self.store.read(page.key)
            if hashlib.sha256(data).hexdigest() != page.sha256:
                raise ValueError("its pairs are not those of its fingerprint")
            table = from_parquet(data).cast(PAIRS).unify_dictionaries().combine_chunks()
            expected = range(page.first_shard, page.first_shard + page.shards)
            if not np.array_equal(table["shard"].to_numpy(), np.repeat(expected, [*map(self.rows_of, expected)])):
                raise ValueError("its pairs are not in the shards of its head")
        except (NotFoundInStoreError, pa.ArrowException, OSError, ValueError) as error:
            raise damaged(self.store, f"{page.key}: {error}") from error
        return table


def load_plan(store: Store) -> Plan:
    """Reads the frozen plan back, without its pairs: they are read, and checked, when they are asked for.

    Raises:
        PlanError: there is none, or it is damaged or of another version.
        StorageError: the store cannot be reached.
    """
    editions = tuple(read_editions(store))
    if not editions:
        raise PlanError(f"{store.uri} holds no plan: nothing was run there yet")
    return Plan(store, editions)
