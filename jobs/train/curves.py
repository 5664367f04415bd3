"""How the loss fell: `loss.csv` with a row for each step, and `loss.png` with a panel for each term."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.plot_style import INK, PLOT_STYLE
from jobs.storage import Store

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
"""A step: `step`, `stage`, `level`, `gate`, `loss`, the terms that it has, `learning_rate`, `gradient_norm`."""

CSV_KEY, PNG_KEY = "loss.csv", "loss.png"

_FIRST, _LAST = ("step", "stage", "level", "gate", "loss"), ("learning_rate", "gradient_norm")
_WORDS = {"loss": "loss, all terms", "learning_rate": "learning rate", "gradient_norm": "length of the gradient"}
_COLOURS = {1: "#b5473c", 2: "#74a57f", 3: "#e08e45", 4: "#33608c"}
_FAINT = "#b8b5ad"
_STYLE = {**PLOT_STYLE, "axes.titlesize": 11, "axes.titlepad": 10}  # the panels are smaller
_ACROSS = 3
_WINDOW = 25
"""A curve is as smooth as the mean over this share of its steps, a twenty-fifth."""

_MOST_DOTS = 2000


def write_curves(rows: Sequence[Row], store: Store) -> None:
    """Writes `loss.csv` and, once there is a step, `loss.png`.

    Args:
        rows: one for each step, in order; a term that a step does not have is left out or None.
        store: of the training's results.
    """
    store.write(CSV_KEY, to_csv(rows))
    if rows:
        store.write(PNG_KEY, plot(rows))


def to_csv(rows: Sequence[Row]) -> bytes:
    """UTF-8, every number in full; a cell is empty where a step has no such term."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_FIRST, *_terms(rows), *_LAST], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def plot(rows: Sequence[Row]) -> bytes:
    """A PNG of the loss, each of its terms, the learning rate and the gradient over the steps, a colour for each N."""
    import matplotlib as mpl  # takes half a second to import
    from matplotlib.figure import Figure

    terms = _terms(rows)
    # With one term alone, its curve would be that of the loss again.
    panels = ["loss", *(terms if len(terms) > 1 else ()), *_LAST]
    below = -(-(len(panels) - 1) // _ACROSS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(13, 4.2 + 2.9 * below), layout="constrained")
        grid = figure.add_gridspec(1 + below, _ACROSS, height_ratios=[4.2, *[2.9] * below])
        top = figure.add_subplot(grid[0, :])
        for number, name in enumerate(panels):
            axes = figure.add_subplot(grid[1 + (number - 1) // _ACROSS, (number - 1) % _ACROSS]) if number else top
            _panel(axes, rows, name)
        _name_stages(top, rows)
        _legend(figure, top, rows)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _terms(rows: Sequence[Row]) -> list[str]:
    """In the order in which they first occur."""
    seen = dict.fromkeys(name for row in rows for name in row)
    return [name for name in seen if name not in {*_FIRST, *_LAST}]


def _panel(axes: Axes, rows: Sequence[Row], name: str) -> None:
    by_level = name != "learning_rate"
    low, high = [], []
    for _, stage in groupby(rows, lambda row: row["stage"]):
        members = list(stage)
        for level in sorted({row["level"] for row in members}) if by_level else [None]:
            steps, values = _values([row for row in members if level in {None, row["level"]}], name)
            if not len(steps):
                continue
            colour = _COLOURS.get(level, INK) if level is not None else INK
            if by_level:
                every = -(-len(steps) // _MOST_DOTS)
                axes.plot(steps[::every], values[::every], ".", color=colour, alpha=0.3, markersize=3, mew=0)
                smooth = _smooth(values)
            else:
                smooth = values
            axes.plot(steps, smooth, color=colour, linewidth=1.8, solid_capstyle="round")
            low.append(np.percentile(values, 0.5))
            high.append(np.percentile(values, 99.5))
    if low:
        # The first steps from scratch are orders of magnitude above all others; single dots may leave the panel.
        axes.set_yscale("log")
        axes.set_ylim(min(low) / 1.25, max(high) * 1.25)
        _readable_ticks(axes)
    for start in _starts(rows)[1:]:
        axes.axvline(start, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    axes.set_xlim(rows[0]["step"], max(rows[-1]["step"], rows[0]["step"] + 1))
    axes.set_title(_WORDS.get(name, name.replace("_", " ")))
    if name == "loss":
        axes.set_xlabel("step")


def _values(rows: Sequence[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of those that can be drawn on a logarithmic axis."""
    pairs = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
    steps, values = np.array(pairs, float).reshape(-1, 2).T
    shown = np.isfinite(values) & (values > 0)
    return steps[shown], values[shown]


def _smooth(values: np.ndarray) -> np.ndarray:
    """The mean over neighbours; of logarithms, so that one wild step bends nothing."""
    reach = max(1, len(values) // (2 * _WINDOW))
    sums = np.concatenate([[0.0], np.cumsum(np.log(values))])
    index = np.arange(len(values))
    # Never further to the right than to the left, else a falling curve would start too low.
    left = np.minimum(reach, index)
    right = np.minimum(left, len(values) - 1 - index)
    smoothed: np.ndarray = np.exp((sums[index + right + 1] - sums[index - left]) / (left + right + 1))
    return smoothed


def _starts(rows: Sequence[Row]) -> list[int]:
    """The first step of each stage."""
    return [next(group)["step"] for _, group in groupby(rows, lambda row: row["stage"])]


def _readable_ticks(axes: Axes) -> None:
    """Few, as people write them, and some even where the axis spans no power of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axes.get_ylim()
    decades = np.log10(high / low)
    if decades < 1:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.yaxis.set_major_locator(LogLocator(subs=[1] if decades > 3 else [1, 3], numticks=20))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}" if value >= 1e-3 else f"{value:.1e}"))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(axis="y", color=_FAINT, alpha=0.35, linewidth=0.7)


def _name_stages(axes: Axes, rows: Sequence[Row]) -> None:
    names = [name for name, _ in groupby(rows, lambda row: row["stage"])]
    for name, start in zip(names, _starts(rows), strict=True):
        axes.annotate(
            str(name),
            (start, 1),
            (5, -3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )


def _legend(figure: Figure, axes: Axes, rows: Sequence[Row]) -> None:
    from matplotlib.lines import Line2D

    levels = sorted({row["level"] for row in rows})
    lines = [Line2D([], [], color=_COLOURS.get(level, INK), linewidth=2) for level in levels]
    names = [f"decoder_{level}" for level in levels]
    axes.legend(lines, names, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(levels), borderpad=0)
    figure.suptitle("dots: single steps; lines: smoothed", x=0.99, ha="right", fontsize=9)
