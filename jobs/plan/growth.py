"""What a manifest adds to a plan that is there, and why it may be another job's."""

# ruff: noqa: S608 (no text of a manifest is part of a query)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from jobs.manifest import IMAGES
from jobs.plan.frozen import Plan
from jobs.plan.workspace import Workspace

_SHOWN = 3

# Of each pair a few numbers in place of its long texts. They are worked out by one program in one go on both sides.
_LOOK = "hash(styles, style_weights, style_masks)"
_SETTING = "hash(resolution, style_resolution, method, preset, settings)"
_WAY = "hash(styles, style_weights, style_masks, style_resolution, settings)"  # a group with several is several groups


def load_planned(workspace: Workspace, plan: Plan | None) -> None:
    """Fills the table `planned` with the pairs of a plan; of none, it stays empty.

    Raises:
        PlanError: the plan is damaged, or no room.
        StorageError: its store cannot be reached.
    """
    workspace.run(
        """CREATE OR REPLACE TABLE planned (
            pair_id VARCHAR, pair UBIGINT, setting UBIGINT, circle UBIGINT, output VARCHAR
        )"""
    )
    pair = f'hash(content, content_mask, label, "group", {_LOOK})'
    columns = f"pair_id, {pair}, {_SETTING}, {_circle(_WAY)}, output"
    with workspace.transaction():
        for page in plan.pages() if plan else ():
            workspace.insert("planned", page, columns)


def differences(workspace: Workspace, plan: Plan, options: Mapping[str, Any], weights: str) -> list[str]:
    """Why the manifest and the options cannot go on with a plan, in the user's words; nothing if they can.

    Rows of the manifest that are not planned yet are no difference, nor is another order of the rows. But a planned
    group cannot gain rows: those that are made already lack the statistics of the new ones.
    """
    _compare(workspace)
    ((rows,),) = workspace.rows("SELECT count(*) FROM manifest")
    missing, changed, otherwise, renamed = map(
        partial(_named, workspace), ("missing", "changed", "set_otherwise", "renamed")
    )
    gained = _gained(workspace)
    which = "".join([f"; missing: {missing}" if missing else "", f"; changed: {changed}" if changed else ""])
    words = {
        f"other pairs in the manifest ({plan.rows} rows then, {rows} now{which})": which,
        gained: gained,
        "other resolutions, presets or settings, as options or as columns of the manifest"
        f" (changed: {otherwise})": otherwise,
        f"other options of the output ({_words(plan.options)} then, {_words(options)} now)": plan.options != options,
        f"other model weights (sha256 {plan.weights[:12]} then, {weights[:12]} now)": plan.weights != weights,
        f"other names of outputs (changed: {renamed})": renamed,
    }
    return [text for text, differs in words.items() if differs]


def _compare(workspace: Workspace) -> None:
    """Makes the table `changes` of the planned pairs that the manifest lacks or changes."""
    workspace.run(
        f"""CREATE OR REPLACE TEMP TABLE changes AS
        WITH now AS (
            SELECT pair_id, hash(content, content_mask, label, "group", look) AS pair, setting, output
            FROM manifest JOIN (
                SELECT recipe, {_LOOK} AS look, {_SETTING} AS setting FROM recipes JOIN words USING (words)
            ) USING (recipe)
        ), compared AS (
            SELECT pair_id, now.pair_id IS NULL AS missing, planned.pair <> now.pair AS changed,
                planned.setting <> now.setting AS set_otherwise, '{IMAGES}' || now.output <> planned.output AS renamed
            FROM planned LEFT JOIN now USING (pair_id)
        )
        SELECT * FROM compared WHERE missing OR changed OR set_otherwise OR renamed"""
    )


def _gained(workspace: Workspace) -> str:
    """What to say of planned groups with rows that are not planned; nothing if there is none."""
    workspace.run(
        f"""CREATE OR REPLACE TEMP TABLE gained AS
        SELECT DISTINCT "group" FROM (
            SELECT pair_id, "group", {_circle("way")} AS circle FROM manifest JOIN (
                SELECT recipe, {_WAY} AS way FROM recipes JOIN words USING (words)
            ) USING (recipe) WHERE "group" IS NOT NULL
        ) ANTI JOIN planned USING (pair_id)
        WHERE circle IN (SELECT circle FROM planned WHERE circle IS NOT NULL)"""
    )
    ((count,),) = workspace.rows("SELECT count(*) FROM gained")
    if not count:
        return ""
    named = _first(workspace.rows(f'SELECT "group" FROM gained ORDER BY "group" LIMIT {_SHOWN}'), count)
    which = f"the group {named} has" if count == 1 else f"the groups {named} have"
    return f"{which} gained rows, without which its pictures were planned: give these rows another group"


def _circle(way: str) -> str:
    """SQL: of those who share their statistics; NULL of a pair by itself."""
    return f"""CASE WHEN "group" IS NOT NULL THEN hash("group", {way}) END"""


def _named(workspace: Workspace, change: str) -> str:
    """The first few pairs with a change, and how many more there are; nothing if there is none."""
    ((count,),) = workspace.rows(f"SELECT count(*) FROM changes WHERE {change}")
    return _first(workspace.rows(f"SELECT pair_id FROM changes WHERE {change} ORDER BY pair_id LIMIT {_SHOWN}"), count)


def _first(names: Sequence[tuple[str]], count: int) -> str:
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return ", ".join(repr(name) for (name,) in names) + more


def _words(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())
