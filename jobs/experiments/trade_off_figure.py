"""The trade-off as a picture: the methods' curves, and how far each is from the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from jobs.experiments.interval import Estimate
from jobs.experiments.palette import colour_of
from jobs.experiments.verdict import Verdict
from jobs.plot_style import PLOT_STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_trade_off(sets: Mapping[str, Sequence[Verdict]], content: str, style: str, *, falls: bool) -> Figure:
    """A column for each set: above, style distance over content preservation; below, both relative to the reference.

    Args:
        sets: the verdicts of each, the reference first.
        content: the content measure.
        style: the style measure.
        falls: whether less of the content measure is better; it is drawn so that better is always on the left.
    """
    import matplotlib as mpl  # takes half a second to import
    from matplotlib.figure import Figure

    with mpl.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(6.2 * len(sets), 8.4), layout="constrained")
        panels = figure.subplots(2, len(sets), squeeze=False, height_ratios=(3, 2))
        for column, (name, verdicts) in enumerate(sets.items()):
            top, below = panels[0, column], panels[1, column]
            _curves(top, verdicts)
            top.set_title(f"{name}, {verdicts[0].pairs} pairs")
            top.set_xlabel(f"{content} ({'less' if falls else 'more'} keeps more of the content)")
            top.set_ylabel(f"{style} (less is nearer to the style)")
            if not falls:
                top.invert_xaxis()
            _differences(below, verdicts, style)
        panels[0, 0].legend(frameon=False)
        return figure


def _curves(axes: Axes, verdicts: Sequence[Verdict]) -> None:
    """Means over pairs at each value of the knob; a circle where the method ends, at its strongest."""
    for verdict in verdicts:
        colour = colour_of(verdict.method)
        at = _means([knob.content for knob in verdict.knobs])
        _band(axes, at, [knob.style for knob in verdict.knobs], colour, verdict.method)
        end = verdict.knobs[-1]
        axes.plot(_means([end.content]), _means([end.style]), "o", color=colour, markerfacecolor="none", markersize=7)


def _differences(axes: Axes, verdicts: Sequence[Verdict], style: str) -> None:
    reference = verdicts[0].method
    for verdict in verdicts[1:]:
        fractions = [level.fraction for level in verdict.levels]
        relative = [level.relative.times(100) for level in verdict.levels]
        _band(axes, fractions, relative, colour_of(verdict.method), verdict.method)
    axes.axhline(0, color=colour_of(reference), linewidth=2)
    axes.set_xlabel("from the best content preservation that both reach, 0, to the worst, 1")
    axes.set_ylabel(f"{style} over that of {reference}, %")
    axes.set_xlim(0, 1)


def _band(axes: Axes, at: Sequence[float], estimates: Sequence[Estimate], colour: str, label: str) -> None:
    axes.plot(at, _means(estimates), color=colour, linewidth=2, label=label)
    low, high = (_numbers(estimates, which) for which in (lambda each: each.low, lambda each: each.high))
    axes.fill_between(at, low, high, color=colour, alpha=0.1, linewidth=0)


def _means(estimates: Sequence[Estimate]) -> list[float]:
    return _numbers(estimates, lambda each: each.mean)


def _numbers(estimates: Sequence[Estimate], which: Callable[[Estimate], float | None]) -> list[float]:
    """What matplotlib leaves out where there is nothing."""
    return [float("nan") if (value := which(each)) is None else value for each in estimates]
