"""The frozen plan of a job: every pair, its output, and the shards in which the pairs are worked on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.errors import NotFoundInStoreError, PlanError
from jobs.manifest import IMAGES, Manifest, Pair
from jobs.parquet import from_parquet, to_parquet
from jobs.storage import Store

PLAN_VERSION = 2
"""Of the layout of a plan and of how its fingerprint is computed."""

PLAN_KEY = "plan.json"
"""The object whose existence means that the plan is frozen."""

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
"""The image formats of outputs whose name the manifest does not give."""

_MANY_ROWS = 10_000  # above this, derived names are spread over 256 folders
_LARGEST_DEFAULT_SHARD = 32
_DEFAULT_SHARDS = 64


@dataclass(frozen=True)
class PlannedPair:
    """One pair as a worker needs it: the fields of `jobs.manifest.Pair`, and the output's key in the store."""

    row: int
    pair_id: str
    content: str
    styles: tuple[str, ...]
    style_weights: tuple[float, ...]
    content_mask: str | None
    style_masks: tuple[str | None, ...]
    resolution: int | None
    style_resolution: int | None
    output: str
    method: str
    preset: str
    settings: str


@dataclass(frozen=True)
class Shard:
    """Pairs of one resolution that are worked on, and committed, together."""

    index: int
    pairs: tuple[PlannedPair, ...]

    @property
    def name(self) -> str:
        """Such as shard-000012."""
        return f"shard-{self.index:06d}"

    @property
    def record_key(self) -> str:
        """The key of the shard's records, whose existence means that the shard is done."""
        return f"records/{self.name}.parquet"


@dataclass(frozen=True)
class Plan:
    """The work of a job, in shards; only the shard asked for is turned into objects.

    Attributes:
        fingerprint: SHA-256 of all that decides the results, hence neither of the shards nor of the manifest's name.
        parts: the digests that the fingerprint is made of, so that one can say what differs.
        rows: number of pairs.
        shard_size: most pairs in one shard.
        manifest: URI that the pairs came from.
        options: image format and quality.
        weights: SHA-256 of the model's weights.
        table: the pairs, sorted so that one resolution, and in it one style, comes together.
        bounds: shard i is the rows bounds[i] to bounds[i + 1] of the table.
    """

    fingerprint: str
    parts: Mapping[str, str]
    rows: int
    shard_size: int
    manifest: str
    options: dict[str, Any]
    weights: str
    table: pa.Table = field(repr=False, compare=False)
    bounds: tuple[int, ...] = field(repr=False)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self.bounds) - 1

    @property
    def table_key(self) -> str:
        """The key of the pairs; it holds the fingerprint, so that plans of racing drivers never mix."""
        return f"plan/{self.fingerprint[:16]}.parquet"

    def shard(self, index: int) -> Shard:
        """The shard at `index`; IndexError outside 0 … shards − 1."""
        if not 0 <= index < self.shards:
            raise IndexError(f"shard {index} of a plan of {self.shards}")
        start, stop = self.bounds[index : index + 2]
        records = self.table.slice(start, stop - start).to_pylist()
        return Shard(index, tuple(_pair(record) for record in records))

    def rows_of(self, index: int) -> int:
        """Number of pairs in the shard at `index`."""
        return self.bounds[index + 1] - self.bounds[index]

    def record_key(self, index: int) -> str:
        """The key of the records of the shard at `index`, without a look at its pairs."""
        return Shard(index, ()).record_key

    def iter_shards(self) -> Iterator[Shard]:
        """All shards, one at a time."""
        return map(self.shard, range(self.shards))


def make_plan(
    manifest: Manifest, *, weights: str, image_format: str, quality: int, shard_size: int | None = None
) -> Plan:
    """Plans the work of a manifest; the same arguments give the same plan on any machine.

    Args:
        manifest: its pairs, at least one.
        weights: SHA-256 of the model's weights.
        image_format: a name in `SUFFIXES`, for outputs that the manifest does not name.
        quality: of lossy formats, 1 to 100.
        shard_size: most pairs in a shard; None for one that gives about 64 shards, of at most 32 pairs.

    Raises:
        PlanError: an unknown format, a shard size below 1, or two pairs with the same output.
    """
    if image_format not in SUFFIXES:
        raise PlanError(f"image format {image_format!r} is not supported: choose one of {', '.join(SUFFIXES)}")
    rows = len(manifest.pairs)
    if shard_size is None:
        shard_size = min(max(-(-rows // _DEFAULT_SHARDS), 1), _LARGEST_DEFAULT_SHARD)
    if shard_size < 1:
        raise PlanError(f"the shard size is {shard_size}: it must be 1 or more")
    outputs = {pair.row: _output(pair, SUFFIXES[image_format], spread=rows > _MANY_ROWS) for pair in manifest.pairs}
    _check_outputs(outputs)
    options = {"image_format": image_format, "quality": quality}
    return _plan(_table(manifest.pairs, outputs), shard_size, manifest.uri, options, weights)


def freeze_plan(store: Store, plan: Plan) -> Plan:
    """Writes the plan into the job's store, once; of many drivers that race, one wins.

    Returns:
        The plan that the store now holds. If it held the same plan already, that one with its own shards.

    Raises:
        PlanError: the store holds another plan; the message says what differs.
        StorageError: the store cannot be reached.
    """
    if not store.exists(PLAN_KEY):
        # False means that the same pairs are there, written by another version of pyarrow.
        store.create(plan.table_key, to_parquet(plan.table))
        store.create(PLAN_KEY, _to_json(plan))
    stored = load_plan(store)
    if stored.fingerprint != plan.fingerprint:
        raise PlanError(
            f"{store.uri} holds the plan of another job: {'; '.join(_differences(stored, plan))}."
            " Give another --output, or the same manifest, options and weights as before"
        )
    return stored


def load_plan(store: Store) -> Plan:
    """Reads the frozen plan back.

    Raises:
        PlanError: there is none, or it is damaged or of another version.
        StorageError: the store cannot be reached.
    """
    try:
        text = store.read(PLAN_KEY)
    except NotFoundInStoreError as error:
        raise PlanError(f"{store.uri} holds no plan: nothing was run there yet") from error
    try:
        head = json.loads(text)
        if head["version"] != PLAN_VERSION:
            raise PlanError(
                f"{store.uri} holds a plan of version {head['version']}, this program reads version {PLAN_VERSION}:"
                " use the program that started the job, or another --output"
            )
        table = from_parquet(store.read(head["table"])).cast(_SCHEMA).unify_dictionaries().combine_chunks()
        plan = _plan(table, head["shard_size"], head["manifest"], head["options"], head["weights"])
        intact = plan.fingerprint == head["fingerprint"]
    except (NotFoundInStoreError, pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise PlanError(f"{_damaged(store)} ({error})") from error
    if not intact:
        raise PlanError(f"{_damaged(store)} (its pairs are not those of its fingerprint)")
    return plan


def _damaged(store: Store) -> str:
    return f"the plan in {store.uri} is damaged: give another --output, or restore {PLAN_KEY} and plan/"


# Names of outputs


def _output(pair: Pair, suffix: str, *, spread: bool) -> str:
    if pair.output is not None:
        return IMAGES + pair.output
    folder = f"{hashlib.sha256(pair.pair_id.encode()).hexdigest()[:2]}/" if spread else ""
    return f"{IMAGES}{folder}{pair.pair_id}{suffix}"


def _check_outputs(outputs: Mapping[int, str]) -> None:
    """A derived name may be one that another row gives itself; and a local folder cannot be a file as well."""
    owners: dict[str, int] = {}
    for row, key in outputs.items():
        if owners.setdefault(key, row) != row:
            raise PlanError(
                f"rows {owners[key]} and {row} (counting from 0) have the same output {key!r}: change column output"
            )
    for row, key in outputs.items():
        parent = key
        while parent := parent.rpartition("/")[0]:
            if parent in owners:
                raise PlanError(
                    f"row {row} (counting from 0) has the output {key!r}, in a folder that is the output of row"
                    f" {owners[parent]}: change column output"
                )


# Pairs and tables

_WORD = pa.dictionary(pa.int32(), pa.string())  # few distinct values, of which settings are long
_SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "pair_id": pa.string(),
        "content": pa.string(),
        "styles": pa.list_(pa.string()),
        "style_weights": pa.list_(pa.float64()),
        "content_mask": pa.string(),
        "style_masks": pa.list_(pa.string()),
        "resolution": pa.int32(),
        "style_resolution": pa.int32(),
        "output": pa.string(),
        "method": _WORD,
        "preset": _WORD,
        "settings": _WORD,
    }
)


def _table(pairs: Sequence[Pair], outputs: Mapping[int, str]) -> pa.Table:
    ordered = sorted(pairs, key=_order)
    columns = {name: [getattr(pair, name) for pair in ordered] for name in _SCHEMA.names if name != "output"}
    return pa.table({**columns, "output": [outputs[pair.row] for pair in ordered]}, schema=_SCHEMA)


def _order(pair: Pair) -> tuple[Any, ...]:
    masks = tuple(mask or "" for mask in pair.style_masks)
    return (pair.resolution or 0, pair.styles, masks, pair.settings, pair.row)


def _pair(record: dict[str, Any]) -> PlannedPair:
    lists = {name: tuple(record[name]) for name in ("styles", "style_weights", "style_masks")}
    return PlannedPair(**{**record, **lists})


# Shards and fingerprint


def _plan(table: pa.Table, shard_size: int, manifest: str, options: dict[str, Any], weights: str) -> Plan:
    parts = _parts(table, options, weights)
    return Plan(
        fingerprint=_sha256([PLAN_VERSION, parts]),
        parts=parts,
        rows=len(table),
        shard_size=shard_size,
        manifest=manifest,
        options=options,
        weights=weights,
        table=table,
        bounds=_bounds(table["resolution"].to_pylist(), shard_size),
    )


def _bounds(resolutions: Iterable[int | None], shard_size: int) -> tuple[int, ...]:
    """Where shards start, and the end of the last: at most `shard_size` rows, all of one resolution."""
    starts: list[int] = []
    start = 0
    for _, run in groupby(resolutions):
        stop = start + sum(1 for _ in run)
        starts.extend(range(start, stop, shard_size))
        start = stop
    return (*starts, start)


def _parts(table: pa.Table, options: Mapping[str, Any], weights: str) -> dict[str, str]:
    """What decides the results, by whom the user would look to for a difference; rows in the manifest's order."""
    rows = table.take(np.argsort(table["row"].to_numpy()))

    def digest(*names: str) -> str:
        return _sha256([[name, rows[name].to_pylist()] for name in names])

    return {
        "pairs": digest("row", "pair_id", "content", "styles", "style_weights", "content_mask", "style_masks"),
        "settings": digest("resolution", "style_resolution", "method", "preset", "settings"),
        "outputs": digest("output"),
        "options": _sha256(options),
        "weights": weights,
    }


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _to_json(plan: Plan) -> bytes:
    head = {
        "version": PLAN_VERSION,
        "fingerprint": plan.fingerprint,
        "rows": plan.rows,
        "shards": plan.shards,
        "shard_size": plan.shard_size,
        "table": plan.table_key,
        "manifest": plan.manifest,
        "options": plan.options,
        "weights": plan.weights,
        "parts": dict(plan.parts),
    }
    return json.dumps(head, indent=2).encode() + b"\n"


def _differences(stored: Plan, new: Plan) -> list[str]:
    """What differs, in the user's words, without what merely follows from another difference."""
    words = {
        "pairs": f"other pairs in the manifest ({stored.rows} rows then, {new.rows} now)",
        "settings": "other resolutions, presets or settings, as options or as columns of the manifest",
        "options": f"other image options ({_words(stored.options)} then, {_words(new.options)} now)",
        "weights": f"other model weights (sha256 {stored.weights[:12]} then, {new.weights[:12]} now)",
        "outputs": "other names of outputs",
    }
    found = [part for part in words if stored.parts[part] != new.parts[part]]
    implied = {"settings"} if stored.rows != new.rows else set()
    if "pairs" in found or "options" in found:
        implied.add("outputs")
    return [words[part] for part in found if part not in implied]


def _words(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())
