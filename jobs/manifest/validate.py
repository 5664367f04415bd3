"""Whether a manifest can be run: all that planning it would refuse, and every picture that it names."""

# ruff: noqa: S608 (no text of a manifest is part of a query)

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.errors import ManifestError, PlanError
from jobs.manifest import LABEL, Defaults, Manifest
from jobs.manifest.readable import Look, Looked, Picture
from jobs.plan.growth import load_planned
from jobs.plan.loading import load_rows
from jobs.plan.outputs import SUFFIXES, check_outputs, output_sql
from jobs.plan.workspace import Workspace, open_workspace
from jobs.storage import copy_to_file
from jobs.storage.uris import absolute_uri, shown

MOST_KEPT = 1000
"""Findings of a kind; more are counted."""

_MOST_SHOWN = 20

Looking = Callable[[Look, Iterable[Picture]], Iterator[Looked]]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        row: the first that is concerned, from 0; None for the manifest as a whole.
        rows: how many are.
        problem: in plain words.
        column: of the picture, where it is one that is wrong.
    """

    row: int | None
    rows: int
    problem: str
    column: str | None = None


@dataclass
class Validity:
    """What was looked at, and what was found.

    Attributes:
        manifest: its URI.
        quick: whether pictures were only looked for.
        rows: of the manifest.
        unusable: rows that planning refuses.
        pictures: distinct pictures and masks of the other rows.
        wrong: those of them that are missing or cannot be decoded.
        findings: the first of each kind.
    """

    manifest: str
    quick: bool
    rows: int = 0
    unusable: int = 0
    pictures: int = 0
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        """Whether nothing wrong was found."""
        return not self.findings

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return json.dumps({"fine": self.fine, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"


def validate(
    uri: str,
    defaults: Defaults,
    look: Look,
    *,
    image_format: str = "jpeg",
    looking: Looking,
    progress: Callable[[Iterator[Looked], int], Iterable[Looked]] = lambda looked, total: looked,
) -> Validity:
    """Checks a manifest with all its pictures, each of them once; memory does not grow with the rows.

    Args:
        uri: of the manifest.
        defaults: what applies where a row gives nothing.
        look: how pictures are looked at.
        image_format: of outputs that the manifest does not name.
        looking: `look_with_threads` or `look_with_ray`.
        progress: wraps what comes of the pictures, told how many there are.

    Raises:
        StorageError: the manifest cannot be read, a store is away, or does not accept who asks.
        SettingsError: the defaults contradict each other.
        PlanError: no room for temporary files.
    """
    uri = absolute_uri(uri)
    validity = Validity(uri, look.quick)
    with TemporaryDirectory(prefix="ift-validate-") as name, open_workspace(Path(name)) as workspace:
        try:
            file = copy_to_file(uri, Path(name))
            manifest = Manifest(uri, file, defaults, look.allowed, MOST_KEPT)
            load_rows(workspace, manifest)
        except ManifestError as error:
            validity.findings.append(Finding(None, 1, str(error)))
            return validity
        _take_down_rows(manifest, validity)
        _check_outputs(workspace, image_format, validity)
        workspace.run(_PICTURES)
        ((validity.pictures,),) = workspace.rows("SELECT count(*) FROM pictures")
        wrong = []
        for picture, problem in progress(looking(look, _pictures(workspace)), validity.pictures):
            if problem is not None:
                validity.wrong += 1
                wrong.append(Finding(picture.row, picture.rows, problem, picture.columns))
                if len(wrong) == 2 * MOST_KEPT:
                    wrong = _first(wrong)
        validity.findings += _first(wrong)
    return validity


def print_validity(validity: Validity, console: Console) -> None:
    """For people: a table of what is wrong, and the sum of it."""
    if validity.findings:
        table = Table(title="What is wrong", title_justify="left", show_lines=False)
        table.add_column("row", justify="right")
        table.add_column("rows", justify="right")
        table.add_column("column")
        table.add_column("problem", overflow="fold")
        for finding in validity.findings[:_MOST_SHOWN]:
            row = "" if finding.row is None else str(finding.row)
            table.add_row(row, f"{finding.rows:,}", finding.column or "", escape(_plain(finding.problem)))
        console.print(table)
    if len(validity.findings) > _MOST_SHOWN:
        console.print(f"and {len(validity.findings) - _MOST_SHOWN:,} more, which --json FILE has", highlight=False)
    console.print(
        f"{validity.rows:,} rows (counted from 0), {validity.unusable:,} of them unusable;"
        f" {validity.pictures:,} pictures {'looked for' if validity.quick else 'decoded'}, {validity.wrong:,} of them"
        f" wrong: [bold]{'fine' if validity.fine else 'not fine'}[/]",
        highlight=False,
        soft_wrap=True,
    )


_PICTURES = f"""
CREATE TABLE pictures AS
WITH used AS (
    SELECT styles, style_masks, min(row) AS row, count(*) AS rows
    FROM manifest JOIN recipes USING (recipe) GROUP BY ALL
), named AS (
    SELECT content AS uri, false AS is_mask, row, 1 AS rows, 'content' AS name FROM manifest
    UNION ALL SELECT content_mask, true, row, 1, 'content_mask' FROM manifest WHERE content_mask IS NOT NULL
    UNION ALL SELECT unnest(styles), false, row, rows, 'style' FROM used
    UNION ALL SELECT * FROM (SELECT unnest(style_masks) AS mask, true, row, rows, 'style_mask' FROM used)
        WHERE mask IS NOT NULL AND NOT starts_with(mask, '{LABEL}')
)
SELECT uri, is_mask, min(row)::BIGINT AS row, sum(rows)::BIGINT AS rows,
    CASE WHEN min(name) = max(name) THEN min(name) ELSE min(name) || ' and ' || max(name) END AS names
FROM named GROUP BY uri, is_mask
"""


def _pictures(workspace: Workspace) -> Iterator[Picture]:
    for batch in workspace.stream("SELECT uri, is_mask, row, rows, names FROM pictures ORDER BY row, uri"):
        yield from map(Picture, *(column.to_pylist() for column in batch.columns))


def _take_down_rows(manifest: Manifest, validity: Validity) -> None:
    validity.rows, validity.unusable = manifest.rows, manifest.problems.count
    for row, text in manifest.problems.first:
        validity.findings.append(Finding(row, 1, text.removeprefix(f"row {row} (counting from 0), ")))


def _check_outputs(workspace: Workspace, image_format: str, validity: Validity) -> None:
    load_planned(workspace, None)
    output = output_sql(SUFFIXES[image_format], validity.rows)
    workspace.run(
        f"CREATE TABLE fresh AS SELECT row, pair_id, {output} AS output FROM manifest ANTI JOIN twins USING (row)"
    )
    try:
        check_outputs(workspace)
    except PlanError as error:
        validity.findings.append(Finding(None, 1, str(error)))


def _first(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.row or 0, finding.problem))[:MOST_KEPT]


def _plain(problem: str) -> str:
    return "\n".join(map(shown, problem.splitlines()))
