"""Editions: a plan is frozen as edition 0, and each time that its manifest has grown, an edition of new rows joins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from jobs.errors import NotFoundInStoreError, PlanError
from jobs.storage import Store

PLAN_VERSION = 6
"""Of the layout of a plan and of how its fingerprint is computed."""

PLAN_KEY = "plan.json"
"""The object whose existence means that the plan is frozen: the head of its edition 0."""


@dataclass(frozen=True)
class Page:
    """Some thousand pairs of an edition, all of their shards' pairs, in one Parquet object.

    Attributes:
        key: in the job's store; it tells the contents, so that racing drivers never overwrite each other's.
        first_shard: the first shard of the page, counted through all editions.
        shards: how many there are.
        rows: number of pairs.
        sha256: of the object.
    """

    key: str
    first_shard: int
    shards: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class Edition:
    """What one run added to the plan, without the pairs themselves.

    Attributes:
        fingerprint: SHA-256 of all that decides the results, hence neither of the shards nor of the manifest's name.
        previous: fingerprint of the edition before; None for the first.
        parts: the digests that the fingerprint is made of, so that one can say what differs.
        source: digest of the bytes of the manifest and of all that decides how it is read: where it is the same, the
            manifest need not be read again.
        rows: number of pairs.
        first_shard: number of shards in the editions before.
        shards: number of shards.
        shard_size: most pairs in one shard.
        smaller: pairs of each shard that has less than that, by its index.
        manifest: URI that the pairs came from.
        options: see `Plan.options`.
        weights: SHA-256 of the model's weights.
        pages: where the pairs are.
    """

    fingerprint: str
    previous: str | None
    parts: Mapping[str, str]
    source: str
    rows: int
    first_shard: int
    shards: int
    shard_size: int
    smaller: Mapping[int, int]
    manifest: str
    options: Mapping[str, Any]
    weights: str
    pages: tuple[Page, ...]

    def to_json(self) -> bytes:
        """The head of the edition, as it is stored."""
        return json.dumps({"version": PLAN_VERSION, **asdict(self)}, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Edition:
        """The edition that `to_json` wrote; ValueError, KeyError or TypeError for any other text."""
        head = json.loads(text)
        values = {field.name: head[field.name] for field in fields(cls)}
        smaller = {int(index): rows for index, rows in head["smaller"].items()}
        edition = cls(**{**values, "smaller": smaller, "pages": tuple(Page(**page) for page in head["pages"])})
        if edition.fingerprint != edition_fingerprint(edition.parts, edition.previous):
            raise ValueError("its fingerprint is not that of its parts")
        shards = edition.first_shard
        for page in edition.pages:
            if page.first_shard != shards:
                raise ValueError("its pages do not follow each other")
            shards += page.shards
        missing = sum(edition.shard_size - rows for rows in edition.smaller.values())
        sums = (shards - edition.first_shard, sum(page.rows for page in edition.pages))
        if sums != (edition.shards, edition.rows) or edition.shards * edition.shard_size - missing != edition.rows:
            raise ValueError("its pages are not all of its pairs")
        return edition


def edition_fingerprint(parts: Mapping[str, str], previous: str | None) -> str:
    """Of an edition with these parts, after another with the fingerprint `previous`."""
    said = [PLAN_VERSION, dict(parts), *([previous] if previous else [])]
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def edition_key(number: int) -> str:
    """The key of the head of an edition."""
    return f"plan/edition-{number:04d}.json" if number else PLAN_KEY


def read_editions(store: Store) -> Iterator[Edition]:
    """The editions that the store holds, the first first.

    Raises:
        PlanError: one is damaged or of another version.
        StorageError: the store cannot be reached.
    """
    number = 0
    previous: Edition | None = None
    while True:
        try:
            text = store.read(edition_key(number))
        except NotFoundInStoreError:
            return
        try:
            edition = _read_edition(store, text)
            if previous and (edition.previous, edition.first_shard) != (
                previous.fingerprint,
                previous.first_shard + previous.shards,
            ):
                raise ValueError("it does not follow the edition before")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(store, f"{edition_key(number)}: {type(error).__name__} {error}") from error
        yield edition
        number, previous = number + 1, edition


def _read_edition(store: Store, text: bytes) -> Edition:
    version = json.loads(text)["version"]
    if version != PLAN_VERSION:
        raise PlanError(
            f"{store.uri} holds a plan of version {version}, this program reads version {PLAN_VERSION}:"
            " use the program that started the job, or another --output"
        )
    return Edition.from_json(text)


def damaged(store: Store, reason: str) -> PlanError:
    """What to raise when the store's plan cannot be used, for that reason."""
    return PlanError(
        f"the plan in {store.uri} is damaged: give another --output, or restore {PLAN_KEY} and plan/ ({reason})"
    )
