"""From a manifest to the frozen plan of a job: a new one, one that is there, or one that has grown."""

# ruff: noqa: S608 (no text of a manifest is part of a query)

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from ift.settings import Settings
from ift.shifts import MOST_PHASES
from jobs.errors import PlanError
from jobs.manifest import Defaults, Manifest
from jobs.plan.editions import Edition, edition_fingerprint, edition_key, read_editions
from jobs.plan.fingerprint import CHUNK_ROWS, parts_of, source_of
from jobs.plan.frozen import Plan
from jobs.plan.growth import differences, load_planned
from jobs.plan.loading import load_manifest
from jobs.plan.outputs import SUFFIXES, check_outputs, output_sql
from jobs.plan.pages import planned_rows, store_pages
from jobs.plan.shards import LAYOUTS, OBJECTS, PAIRS, default_shard_size, shard_rows
from jobs.plan.workspace import Workspace, open_workspace
from jobs.storage import Store, copy_to_file
from jobs.storage.uris import scheme

_TILES = range(128, 8192 + 1, 8)


@dataclass(frozen=True)
class Prepared:
    """What `prepare_plan` found or made.

    Attributes:
        plan: as the store now holds it.
        added: number of rows that joined a plan which was there before.
        notes: lines worth printing about the manifest.
    """

    plan: Plan
    added: int
    notes: tuple[str, ...]


def prepare_plan(
    store: Store,
    manifest_uri: str,
    defaults: Defaults,
    *,
    weights: str,
    image_format: str,
    quality: int,
    layout: str = OBJECTS,
    tile: int = 1024,
    whole_megapixels: float = 4.5,
    phases: int = 1,
    shard_size: int | None = None,
    allowed: Sequence[str] = (),
) -> Prepared:
    """Freezes the plan of a manifest, once; later it is found again, or grows by the rows that are new.

    The same arguments give the same plan on any machine, and of drivers that race one decides. Memory is flat in the
    number of rows; what does not fit is kept in the folder for temporary files.

    Args:
        store: of the job.
        manifest_uri: a local path or s3:// URI of a Parquet, CSV or JSONL file. Relative references in it are taken
            from its own place.
        defaults: what applies where a row gives nothing.
        weights: SHA-256 of the model's weights.
        image_format: a name in `SUFFIXES`, for outputs that the manifest does not name.
        quality: of lossy formats, 1 to 100.
        layout: how the pictures are kept, a name in `LAYOUTS`.
        tile: the longest side of the parts of large results, in pixels: a multiple of 8 from 128 to 8192.
        whole_megapixels: larger results are made in parts.
        phases: of the networks' lattice, over which each frame of a group is averaged (`ift.parts.phases`).
        shard_size: most pairs in a new shard; None for one that suits the number of rows.
        allowed: folders and s3:// prefixes below which all pictures must lie; none means anywhere.

    Raises:
        ManifestError: not a manifest, or rows that cannot be used (up to ten of them in one message).
        SettingsError: the defaults contradict each other.
        PlanError: an unknown format or layout, a tile, megapixels, phases or a shard size out of range, outputs that
            collide, or the store holds another plan: the message says what differs.
        StorageError: the manifest cannot be read, or the store not be reached.
    """
    if image_format not in SUFFIXES:
        raise PlanError(f"image format {image_format!r} is not supported: choose one of {', '.join(SUFFIXES)}")
    if layout not in LAYOUTS:
        raise PlanError(f"layout {layout!r} is not supported: choose one of {', '.join(LAYOUTS)}")
    if tile not in _TILES:
        raise PlanError(f"the tile is {tile} pixels: it must be a multiple of 8 from {_TILES[0]} to {_TILES[-1]}")
    if not 0 < whole_megapixels < math.inf:
        raise PlanError(f"whole_megapixels is {whole_megapixels:g}: it must be a finite number above 0")
    if not 1 <= phases <= MOST_PHASES:
        raise PlanError(f"{phases} phases: there may be 1 to {MOST_PHASES}")
    if shard_size is not None and shard_size < 1:
        raise PlanError(f"the shard size is {shard_size}: it must be 1 or more")
    Settings.from_options(defaults.preset, **defaults.options)
    uri = manifest_uri if scheme(manifest_uri) else str(Path(manifest_uri).absolute())  # workers run in other folders
    options = {
        "image_format": image_format, "quality": quality, "layout": layout, "tile": tile,
        "whole_megapixels": float(whole_megapixels), "phases": phases,
    }  # fmt: skip
    with TemporaryDirectory(prefix="ift-plan-") as name:
        file = copy_to_file(uri, Path(name))
        source = source_of(uri, file, defaults, options, weights, allowed)
        plan = _stored(store)
        if plan and plan.editions[-1].source == source:
            return Prepared(plan, 0, ())
        manifest = Manifest(uri, file, defaults, allowed)
        with open_workspace(Path(name)) as workspace:
            load_manifest(workspace, manifest)
            job = _Job(store, workspace, uri, options, weights, source, shard_size)
            return _settle(job, manifest.notes)


@dataclass(frozen=True)
class _Job:
    """All that an edition is made of, beside the editions before."""

    store: Store
    workspace: Workspace
    manifest: str
    options: Mapping[str, Any]
    weights: str
    source: str
    shard_size: int | None


def _stored(store: Store) -> Plan | None:
    editions = tuple(read_editions(store))
    return Plan(store, editions) if editions else None


def _settle(job: _Job, notes: tuple[str, ...]) -> Prepared:
    """Comes to a plan that holds every row of the manifest, whatever other drivers freeze meanwhile."""
    while True:
        plan = _stored(job.store)
        if plan and plan.editions[-1].source == job.source:
            return Prepared(plan, 0, notes)
        added = _find_fresh(job, plan)
        if plan and not added:
            return Prepared(plan, 0, notes)
        job.store.check()  # before anything is written there
        before = plan.editions if plan else ()
        edition = _edition(job, before, added)
        if job.store.create(edition_key(len(before)), edition.to_json()):
            return Prepared(Plan(job.store, (*before, edition)), added if plan else 0, notes)


def _find_fresh(job: _Job, plan: Plan | None) -> int:
    """Makes the table `fresh` of the rows that are not planned yet, with the keys of their outputs; how many they are.

    Raises:
        PlanError: the store holds another plan, or outputs collide.
    """
    load_planned(job.workspace, plan)
    found = differences(job.workspace, plan, job.options, job.weights) if plan else []
    if found:
        raise PlanError(
            f"{job.store.uri} holds the plan of another job: {'; '.join(found)}. Give another --output,"
            " or the same manifest, options and weights as before; a manifest may gain rows"
        )
    ((rows,),) = job.workspace.rows("SELECT count(*) FROM manifest")
    output = output_sql(SUFFIXES[job.options["image_format"]], rows)
    new = "(SELECT * FROM manifest ANTI JOIN planned USING (pair_id) ORDER BY row)" if plan else "manifest"
    job.workspace.run(
        f"""CREATE OR REPLACE TABLE fresh AS
        SELECT row, pair_id, content, content_mask, {output} AS output, label, "group", recipe FROM {new}"""
    )
    check_outputs(job.workspace)
    ((added,),) = job.workspace.rows("SELECT count(*) FROM fresh")
    return int(added)


def _edition(job: _Job, before: Sequence[Edition], rows: int) -> Edition:
    """Stores the pages of the fresh rows; the head that makes them an edition is still to be created."""
    size = job.shard_size or default_shard_size(rows)
    first_shard = before[-1].first_shard + before[-1].shards if before else 0
    previous = before[-1].fingerprint if before else None
    parts = parts_of(_in_manifest_order(job.workspace), job.options, job.weights)
    fingerprint = edition_fingerprint(parts, previous)
    sizes = list(shard_rows(_rows_by_resolution(job.workspace), size))
    return Edition(
        fingerprint=fingerprint,
        previous=previous,
        parts=parts,
        source=job.source,
        rows=rows,
        first_shard=first_shard,
        shards=len(sizes),
        shard_size=size,
        smaller={first_shard + place: count for place, count in enumerate(sizes) if count < size},
        manifest=job.manifest,
        options=job.options,
        weights=job.weights,
        pages=tuple(
            store_pages(job.store, planned_rows(job.workspace), PAIRS, f"plan/{fingerprint[:16]}", first_shard, sizes)
        ),
    )


def _rows_by_resolution(workspace: Workspace) -> Iterator[int]:
    counts = workspace.rows(
        """SELECT count(*) FROM fresh JOIN recipes USING (recipe) GROUP BY coalesce(resolution, 0)
        ORDER BY coalesce(resolution, 0)"""
    )
    return (count for (count,) in counts)


def _in_manifest_order(workspace: Workspace) -> Iterator[pa.Table]:
    ((last,),) = workspace.rows("SELECT max(row) FROM fresh")
    for start in range(0, last + 1, CHUNK_ROWS):
        yield workspace.table(
            f"""SELECT row, pair_id, content, content_mask, output, label, "group", look, setting
            FROM fresh JOIN recipes USING (recipe)
            WHERE row BETWEEN {start} AND {start + CHUNK_ROWS - 1} ORDER BY row"""
        )
