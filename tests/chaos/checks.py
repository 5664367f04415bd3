"""Is a run's output whole? Looked at with pyarrow and bare objects: nothing of the job's own code is asked."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq

from tests.chaos.pictures import Row

_KNOWN = re.compile(r"plan\.json|plan/.+|(summary|verify|packs)\.json|timings\.parquet|config\.toml")
"""What else than records and pictures a run may leave."""


class Objects(Protocol):
    """All that is below a run's output."""

    def keys(self) -> set[str]:
        """Every object, temporaries too."""

    def read(self, key: str) -> bytes:
        """One object."""

    def unfinished(self) -> list[str]:
        """Uploads that were begun and never ended."""


@dataclass(frozen=True)
class S3Objects:
    """Below a prefix that ends in a slash; `client` goes straight to the store."""

    client: Any
    bucket: str
    prefix: str

    def keys(self) -> set[str]:
        """Every object, temporaries too."""
        return {key.removeprefix(self.prefix) for key in self._list("")}

    def records(self) -> set[str]:
        """The keys of record objects."""
        return {key.removeprefix(self.prefix) for key in self._list("records/")}

    def read(self, key: str) -> bytes:
        """One object."""
        data: bytes = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()
        return data

    def unfinished(self) -> list[str]:
        """Multipart uploads."""
        answer = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.prefix)
        return [upload["Key"] for upload in answer.get("Uploads", ())]

    def _list(self, below: str) -> Iterator[str]:
        for page in self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix + below
        ):
            for entry in page.get("Contents", ()):
                yield entry["Key"]


@dataclass(frozen=True)
class FolderObjects:
    """Below a folder."""

    folder: Path

    def keys(self) -> set[str]:
        """Every file, temporaries too."""
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}

    def read(self, key: str) -> bytes:
        """One file."""
        return (self.folder / key).read_bytes()

    def unfinished(self) -> list[str]:
        """None: they are files as others."""
        return []


def records_of(objects: Objects) -> list[dict[str, Any]]:
    """The rows of all record objects."""
    keys = sorted(key for key in objects.keys() if key.startswith("records/"))  # noqa: SIM118 (no mapping)
    with ThreadPoolExecutor(8) as pool:
        return [row for data in pool.map(objects.read, keys) for row in pq.read_table(io.BytesIO(data)).to_pylist()]


def pictures_of(objects: Objects, records: Iterable[dict[str, Any]]) -> dict[str, str | None]:
    """The SHA-256 of each done pair's picture; None if it is not there."""
    done = [record for record in records if record["status"] == "done"]
    there = objects.keys()
    loose = {record["pair_id"]: record["output"] for record in done if record.get("pack") is None}
    with ThreadPoolExecutor(8) as pool:
        digests = pool.map(
            lambda key: hashlib.sha256(objects.read(key)).hexdigest() if key in there else None, loose.values()
        )
        found = dict(zip(loose, digests, strict=True))
    packs = {key: samples_of(key, objects.read(key)) for key in _packs(done) & there}
    packed = {record["pair_id"]: packs.get(record["pack"], {}) for record in done if record.get("pack") is not None}
    return found | {name: samples.get(name) for name, samples in packed.items()}


def samples_of(key: str, pack: bytes) -> dict[str, str]:
    """The SHA-256 of each picture in a pack, by pair."""
    if key.endswith(".parquet"):
        rows = pq.read_table(io.BytesIO(pack)).to_pylist()
        return {row["pair_id"]: hashlib.sha256(row["image"]["bytes"]).hexdigest() for row in rows}
    with tarfile.open(fileobj=io.BytesIO(pack)) as tar:
        pictures = [member for member in tar.getmembers() if not member.name.endswith(".json")]
        return {
            member.name.rpartition(".")[0]: hashlib.sha256(file.read()).hexdigest()
            for member in pictures
            if (file := tar.extractfile(member)) is not None
        }


def _packs(records: Iterable[Mapping[str, Any]]) -> set[str]:
    return {record["pack"] for record in records if record.get("pack") is not None}


def problems_of(objects: Objects, rows: Iterable[Row], clean: Mapping[str, str | None]) -> list[str]:
    """What is wrong with the output of a finished run, in plain words; nothing, if all is well.

    Args:
        objects: the output.
        rows: of the manifest.
        clean: the pictures of a run without faults.
    """
    by_id = {row.pair_id: row for row in rows}
    records = records_of(objects)
    counts = Counter(record["pair_id"] for record in records)
    problems = [f"{name} has no record" for name in by_id.keys() - counts.keys()]
    problems += [f"{name} has {count} records" for name, count in counts.items() if count > 1]
    problems += [f"{name} is recorded and in no manifest" for name in counts.keys() - by_id.keys()]
    for record in records:
        if record["pair_id"] in by_id:
            problems += _problems_of_status(record, by_id[record["pair_id"]])
    pictures = pictures_of(objects, records)
    for record in records:
        name = record["pair_id"]
        if record["status"] == "done":
            if pictures[name] is None:
                problems.append(f"{name}: {record['output']} is lost")
            elif pictures[name] != record["sha256"]:
                problems.append(f"{name}: {record['output']} is not what its record says")
            elif pictures[name] != clean[name]:
                problems.append(f"{name}: {record['output']} is another picture than that of a clean run")
    done = [record for record in records if record["status"] == "done"]
    promised = {record["output"] for record in done if record.get("pack") is None} | _packs(done)
    for key in sorted(_packs(done) & objects.keys()):
        whose = {record["pair_id"] for record in done if record.get("pack") == key}
        problems += [
            f"{key} holds {name}, which is not recorded there"
            for name in samples_of(key, objects.read(key)).keys() - whose
        ]
    for key in sorted(objects.keys() - promised):
        if not key.startswith("records/") and not _KNOWN.fullmatch(key):
            problems.append(f"{key} is left over")
    return problems + [f"the upload of {key} is unfinished" for key in objects.unfinished()]


def _problems_of_status(record: Mapping[str, Any], row: Row) -> Iterator[str]:
    expected = "done" if row.behaviour.error is None else "failed"
    found = record["status"], record["error_type"]
    if found != (expected, row.behaviour.error):
        yield f"{row.pair_id} is {found[0]} ({found[1]}: {record['error']}), not {expected} ({row.behaviour.error})"
