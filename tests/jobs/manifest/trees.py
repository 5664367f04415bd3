"""Trees of small pictures, and manifests built of them."""

from pathlib import Path

import pyarrow.parquet as pq

from jobs.manifest.build import Pairing, build_manifest
from tests.jobs.pairs import picture


def plant(root: Path, *keys: str, size=(20, 16), first=0) -> Path:
    """Pictures with these keys below a folder, no two of them alike."""
    for seed, key in enumerate(keys, first):
        picture(root / key, seed, size)
    return root


def rows_of(manifest) -> list[dict]:
    return pq.read_table(manifest).to_pylist()


def build(folder: Path, to="pairs.parquet", previous=None, **wanted):
    """The rows of a manifest of `folder/photos` and `folder/styles`, and what was said of it."""
    pairing = Pairing(**{"contents": (str(folder / "photos"),), "styles": (str(folder / "styles"),), **wanted})
    before = None if previous is None else str(folder / previous)
    built = build_manifest(pairing, str(folder / to), previous=before)
    return rows_of(folder / to), built
