"""From folders and s3:// prefixes of pictures to a manifest of pairs.

The same trees give the same manifest anywhere. Nothing here needs memory in proportion to the rows: what is found is
sorted on disk, and pairs are made as they are written. Only the styles are held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from tqdm import tqdm

from jobs.errors import ManifestError
from jobs.manifest.building.found import find
from jobs.manifest.building.looks import keep
from jobs.manifest.building.pairing import MODES, Built, Pairing
from jobs.manifest.building.pairs import new_pairs
from jobs.manifest.building.previous import Previous
from jobs.manifest.building.roots import Root, open_roots, refuse_nested
from jobs.manifest.building.sides import add_masks, join_sides, load_previous, refuse_remade
from jobs.manifest.building.write import MANIFEST, MASKS, write_rows
from jobs.plan.workspace import Workspace, open_workspace
from jobs.storage import copy_from_file, copy_to_file
from jobs.storage.uris import local_path, scheme, shown

__all__ = ["MODES", "Built", "Pairing", "build_manifest"]


def build_manifest(pairing: Pairing, to: str, *, previous: str | None = None) -> Built:
    """Builds the manifest of a pairing.

    Rows are in the order of the contents' keys, then of the styles'. References are relative where manifest and
    pictures are local, so that the whole tree can be moved. Names depend on nothing but the keys of the two pictures.

    Args:
        pairing: what is paired with what.
        to: local path or s3:// URI of a .parquet file; it appears whole or not at all.
        previous: a manifest whose rows all come first, as they are, even where their pictures are gone. Contents that
            have enough pairs there get no others; what is there of it is not looked at again for its size.

    Raises:
        ManifestError: the pairing contradicts itself, there are no pictures or no pairs, names collide, or `previous`
            is not a manifest that was built of the same places.
        StorageError: a store cannot be listed, read or written.
        PlanError: no room for temporary files.
    """
    pairing.check()
    if Path(to).suffix != ".parquet":
        raise ManifestError(f"{shown(to)}: the name of a manifest that is built ends with .parquet")
    to, previous = _absolute(to), previous and _absolute(previous)
    sides = _open_sides(pairing, to)
    passed_over: Counter[str] = Counter()
    with TemporaryDirectory(prefix="ift-build-") as name, open_workspace(Path(name)) as workspace:
        before = Previous(previous, copy_to_file(previous, Path(name)), to) if previous else None
        load_previous(workspace, before)
        for side, (roots, masks) in sides.items():
            find(workspace, side, roots, passed_over)
            keep(workspace, side, roots, pairing, passed_over)
            add_masks(workspace, side, masks, passed_over)
        join_sides(workspace, pairing.mode, passed_over)
        file = Path(name) / "manifest.parquet"
        rows = _write(workspace, pairing, before, file)
        if not rows:
            raise ManifestError("there are no pairs: no content has a style of its name")
        if before:
            refuse_remade(workspace)
        copy_from_file(file, to)
        ((contents,),) = workspace.rows("SELECT count(*) FROM contents")
        ((styles,),) = workspace.rows("SELECT count(*) FROM styles")
    counts = {reason: count for reason, count in sorted(passed_over.items()) if count}
    return Built(rows, rows - (before.rows if before else 0), contents, styles, counts)


def _open_sides(pairing: Pairing, to: str) -> dict[str, tuple[tuple[Root, ...], tuple[Root, ...]]]:
    """Contents and styles, each with their masks."""
    given = {"contents": (pairing.contents, pairing.content_masks), "styles": (pairing.styles, pairing.style_masks)}
    sides = {}
    for side, (uris, mask) in given.items():
        roots, masks = open_roots(uris, to), open_roots([mask] if mask else [], to)
        refuse_nested([*roots, *masks])  # or masks would be taken for pictures
        sides[side] = roots, masks
    return sides


def _write(workspace: Workspace, pairing: Pairing, before: Previous | None, file: Path) -> int:
    masks = [MASKS] if pairing.content_masks is not None else []
    schema = pa.unify_schemas([MANIFEST, *masks, *([before.schema] if before else [])])
    batches = chain(before.batches(), _noted(workspace, pairing)) if before else new_pairs(workspace, pairing)
    with tqdm(desc="writing", unit=" pairs", dynamic_ncols=True, disable=None) as bar:
        return write_rows(file, schema, _told(batches, bar))


def _noted(workspace: Workspace, pairing: Pairing) -> Iterator[pa.RecordBatch]:
    """New pairs, whose ids are taken down in the table `made`."""
    workspace.run("CREATE TABLE made (pair_id VARCHAR)")
    for batch in new_pairs(workspace, pairing):
        workspace.insert("made", pa.table({"pair_id": batch["pair_id"]}))
        yield batch


def _told(batches: Iterable[pa.RecordBatch], bar: tqdm) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        bar.update(batch.num_rows)


def _absolute(uri: str) -> str:
    return uri if scheme(uri) == "s3" else str(local_path(uri).absolute())
