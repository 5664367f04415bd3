"""The list of a run's packs, for loaders: as the package `wids` reads it, and easily read by any other."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

INDEX_KEY = "packs.json"


class PackIndex:
    """Counts the pictures in every pack that a record names."""

    def __init__(self) -> None:
        self._packs: Counter[str] = Counter()

    def add(self, records: pa.Table) -> None:
        """Takes records in."""
        done = records.filter(pc.equal(records["status"], "done"))
        for entry in pc.value_counts(done["pack"]).to_pylist():
            self._packs[entry["values"]] += entry["counts"]

    def to_json(self) -> bytes:
        """The packs by name, as one JSON object."""
        shards = [{"url": key, "nsamples": count} for key, count in sorted(self._packs.items())]
        return (json.dumps({"wids_version": 1, "shardlist": shards}, indent=1) + "\n").encode()
