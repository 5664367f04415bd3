"""A manifest, read into a workspace; what is wrong between its rows is found there."""

# ruff: noqa: S608 (no text of a manifest is part of a query)

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from jobs.manifest import Manifest, Recipe, problem
from jobs.plan.fingerprint import look_of, setting_of
from jobs.plan.workspace import Workspace

_TABLES = """
CREATE TABLE manifest (
    row BIGINT, pair_id VARCHAR, derived BOOLEAN, content VARCHAR, content_mask VARCHAR, output VARCHAR, label VARCHAR,
    "group" VARCHAR, recipe BIGINT
);
CREATE TABLE recipes (
    recipe BIGINT, styles VARCHAR[], style_weights DOUBLE[], style_masks VARCHAR[], resolution INTEGER,
    style_resolution INTEGER, words VARCHAR, look VARCHAR, setting VARCHAR
);
CREATE TABLE words_of_recipes (words VARCHAR, method VARCHAR, preset VARCHAR, settings VARCHAR);
"""

# Settings are long and few, so they are sorted first, and then recipes by their places. Texts are compared by their
# bytes, which is the order of their characters.
_ORDER = """
CREATE TABLE words AS
SELECT *, dense_rank() OVER (ORDER BY settings) AS place FROM (SELECT DISTINCT * FROM words_of_recipes);
CREATE TABLE places AS
SELECT recipe, dense_rank() OVER (
    ORDER BY coalesce(resolution, 0), styles, [coalesce(mask, '') FOR mask IN style_masks], words.place
) AS place FROM recipes JOIN words USING (words);
"""

_RECIPES = pa.schema(
    {
        "recipe": pa.int64(),
        "styles": pa.list_(pa.string()),
        "style_weights": pa.list_(pa.float64()),
        "style_masks": pa.list_(pa.string()),
        "resolution": pa.int32(),
        "style_resolution": pa.int32(),
        "words": pa.string(),
        "look": pa.string(),
        "setting": pa.string(),
    }
)


def load_manifest(workspace: Workspace, manifest: Manifest) -> None:
    """Fills the tables `manifest` (`jobs.manifest.ROWS`), `recipes`, `words` (texts of settings) and `places`.

    `places` is where in the plan the rows of each recipe come.

    Raises:
        ManifestError: the manifest, or rows of it, cannot be used.
        PlanError: no room.
    """
    load_rows(workspace, manifest)
    manifest.check()
    workspace.run(_ORDER)


def load_rows(workspace: Workspace, manifest: Manifest) -> None:
    """Fills the tables `manifest` and `recipes` with the rows that can be used; the others join the problems.

    Raises:
        ManifestError: the file is damaged, lacks a column, or has no rows.
        PlanError: no room.
    """
    workspace.run(_TABLES)
    with workspace.transaction():
        for checked in manifest.batches():
            workspace.insert("manifest", checked.rows)
            if checked.recipes:
                _add_recipes(workspace, checked.recipes)
    _find_twins(workspace, manifest)


def _add_recipes(workspace: Workspace, recipes: Sequence[Recipe]) -> None:
    words = [hashlib.sha256("\n".join((r.method, r.preset, r.settings)).encode()).hexdigest() for r in recipes]
    columns = {
        "recipe": [recipe.number for recipe in recipes],
        "styles": [recipe.styles for recipe in recipes],
        "style_weights": [recipe.style_weights for recipe in recipes],
        "style_masks": [recipe.style_masks for recipe in recipes],
        "resolution": [recipe.resolution for recipe in recipes],
        "style_resolution": [recipe.style_resolution for recipe in recipes],
        "words": words,
        "look": list(map(look_of, recipes)),
        "setting": list(map(setting_of, recipes)),
    }
    workspace.insert("recipes", pa.table(columns, schema=_RECIPES))
    texts = {key: (recipe.method, recipe.preset, recipe.settings) for key, recipe in zip(words, recipes, strict=True)}
    methods, presets, settings = zip(*texts.values(), strict=True)
    table = {"words": list(texts), "method": methods, "preset": presets, "settings": settings}
    workspace.insert("words_of_recipes", pa.table({name: pa.array(column) for name, column in table.items()}))


def _find_twins(workspace: Workspace, manifest: Manifest) -> None:
    """Adds to the problems each row whose output or id is that of an earlier row."""
    workspace.run("CREATE TEMP TABLE twins (row BIGINT, first BIGINT, name VARCHAR, value VARCHAR)")
    for name in ("output", "pair_id"):
        # Few numbers, of which those that come twice are looked at once more; texts would take much more room.
        workspace.run(
            f"""INSERT INTO twins
            SELECT row, first, '{name}', {name} FROM (
                SELECT row, {name}, min(row) OVER (PARTITION BY {name}) AS first FROM manifest
                WHERE hash({name}) IN (
                    SELECT hash({name}) FROM manifest WHERE {name} IS NOT NULL GROUP BY ALL HAVING count(*) > 1
                )
            ) WHERE row > first"""
        )
    ((count,),) = workspace.rows("SELECT count(DISTINCT row) FROM twins")
    if count:
        _describe_twins(workspace, manifest, count)


def _describe_twins(workspace: Workspace, manifest: Manifest, count: int) -> None:
    twins = workspace.rows(
        f"""SELECT DISTINCT ON (row) row, first, name, value, name = 'pair_id' AND m.derived AND f.derived AS derived
        FROM twins JOIN manifest m USING (row) JOIN manifest f ON f.row = first
        ORDER BY row, name LIMIT {manifest.problems.most}"""
    )
    said = manifest.said([row for row, *_, derived in twins if derived])

    def describe(place: int) -> str:
        row, first, name, value, derived = twins[place]
        if derived:
            reason = f"rows {first} and {row} are the same pair: remove one, or give them different pair_id"
            return problem(row, "content and style", said[row], reason)
        return problem(row, name, value, f"row {first} has it too: give each row its own")

    manifest.problems.add(np.array([row for row, *_ in twins]), describe, count - len(twins))
