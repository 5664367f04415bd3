"""A comparison as one file of HTML, with the pairs that have changed most."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ift.metrics import METRICS
from jobs.comparison.compare import Comparison, Matched
from jobs.comparison.told import counts, interval
from jobs.report.choice import MAIN
from jobs.report.kinds import columns_of, numbers
from jobs.report.page import render_page, short
from jobs.report.renditions import PICTURES_MB, PictureSource, Reads, Row, reads_of, render_pictures

_EXTREMES = 12


def comparison_page(
    comparison: Comparison,
    matched: Matched,
    sources: tuple[PictureSource, PictureSource],
    names: tuple[str, str],
    pictures_mb: float = PICTURES_MB,
) -> str:
    """The page.

    Args:
        comparison: of the tables.
        matched: the pairs that it is about.
        sources: of the pictures of the first evaluation and of the second.
        names: what the two are called.
        pictures_mb: megabytes of the file that pictures may take.
    """
    metrics = [one.name for one in comparison.metrics if one.name in MAIN] or [
        one.name for one in comparison.metrics if one.better
    ][:2]
    changes = {name: _most_changed(matched, name) for name in metrics}
    places = list(dict.fromkeys(place for lists in changes.values() for order in lists.values() for place in order))
    a, b = matched.a.take(places), matched.b.take(places)
    rows = zip(_described(a).to_pylist(), _described(b).to_pylist(), strict=True)
    reads = ((at, _reads(sources, first, second)) for at, (first, second) in enumerate(rows))
    pictures = render_pictures(reads, len(places), pictures_mb * 1e6)
    here = {place: at for at, place in enumerate(places)}
    return render_page(
        "jobs.comparison",
        "comparison.html.j2",
        ["comparison.js"],
        names=names,
        comparison=comparison,
        counts=counts(comparison),
        interval=interval,
        pictures=pictures.pictures,
        data={
            "names": names,
            "metrics": [{"name": one.name, "title": one.title, "better": one.better} for one in comparison.metrics],
            "values": {
                one.name: [[short(value) for value in numbers(table, one.name).tolist()] for table in (a, b)]
                for one in comparison.metrics
            },
            **columns_of(a, ["pair_id", "content", "styles", "method", "width", "height"]),
            "changes": {
                name: {way: [here[place] for place in order] for way, order in lists.items()}
                for name, lists in changes.items()
            },
            "pictures": pictures.pairs,
        },
    )


def _most_changed(matched: Matched, name: str) -> dict[str, list[int]]:
    """The pairs that a metric says are most for the better, and those most for the worse, the largest change first."""
    change = numbers(matched.b, name) - numbers(matched.a, name)
    gain = change if METRICS[name].better == "higher" else -change
    order = np.argsort(-np.nan_to_num(gain), kind="stable")
    return {
        "better": [int(place) for place in order[:_EXTREMES] if gain[place] > 0],
        "worse": [int(place) for place in order[::-1][:_EXTREMES] if gain[place] < 0],
    }


def _described(table: pa.Table) -> pa.Table:
    return table.select([name for name in table.column_names if name not in METRICS])


def _reads(sources: tuple[PictureSource, PictureSource], first: Row, second: Row) -> Reads:
    """The content, the styles, and the results of both."""
    return {**reads_of(sources[0], first), ("second", second["row"]): lambda: sources[1].result(second)}
