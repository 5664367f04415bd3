"""Plans made of rows, for the tests of the job."""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.manifest import Defaults
from jobs.plan import PlannedPair, Prepared, prepare_plan
from jobs.storage import open_store

WEIGHTS = "0123456789abcdef" * 4


@dataclass
class Read:
    """What became of a manifest: its pairs in their order, and the notes."""

    pairs: list[PlannedPair]
    notes: tuple[str, ...]


def prepare(store, manifest, defaults=None, **options) -> Prepared:
    """`prepare_plan` with the tests' own defaults."""
    options = {"weights": WEIGHTS, "image_format": "png", "quality": 90, **options}
    return prepare_plan(store, str(manifest), defaults or Defaults(), **options)


def read_manifest(uri, defaults=None, **options) -> Read:
    """The planned pairs of a manifest, in a store that is forgotten."""
    with TemporaryDirectory() as folder:
        prepared = prepare(open_store(folder), uri, defaults, **options)
        return Read(pairs_of(prepared.plan), prepared.notes)


def pairs_of(plan):
    """All pairs of a plan, in the order of the manifest."""
    return sorted((pair for shard in plan.iter_shards() for pair in shard.pairs), key=lambda pair: pair.row)


def write_jsonl(path: Path, rows) -> str:
    """A manifest of dicts."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
