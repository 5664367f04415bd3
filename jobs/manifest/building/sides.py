"""Contents and styles side by side: their masks, the pairs that they have already, and partners of the same name."""

# ruff: noqa: S608 (no name of a file is part of a query)

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from jobs.errors import ManifestError
from jobs.manifest.building.found import find
from jobs.manifest.building.previous import Previous
from jobs.manifest.building.roots import Root
from jobs.plan.workspace import Workspace

WITHOUT_MASK = {"contents": "a content without a mask", "styles": "a style without a mask"}
WITHOUT_STYLE, WITHOUT_CONTENT = "a content without a style of its name", "a style without a content of its name"


def load_previous(workspace: Workspace, before: Previous | None) -> None:
    """Makes the table `previous` of the pairs that there are, all in numbers: content, style and pair.

    Raises:
        ManifestError: they cannot be read.
    """
    workspace.run("CREATE TABLE previous (content UBIGINT, style UBIGINT, pair UBIGINT)")
    if before is None:
        return
    with workspace.transaction():
        for batch in before.batches():
            some = pa.Table.from_batches([batch]).select(["content", "style", "pair_id"])
            workspace.insert("previous", some, "hash(content), hash(style), hash(pair_id)")


def add_masks(workspace: Workspace, side: str, masks: Sequence[Root], passed_over: Counter[str]) -> None:
    """Makes the table `masked_<side>`: that of the kept pictures, each with its `mask` where there is one.

    Of several masks of one name the first by key is taken.

    Raises:
        StorageError: the masks cannot be listed.
        ManifestError: there are none.
    """
    if not masks:
        workspace.run(f"CREATE TABLE masked_{side} AS SELECT *, NULL::VARCHAR AS mask FROM kept_{side}")
        return
    find(workspace, f"{side}_masks", masks, passed_over)
    workspace.run(
        f"""CREATE TABLE masked_{side} AS
        SELECT k.*, mask FROM kept_{side} k LEFT JOIN (
            SELECT name, arg_min(reference, key) AS mask FROM found_{side}_masks GROUP BY name
        ) USING (name)"""
    )
    without = f"SELECT count(*) FROM masked_{side} WHERE mask IS NULL"
    passed_over[WITHOUT_MASK[side]] += workspace.rows(without)[0][0]


def join_sides(workspace: Workspace, mode: str, passed_over: Counter[str]) -> None:
    """Makes the tables `styles` and `contents`.

    A style has a `number` in the order of the keys; a content has `made`, how many pairs it has; `taken`, the numbers
    of their styles as far as these are still there; and `partner`, the number of the style of its name.
    """
    workspace.run(
        "CREATE TABLE styles AS SELECT row_number() OVER (ORDER BY key)::INT - 1 AS number, * FROM masked_styles"
    )
    workspace.run("CREATE TABLE partners (key VARCHAR, partner INTEGER)")
    if mode == "paired":
        _find_partners(workspace)
    workspace.run(
        """CREATE TABLE contents AS
        SELECT c.key, reference, mask, coalesce(made, 0) AS made, taken, partner
        FROM masked_contents c LEFT JOIN partners USING (key) LEFT JOIN (
            SELECT content AS mark, count(*) AS made, list(number) FILTER (number IS NOT NULL) AS taken
            FROM previous LEFT JOIN styles ON style = mark GROUP BY content
        ) USING (mark)"""
    )
    if mode == "paired":
        ((lonely,),) = workspace.rows("SELECT count(*) FROM contents WHERE partner IS NULL AND made = 0")
        ((unused,),) = workspace.rows(
            "SELECT count(*) FROM styles WHERE NOT known AND number NOT IN (SELECT partner FROM partners)"
        )
        passed_over.update({WITHOUT_STYLE: lonely, WITHOUT_CONTENT: unused})


def _find_partners(workspace: Workspace) -> None:
    """By the path without suffix; what finds none so, by its last part, where no two contents or styles share that."""
    workspace.run(
        """INSERT INTO partners
        SELECT c.key, min(s.number) FROM masked_contents c JOIN styles s USING (name) GROUP BY c.key"""
    )
    stem, once = "regexp_extract(name, '[^/]*$') AS stem", "GROUP BY stem HAVING count(*) = 1"
    workspace.run(
        f"""INSERT INTO partners
        SELECT key, number
        FROM (SELECT {stem}, any_value(key) AS key FROM masked_contents {once})
        JOIN (SELECT {stem}, any_value(number) AS number FROM styles {once}) USING (stem)
        WHERE key NOT IN (SELECT key FROM partners)"""
    )


def refuse_remade(workspace: Workspace) -> None:
    """Raises ManifestError if a pair of the table `made` is in `previous` with other references."""
    for (pair_id,) in workspace.rows(
        "SELECT pair_id FROM made WHERE hash(pair_id) IN (SELECT pair FROM previous) LIMIT 1"
    ):
        raise ManifestError(
            f"the pair {pair_id!r} is in the previous manifest with pictures of another place: give the same folders"
            " or prefixes as then, or build a new manifest"
        )
