"""`python -m jobs.experiments photo-pairs`: runs its definition, and tells what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from jobs.experiments.inputs import Inputs
from jobs.experiments.interval import Estimate, estimate
from jobs.experiments.pairs import Pair
from jobs.experiments.palette import colour_of
from jobs.experiments.photo_pairs import MEASURES, PhotoPairs, trial_id, trials
from jobs.experiments.results import Results
from jobs.experiments.run import Ran, measure, stylize
from jobs.flags import Working
from jobs.plot_style import PLOT_STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

NAME = "photo-pairs"

_ON_A_SHEET = 10  # pairs


def run_photo_pairs(definition: PhotoPairs, inputs: Inputs, output: Path, working: Working, console: Console) -> None:
    """Makes what is missing of the pictures and of their measures, then the files.

    Raises:
        JobError, IftError: a mistake of the user.
        typer.Exit: a signal stopped it; the same command goes on.
    """
    pairs = inputs.photographic(definition.pairs, definition.seed)
    ran = stylize(trials(definition, pairs), output, working, console)
    rows = summary(definition, pairs, measure(ran, working, console))
    results = Results(NAME, output, console)
    results.csv([_flat(row) for row in rows])
    results.json(
        {
            "experiment": NAME,
            "definition": _definition(definition),
            "weights": ran.job.plan.weights,
            "pairs": [pair.name for pair in pairs],
            "results": [_flat(row) for row in rows],
        }
    )
    results.figure(_figure(definition, rows))
    for page, first in enumerate(range(0, len(pairs), _ON_A_SHEET), 1):
        numbers = range(first, min(first + _ON_A_SHEET, len(pairs)))
        results.picture(_sheet(definition, pairs, numbers, ran), f"-sheet-{page}")
    _show(rows, console)


def summary(
    definition: PhotoPairs, pairs: Sequence[Pair], measures: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row for each method and measure.

    Returns:
        `method`, `measure`, `done` and `failed` (pairs), `value` (the mean over the pairs that are done), and
        `difference` (to the first method, over the pairs that both have done), the last two with intervals.
    """
    first, *_ = definition.methods
    rows = []
    for name in definition.methods:
        for column in MEASURES:
            own, others = (_values(pairs, measures, method, column) for method in (name, first))
            done = int(np.isfinite(own).sum())
            rows.append(
                {
                    "method": name,
                    "measure": column,
                    "done": done,
                    "failed": len(pairs) - done,
                    "value": estimate(own, pairs),
                    "difference": estimate(own - others, pairs),
                }
            )
    return rows


def _values(
    pairs: Sequence[Pair], measures: Mapping[str, Mapping[str, Any]], method: str, column: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(pairs,) NaN where there is no measure."""
    found = (measures.get(trial_id(number, pair, method), {}).get(column) for number, pair in enumerate(pairs))
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)


def _definition(definition: PhotoPairs) -> dict[str, Any]:
    return {**vars(definition), "methods": {name: dict(knobs) for name, knobs in definition.methods.items()}}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_cells(row))


def _cells(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Estimate):
            yield from ((name, value.mean), (f"{name}_low", value.low), (f"{name}_high", value.high))
        else:
            yield name, value


def _sheet(definition: PhotoPairs, pairs: Sequence[Pair], numbers: range, ran: Ran) -> Image.Image:
    from jobs.contact_sheet import rows_sheet
    from jobs.thumbnails import thumbnail, thumbnail_of  # PyTorch

    def result(pair_id: str) -> Image.Image | None:
        made = ran.picture(pair_id)
        return None if made is None else thumbnail(made, pair_id)

    rows = [
        [
            *((path.stem, thumbnail_of(str(path))) for path in pairs[number]),
            *((name, result(trial_id(number, pairs[number], name))) for name in definition.methods),
        ]
        for number in numbers
    ]
    title = f"Pairs {numbers.start + 1} to {numbers.stop} of {len(pairs)}: photo-realistic, without masks"
    return rows_sheet(title, rows, apart=2)


def _figure(definition: PhotoPairs, rows: Sequence[Mapping[str, Any]]) -> Figure:
    import matplotlib as mpl  # takes half a second to import
    from matplotlib.figure import Figure

    with mpl.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(12, 6.4), layout="constrained")
        for axes, column in zip(figure.subplots(2, 3).flat, MEASURES, strict=True):
            _panel(axes, [row for row in rows if row["measure"] == column])
            axes.set_title(column)
        figure.suptitle("Means over pairs with 95 % intervals", x=0.01, ha="left")
        return figure


def _panel(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    for place, row in enumerate(rows):
        value: Estimate = row["value"]
        if value.mean is None:
            axes.annotate("  failed on all", (0, place), xycoords=("axes fraction", "data"), va="center")
            continue
        colour = colour_of(row["method"])
        axes.plot(value.mean, place, "o", color=colour, markersize=7)
        if value.low is not None and value.high is not None:
            axes.hlines(place, value.low, value.high, color=colour, linewidth=3)
        if row["failed"]:
            words = f"{row['done']} pairs"
            axes.annotate(words, (value.mean, place), (0, 8), textcoords="offset points", ha="center")
    axes.set_yticks(range(len(rows)), [row["method"] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)


def _show(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    first = rows[0]["method"]
    table = Table(title="Mean over pairs [95 %]", title_justify="left")
    table.add_column("method")
    for column in ("value", f"minus that of {first}", "pairs"):
        table.add_column(column, justify="right", no_wrap=True)
    for measure_name in MEASURES:
        own = [row for row in rows if row["measure"] == measure_name]
        table.add_row(f"[bold]{measure_name}[/]")
        for row in own:
            table.add_row(
                row["method"],
                row["value"].words(),
                "" if row["method"] == first else row["difference"].words("+.3f"),
                f"{row['done']} of {row['done'] + row['failed']}",
                end_section=row is own[-1],
            )
    console.print(table)
