"""What a manifest holds, in numbers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.manifest import Defaults, Manifest
from jobs.plan.loading import load_manifest
from jobs.plan.workspace import Workspace, open_workspace
from jobs.storage import copy_to_file
from jobs.storage.uris import absolute_uri, shown

MOST_LABELS = 1000
"""That are described; more are counted."""

_MOST_SHOWN = 20


@dataclass(frozen=True)
class Spread:
    """How many pairs the pictures of a side have."""

    min: int
    median: float
    max: int


@dataclass(frozen=True)
class Description:
    """A manifest in numbers.

    Attributes:
        rows: pairs.
        contents: distinct content pictures.
        styles: distinct style pictures.
        labels: how many there are.
        unlabelled: rows without a label.
        rows_by_label: the first by name.
        groups: how many there are.
        with_group: rows.
        largest_group: rows of it; 0 if there is none.
        pairs_per_content: spread.
        pairs_per_style: spread.
        rows_by_look: by preset, method and resolution; no resolution means that the row leaves it to the job.
        with_content_mask: rows.
        with_style_mask: rows, whether their mask is a picture or a label.
        with_several_styles: rows.
    """

    rows: int
    contents: int
    styles: int
    labels: int
    unlabelled: int
    rows_by_label: dict[str, int]
    groups: int
    with_group: int
    largest_group: int
    pairs_per_content: Spread
    pairs_per_style: Spread
    rows_by_look: list[dict[str, Any]]
    with_content_mask: int
    with_style_mask: int
    with_several_styles: int

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def describe(uri: str) -> Description:
    """Describes a manifest; memory does not grow with its rows.

    Raises:
        ManifestError: it cannot be used.
        StorageError: it cannot be read.
        PlanError: no room for temporary files.
    """
    uri = absolute_uri(uri)
    with TemporaryDirectory(prefix="ift-describe-") as name, open_workspace(Path(name)) as workspace:
        load_manifest(workspace, Manifest(uri, copy_to_file(uri, Path(name)), Defaults()))
        return _description(workspace)


def print_description(description: Description, console: Console) -> None:
    """For people: tables."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name in ("rows", "contents", "styles", "labels", "unlabelled", "groups"):
        table.add_row(name, f"{getattr(description, name):,}")
    for side in ("content", "style"):
        spread = getattr(description, f"pairs_per_{side}")
        table.add_row(f"pairs per {side}: min, median, max", f"{spread.min:,}  {spread.median:,g}  {spread.max:,}")
    for name in ("with_content_mask", "with_style_mask", "with_several_styles", "with_group"):
        table.add_row(f"rows {name.replace('_', ' ')}", f"{getattr(description, name):,}")
    table.add_row("rows of the largest group", f"{description.largest_group:,}")
    console.print(table)
    looks = Table("preset", "method", "resolution")
    looks.add_column("rows", justify="right")
    for look in description.rows_by_look[:_MOST_SHOWN]:
        looks.add_row(look["preset"], look["method"], str(look["resolution"] or "the job's"), f"{look['rows']:,}")
    console.print(looks)
    if description.labels:
        labels = Table("label")
        labels.add_column("rows", justify="right")
        for label, count in list(description.rows_by_label.items())[:_MOST_SHOWN]:
            labels.add_row(escape(shown(label)), f"{count:,}")
        console.print(labels)
        if description.labels > _MOST_SHOWN:
            console.print(f"and {description.labels - _MOST_SHOWN:,} more labels", highlight=False)


def _description(workspace: Workspace) -> Description:
    ((rows, labels, unlabelled, masked),) = workspace.rows(
        """SELECT count(*), count(DISTINCT label), count(*) FILTER (label IS NULL), count(content_mask) FROM manifest"""
    )
    ((groups, grouped, largest),) = workspace.rows(
        """SELECT count(*), coalesce(sum(rows), 0)::BIGINT, coalesce(max(rows), 0)
        FROM (SELECT count(*) AS rows FROM manifest WHERE "group" IS NOT NULL GROUP BY "group")"""
    )
    workspace.run("CREATE TABLE uses AS SELECT recipe, count(*) AS rows FROM manifest GROUP BY recipe")
    ((style_masked, several),) = workspace.rows(
        """SELECT coalesce(sum(rows) FILTER (list_count(style_masks) > 0), 0),
            coalesce(sum(rows) FILTER (len(styles) > 1), 0)
        FROM uses JOIN recipes USING (recipe)"""
    )
    contents = "SELECT count(*) AS pairs FROM manifest GROUP BY content"
    styles = """SELECT sum(rows) AS pairs FROM (
            SELECT unnest(list_distinct(styles)) AS style, rows FROM uses JOIN recipes USING (recipe)
        ) GROUP BY style"""
    looks = workspace.rows(
        """SELECT preset, method, resolution, sum(rows)::BIGINT AS n FROM uses JOIN recipes USING (recipe)
        JOIN words USING (words) GROUP BY ALL ORDER BY n DESC, preset, method, resolution"""
    )
    by_label = workspace.rows(
        f"""SELECT label, count(*) FROM manifest WHERE label IS NOT NULL GROUP BY label ORDER BY label
        LIMIT {MOST_LABELS}"""  # noqa: S608 (a number)
    )
    content_count, per_content = _spread(workspace, contents)
    style_count, per_style = _spread(workspace, styles)
    return Description(
        rows=rows,
        contents=content_count,
        styles=style_count,
        labels=labels,
        unlabelled=unlabelled,
        rows_by_label=dict(by_label),
        groups=groups,
        with_group=grouped,
        largest_group=largest,
        pairs_per_content=per_content,
        pairs_per_style=per_style,
        rows_by_look=[dict(zip(("preset", "method", "resolution", "rows"), look, strict=True)) for look in looks],
        with_content_mask=masked,
        with_style_mask=int(style_masked),
        with_several_styles=int(several),
    )


def _spread(workspace: Workspace, pairs: str) -> tuple[int, Spread]:
    """How many pictures there are, and the spread of their pairs."""
    query = f"SELECT count(*), min(pairs)::BIGINT, median(pairs), max(pairs)::BIGINT FROM ({pairs})"  # noqa: S608
    ((count, least, middle, most),) = workspace.rows(query)
    return count, Spread(least, float(middle), most)
