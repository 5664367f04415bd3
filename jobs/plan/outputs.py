"""Names of outputs, and the names that cannot stand side by side."""

# ruff: noqa: S608 (no text of a manifest is part of a query)

from __future__ import annotations

from jobs.errors import PlanError
from jobs.manifest import IMAGES, OUTPUT_SUFFIXES
from jobs.plan.workspace import Workspace

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
"""The image formats of outputs whose name the manifest does not give."""

_MANY_ROWS, _VERY_MANY_ROWS = 10_000, 10_000_000  # above these, derived names are spread over 256 and 65,536 folders

_IN_A_FILE = rf"(?i)({'|'.join(suffix[1:] for suffix in OUTPUT_SUFFIXES)})/"


def output_sql(suffix: str, rows: int) -> str:
    """The SQL expression of the key of a row's output in the store, from its columns output and pair_id.

    Args:
        suffix: of derived names.
        rows: number of pairs in the whole plan, by which derived names are spread over folders.
    """
    digest = "sha256(pair_id)"
    folder = f"left({digest}, 2) || '/' || " if rows > _MANY_ROWS else ""
    if rows > _VERY_MANY_ROWS:
        folder += f"substr({digest}, 3, 2) || '/' || "
    return f"'{IMAGES}' || coalesce(output, {folder}pair_id || '{suffix}')"


def check_outputs(workspace: Workspace) -> None:
    """Sees to it that no output of table `fresh` is that of another row there or of a pair in `planned`, or below it.

    A derived name may be one that another row gives itself; and a local folder cannot be a file as well.

    Raises:
        PlanError: there is such an output.
    """
    workspace.run(
        """CREATE OR REPLACE TEMP VIEW outputs AS
        SELECT output, row, NULL AS planned FROM fresh UNION ALL SELECT output, NULL, pair_id FROM planned"""
    )
    # Few numbers, of which those that come twice are looked at once more; texts would take much more room.
    workspace.run(
        """CREATE OR REPLACE TEMP TABLE suspects AS
        SELECT hash(output) AS mark FROM outputs GROUP BY mark HAVING count(*) > 1"""
    )
    for output, first, second, planned in workspace.rows(
        """SELECT output, min(row) AS first, max(row), min(planned) FROM outputs
        WHERE hash(output) IN (SELECT mark FROM suspects)
        GROUP BY output HAVING count(*) > 1 ORDER BY first LIMIT 1"""
    ):
        if planned is not None:
            raise PlanError(
                f"row {second} (counting from 0) has the output {output!r}, which the pair {planned!r} has that was"
                " planned before: change column output"
            )
        raise PlanError(
            f"rows {first} and {second} (counting from 0) have the same output {output!r}: change column output"
        )
    _check_folders(workspace)


def _check_folders(workspace: Workspace) -> None:
    workspace.run(
        f"""CREATE OR REPLACE TEMP TABLE parents AS
        SELECT output, row, planned, array_to_string(parts[:depth], '/') AS parent FROM (
            SELECT *, unnest(range(1, len(parts))) AS depth FROM (
                SELECT *, string_split(output, '/') AS parts FROM outputs
                WHERE regexp_matches(output, '{_IN_A_FILE}')
            )
        )"""
    )
    for output, row, planned, other, other_planned in workspace.rows(
        """SELECT p.output, p.row, p.planned, o.row, o.planned FROM parents p JOIN outputs o ON p.parent = o.output
        WHERE p.planned IS NULL OR o.planned IS NULL ORDER BY p.row, p.output, o.row LIMIT 1"""
    ):
        raise PlanError(
            f"{_owner(row, planned)} has the output {output!r}, in a folder that is the output of"
            f" {_owner(other, other_planned).replace(' (counting from 0)', '')}: change column output"
        )


def _owner(row: int | None, planned: str | None) -> str:
    return f"row {row} (counting from 0)" if planned is None else f"the planned pair {planned!r}"
