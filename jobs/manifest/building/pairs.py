"""New pairs, as rows of a manifest, made as they are written."""

# ruff: noqa: S608 (no name of a file is part of a query)

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import ManifestError
from jobs.manifest.building.choice import Waiting, choice
from jobs.manifest.building.names import Names
from jobs.manifest.building.pairing import Pairing
from jobs.manifest.building.write import GROUP_ROWS
from jobs.plan.outputs import SUFFIXES
from jobs.plan.workspace import Workspace


def new_pairs(workspace: Workspace, pairing: Pairing) -> Iterator[pa.RecordBatch]:
    """The rows that are missing, by the contents' keys and then the styles', from the tables of `join_sides`.

    Raises:
        ManifestError: there are fewer styles than each content is to get.
    """
    styles = workspace.table("SELECT key, reference, mask FROM styles ORDER BY number").combine_chunks()
    count = len(styles)
    if pairing.mode == "random" and pairing.styles_per_content > count:
        raise ManifestError(
            f"{pairing.styles_per_content} styles per content, and {count} that are fit: give more, or ask for fewer"
        )
    keys = styles["key"].to_pylist()
    choose, names = choice(pairing.mode, keys, pairing.styles_per_content, pairing.seed), Names(keys)
    most = {"random": pairing.styles_per_content, "cross": count, "paired": 1}[pairing.mode]
    lacking = {"random": f"made < {most}", "cross": f"coalesce(len(taken), 0) < {count}", "paired": "made = 0"}
    query = f"""SELECT *, regexp_extract(key, '^(.*/)[^/]*$', 1) AS folder, regexp_extract(key, '^([^/]*)/', 1) AS label
        FROM contents WHERE {lacking[pairing.mode]} ORDER BY key"""
    for batch in workspace.stream(query):
        step = max(GROUP_ROWS // most, 1)
        for start in range(0, batch.num_rows, step):
            contents = batch.slice(start, step)
            waiting = _waiting(contents)
            places, chosen = choose(waiting)
            ids = pa.array(names.of(waiting.keys, (places, chosen)), pa.string())
            yield _rows(
                contents.take(pa.array(places)), styles.take(pa.array(chosen)), ids, SUFFIXES[pairing.image_format]
            )


def _waiting(contents: pa.RecordBatch) -> Waiting:
    taken = contents["taken"]
    return Waiting(
        keys=contents["key"].to_pylist(),
        made=contents["made"].to_numpy(),
        taken=(pc.list_parent_indices(taken).to_numpy(), pc.list_flatten(taken).to_numpy()),
        partner=contents["partner"].fill_null(-1).to_numpy().astype(np.int64),
    )


def _rows(contents: pa.RecordBatch, styles: pa.Table, ids: pa.Array, suffix: str) -> pa.RecordBatch:
    label, mask = contents["label"], contents["mask"]
    nothing = pa.scalar(None, pa.string())
    styles = styles.combine_chunks()
    columns = {
        "content": contents["reference"],
        "style": styles["reference"].combine_chunks(),
        "pair_id": ids,
        "output": pc.binary_join_element_wise(contents["folder"], ids, suffix, ""),
        "label": pc.if_else(pc.equal(label, ""), nothing, label),
        "content_mask": mask,
        # A style's regions mean nothing to a content that has none.
        "style_mask": pc.if_else(mask.is_valid(), styles["mask"].combine_chunks(), nothing),
    }
    return pa.RecordBatch.from_pydict(columns)
