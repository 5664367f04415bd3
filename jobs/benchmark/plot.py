"""The measurements as one picture: how far past each bar, Table 1, and where the time of a picture goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.benchmark.figure import Table1Row
from jobs.benchmark.keys import Key
from jobs.plot_style import INK, PLOT_STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

_STAGES = {"encoder": "#33608c", "transform": "#e08e45", "decoder": "#74a57f", "other": "#b8b5ad"}
_OURS, _PAPER, _MISSED = "#33608c", "#c9c5bb", "#b5473c"
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def plot(values: Mapping[Key, float], rows: Sequence[Table1Row], subtitle: str, path: Path) -> None:
    """Writes a PNG.

    Args:
        values: what was measured, by key.
        rows: of Table 1; its two panels are left out if there are none.
        subtitle: what it was measured on.
        path: of the file.
    """
    import matplotlib as mpl  # takes half a second to import
    from matplotlib.figure import Figure

    with mpl.rc_context(PLOT_STYLE):
        below = 1.6 + 0.34 * max(len(values), 1)
        figure = Figure(figsize=(12 if rows else 9, below + (5 if rows else 0)), layout="constrained")
        lowest: FigureBase = figure
        if rows:
            panels: Any = figure.subfigures(2, 1, height_ratios=(5, below))
            top, lowest = panels
            left, right = top.subplots(1, 2)
            _table1(left, rows)
            _shares(right, rows)
        _margins(lowest.subplots(), values)
        figure.suptitle(subtitle, x=0.01, ha="left", fontsize=10)
        figure.savefig(path, dpi=140)


def _table1(axes: Axes, rows: Sequence[Table1Row]) -> None:
    bars = (
        ("the paper, on a GPU", _PAPER, [row.paper for row in rows]),
        ("ours, style known", _OURS, [row.ours for row in rows]),
        ("ours, style encoded too", "#8fb0d1", [row.with_style for row in rows]),
    )
    width = 0.8 / len(bars)
    for number, (label, colour, seconds) in enumerate(bars):
        places = [index + (number - 1) * width for index in range(len(rows))]
        drawn = axes.bar(places, seconds, width * 0.92, label=label, color=colour)
        axes.bar_label(drawn, fmt="%.2f", padding=2, fontsize=8)
    axes.set_xticks(range(len(rows)), [f"{row.resolution}²" for row in rows])
    axes.set_ylabel("seconds a picture")
    axes.set_title("Table 1: n_upd 15, n_iter 1")
    axes.legend(frameon=False, loc="upper left")


def _shares(axes: Axes, rows: Sequence[Table1Row]) -> None:
    totals = [sum(getattr(row, stage) for stage in _STAGES) for row in rows]
    ends = [0.0] * len(rows)
    for stage, colour in _STAGES.items():
        shares = [100 * getattr(row, stage) / total for row, total in zip(rows, totals, strict=True)]
        drawn = axes.barh(range(len(rows)), shares, 0.62, ends, label=stage, color=colour)
        words = [f"{share:.0f} %" if share >= 4 else "" for share in shares]
        axes.bar_label(drawn, words, label_type="center", fontsize=9, color="white" if stage != "other" else INK)
        ends = [end + share for end, share in zip(ends, shares, strict=True)]
    axes.set_yticks(range(len(rows)), [f"{row.resolution}²" for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of a picture's time, %")
    axes.set_title("Where it goes", pad=28)
    axes.legend(
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(_STAGES),
        borderpad=0,
        columnspacing=1.2,
        handlelength=1.2,
    )


def _margins(axes: Axes, values: Mapping[Key, float]) -> None:
    margins = [key.margin(value) for key, value in values.items()]
    colours = [_OURS if key.clears(value) else _MISSED for key, value in values.items()]
    axes.hlines(range(len(margins)), 1, margins, color=colours, linewidth=2.5)
    axes.scatter(margins, range(len(margins)), color=colours, s=42, zorder=3)
    for place, (key, value) in enumerate(values.items()):
        words = f"{value:.3g}  (bar {key.bar_in_words})"
        axes.annotate(
            words, (max(margins[place], 1), place), (8, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xscale("log")
    least, most = min([0.5, *margins]), max([2.0, *margins])
    ticks = [tick for tick in _TICKS if least <= tick <= most]
    axes.set_xlim(0.85 * least, most * (most / least) ** 0.3)  # with room for the words
    axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(margins)), [key.name for key in values])
    axes.set_ylim(len(margins) - 0.4, -0.6)
    axes.set_xlabel("times better than its bar; left of 1 it is missed")
    axes.set_title("Every figure against its bar")
