"""What lies below the roots: tables of the pictures, their keys and references, in a workspace."""

# ruff: noqa: S608 (no name of a file is part of a query)

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
from tqdm import tqdm

from jobs.errors import ManifestError
from jobs.inventory import batches
from jobs.manifest.building.roots import Root
from jobs.plan.workspace import Workspace
from jobs.storage.uris import shown
from jobs.suffixes import SUFFIXES

_KEYS = pa.schema({"root": pa.int16(), "key": pa.string()})


def find(workspace: Workspace, side: str, roots: Sequence[Root], passed_over: Counter[str]) -> None:
    """Makes the table `found_<side>` of all pictures below the roots.

    Its columns are `root`, the place of the root; `key`; `name`, which is the key without its suffix; `reference`, as
    the manifest has it; and `mark`, a number that stands for the reference. 64 bits tell 10⁸ of them apart.

    Raises:
        StorageError: a root cannot be listed.
        ManifestError: there is no picture, or one key is below two roots.
    """
    workspace.run(f"CREATE TABLE keys_{side} (root SMALLINT, key VARCHAR)")
    with tqdm(desc=f"finding {side.replace('_', ' ')}", unit=" pictures", dynamic_ncols=True, disable=None) as bar:
        for place, root in enumerate(roots):
            for some in batches(root.keys(passed_over)):
                workspace.insert(f"keys_{side}", pa.table([[place] * len(some), some], schema=_KEYS))
                bar.update(len(some))
    _add_prefixes(workspace, side, roots)
    workspace.run(
        f"""CREATE TABLE found_{side} AS
        SELECT root, key, regexp_replace(key, '\\.[^./]*$', '') AS name, prefix || key AS reference,
            hash(prefix || key) AS mark
        FROM keys_{side} JOIN prefixes_{side} USING (root)"""
    )
    workspace.run(f"DROP TABLE keys_{side}")
    if not workspace.rows(f"SELECT 1 FROM found_{side} LIMIT 1"):
        where = ", ".join(shown(root.store.uri) for root in roots)
        raise ManifestError(f"there are no pictures below {where} (looked for {' '.join(SUFFIXES)})")
    _refuse_twins(workspace, side, roots)


def _add_prefixes(workspace: Workspace, side: str, roots: Sequence[Root]) -> None:
    workspace.run(f"CREATE TABLE prefixes_{side} (root SMALLINT, prefix VARCHAR)")
    rows = [list(range(len(roots))), [root.prefix for root in roots]]
    workspace.insert(f"prefixes_{side}", pa.table(rows, pa.schema({"root": pa.int16(), "prefix": pa.string()})))


def _refuse_twins(workspace: Workspace, side: str, roots: Sequence[Root]) -> None:
    if len(roots) == 1:
        return
    for key, first, last in workspace.rows(
        f"SELECT key, min(root), max(root) FROM found_{side} GROUP BY key HAVING count(*) > 1 ORDER BY key LIMIT 1"
    ):
        raise ManifestError(
            f"{shown(roots[first].uri(key))} and {shown(roots[last].uri(key))} have the same name below their roots,"
            " and so would their outputs: rename one, or give the folder that holds both roots"
        )
