"""`python -m jobs.experiments table1`: runs its definition, and tells what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from jobs.experiments.inputs import Inputs
from jobs.experiments.pairs import crossed
from jobs.experiments.results import Results
from jobs.experiments.run import stylize
from jobs.experiments.table1 import ON_DEVICE, Table1, beside_the_papers, squares, trials
from jobs.flags import Working
from jobs.parquet import from_parquet
from jobs.plot_style import PLOT_STYLE
from jobs.summary import TIMINGS_KEY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "table1"

_COLUMNS = ("resolution", "pairs", "paper", "ours", "ratio", "with_style", "ratio_with_style", "style", *ON_DEVICE)
_COLOURS = {"style": "#b8b5ad", "encoder": "#33608c", "transform": "#e08e45", "decoder": "#74a57f"}
_PAPER = "#33322e"


def run_table1(definition: Table1, inputs: Inputs, output: Path, working: Working, console: Console) -> None:
    """Makes what is missing of the pictures, then the files.

    One worker with all of a machine, unless `working` says otherwise, for the paper's seconds are those of a picture
    that has its device for itself.

    Raises:
        JobError, IftError: a mistake of the user.
        typer.Exit: a signal stopped it; the same command goes on.
    """
    import torch

    from ift.stylizer import fastest_dtype
    from jobs.benchmark.machine import describe_machine
    from jobs.benchmark.table1 import PAPER_SECONDS

    side, folder = max(definition.resolutions), output.absolute() / "inputs/squares"
    contents = squares(inputs.content_pictures(), folder / "contents", side)
    styles = squares(inputs.style_pictures(), folder / "styles", side)
    pairs = crossed(contents, styles, min(definition.pairs, len(styles)), definition.seed)
    working = replace(working, workers=working.workers or 1)
    ran = stylize(trials(definition, pairs), output, working, console, image_format="jpeg")
    timings = from_parquet(ran.job.store.read(TIMINGS_KEY)).to_pylist()
    rows = beside_the_papers(timings, PAPER_SECONDS)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    machine = describe_machine(device, fastest_dtype(device))
    results = Results(NAME, output, console)
    results.csv(rows)
    results.json({"experiment": NAME, "definition": asdict(definition), "machine": machine, "rows": rows})
    results.figure(_figure(rows))
    _show(rows, console)


def _figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Bars of the stages, the paper's seconds as lines across them."""
    import matplotlib as mpl  # takes half a second to import
    from matplotlib.figure import Figure

    with mpl.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(8, 4.6), layout="constrained")
        axes = figure.subplots()
        ends = [0.0] * len(rows)
        for stage, colour in _COLOURS.items():
            seconds = [row[stage] for row in rows]
            axes.bar(range(len(rows)), seconds, 0.56, ends, color=colour, label=stage)
            ends = [end + second for end, second in zip(ends, seconds, strict=True)]
        for place, row in enumerate(rows):
            if row["paper"] is not None:
                label = "" if place else "the paper, on a GPU"
                axes.hlines(row["paper"], place - 0.4, place + 0.4, color=_PAPER, linewidth=2, label=label)
        axes.set_xticks(range(len(rows)), [f"{row['resolution']}²" for row in rows])
        axes.set_ylabel("seconds a picture, medians")
        axes.set_title("Table 1 from the job's records: n_upd 15, n_iter 1")
        axes.legend(frameon=False)
        return figure


def _show(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    table = Table(title="Table 1 of the supplement from the job's records: seconds, medians")
    for column in _COLUMNS:
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in _COLUMNS))
    console.print(table)


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
