"""The list of a run's packs, for loaders: as the package `wids` reads it, and easily read by any other."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow.compute as pc

from jobs.committed import committed_shards, iter_records
from jobs.plan import Plan
from jobs.storage import Store

INDEX_KEY = "packs.json"


def pack_index(store: Store, plan: Plan) -> bytes:
    """A JSON object with the key of every pack that a record names, and how many pictures it has.

    Raises:
        DamagedRecordsError: a record object cannot be read.
        StorageError: the store cannot be read.
    """
    packs: Counter[str] = Counter()
    for _, records in iter_records(store, plan, committed_shards(store, plan), ("status", "pack")):
        done = records.filter(pc.equal(records["status"], "done"))
        for entry in pc.value_counts(done["pack"]).to_pylist():
            packs[entry["values"]] += entry["counts"]
    shards = [{"url": key, "nsamples": packs[key]} for key in sorted(packs)]
    return (json.dumps({"wids_version": 1, "shardlist": shards}, indent=1) + "\n").encode()
