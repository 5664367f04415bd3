"""What a report shows, gathered from an evaluation."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ift.metrics import METRICS, Metric
from jobs.errors import NotFoundInStoreError
from jobs.evaluate.job import read_metrics
from jobs.evaluate.pictures import ResultPictures
from jobs.evaluate.places import REPORT_KEY, SUMMARY_KEY, Place, open_place
from jobs.parquet import from_parquet
from jobs.report.choice import MAIN, choose
from jobs.report.data import page_data
from jobs.report.head import errors, facts, medians, tiles
from jobs.report.kinds import Kind, kinds_of, present, spreads
from jobs.report.page import render_page
from jobs.report.plots import SERIES, Plot, distribution, times, trade_off
from jobs.report.renditions import PICTURES_MB, PictureSource, reads_of, render_pictures
from jobs.storage import copy_from_file
from jobs.storage.uris import shown
from jobs.summary import TIMINGS_KEY

MOST_ROWS = 20_000


@dataclass(frozen=True)
class Page:
    """A report before it is written: its text, how many pairs it lists, and how many of them it shows."""

    html: str
    pairs: int
    pictured: int


def write_report(
    output: str, to: str | None = None, *, pictures_mb: float = PICTURES_MB, most_rows: int = MOST_ROWS
) -> str:
    """Writes the report of an evaluation as one file of HTML.

    Args:
        output: URI of a run that was evaluated, or of the evaluation of a list of triples.
        to: the file, local or s3://; report.html beside the metrics if not given.
        pictures_mb: megabytes of the file that pictures may take: those of the best, the worst and the ruined pairs
            come first, then an even sample.
        most_rows: pairs that are listed; of more, an even sample.

    Returns:
        Where it is.

    Raises:
        JobError: nothing was evaluated there.
        StorageError: something cannot be read, or the report not be written.
    """
    table, place = read_metrics(output), open_place(output)
    page = report_page(
        table,
        ResultPictures(output),
        title=shown(output),
        frechet=_frechet(place),
        timings=_timings(place),
        pictures_mb=pictures_mb,
        most_rows=most_rows,
    )
    data = page.html.encode()
    if to is None:
        place.store.write(REPORT_KEY, data)
        return f"{place.store.uri}/{REPORT_KEY}"
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder, REPORT_KEY)).write_bytes(data)
        copy_from_file(file, to)
    return to


def report_page(
    table: pa.Table,
    source: PictureSource,
    *,
    title: str,
    frechet: Mapping[str, float] | None = None,
    timings: Sequence[Mapping[str, Any]] = (),
    pictures_mb: float = PICTURES_MB,
    most_rows: int = MOST_ROWS,
) -> Page:
    """The report of a table of metrics.

    Args:
        table: as metrics.parquet.
        source: of its pictures.
        title: what was evaluated.
        frechet: distances between the sets of pictures, by what they are between.
        timings: as timings.parquet of the run.
        pictures_mb: see `write_report`.
        most_rows: see `write_report`.
    """
    kinds, metrics = kinds_of(table), present(table)
    failed = len(table.filter(pc.equal(table["status"], "failed")))
    choice = choose(table, most_rows)
    listed = table.take(choice.rows)
    rows = listed.select([name for name in listed.column_names if name not in METRICS]).to_pylist()
    pictures = render_pictures(
        ((at, reads_of(source, rows[at])) for at in choice.pictured), choice.featured, pictures_mb * 1e6
    )
    html = render_page(
        "jobs.report",
        "report.html.j2",
        ["report.js"],
        title=title,
        facts=facts(table, kinds),
        tiles=tiles(table),
        head=medians(table, kinds),
        frechet=frechet or {},
        plots=_plots(table, kinds, metrics, timings),
        summary=[(kind, spreads(table, kind.rows, metrics)) for kind in kinds],
        errors=errors(table),
        total=len(table),
        judged=len(table) - failed,
        failed=failed,
        listed=len(listed),
        pictured=len(pictures.pairs),
        most_failed=len(choice.failed),
        pictures=pictures.pictures,
        series=len(SERIES),
        data=page_data(listed, choice, pictures, kinds, metrics),
    )
    return Page(html, len(listed), len(pictures.pairs))


def _plots(
    table: pa.Table, kinds: Sequence[Kind], metrics: Sequence[Metric], timings: Sequence[Mapping[str, Any]]
) -> dict[str, list[Plot]]:
    """Wide ones and small ones."""
    wide = [trade_off(table, kinds)] if {*MAIN} <= {metric.name for metric in metrics} else []
    return {
        "wide": wide + ([times(timings)] if timings else []),
        "small": [distribution(table, metric, kinds) for metric in metrics],
    }


def _frechet(place: Place) -> dict[str, float] | None:
    """Of evaluation.json; None where it has none."""
    try:
        summary = json.loads(place.store.read(SUMMARY_KEY))
    except (NotFoundInStoreError, ValueError):
        return None
    found = summary.get("vgg_frechet") if isinstance(summary, dict) else None
    return {name: value for name, value in found.items() if value is not None} if isinstance(found, dict) else None


def _timings(place: Place) -> list[dict[str, Any]]:
    """Of the run's timings.parquet; nothing where there is none."""
    if place.run is None or not place.run.exists(TIMINGS_KEY):
        return []
    rows: list[dict[str, Any]] = from_parquet(place.run.read(TIMINGS_KEY)).to_pylist()
    return rows
