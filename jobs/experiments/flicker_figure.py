"""Flicker as a picture: what frames have of the decoder's own, by how many of them share their statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jobs.experiments.flicker import BAR, Flicker, Sharing, Way
from jobs.experiments.flicker_findings import Finding
from jobs.experiments.palette import colour_of
from jobs.plot_style import INK, PLOT_STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = {
    "error": "warping error",
    "relative": "warping error over contrast",
    "by_detail": "warping error over detail",
    "colour": "change of mean colour",
}
_MARKERS = {"group": "o", "phases": "^", "window": "s", "each": "x"}

_TICKS = (0.5, 0.7, 1, 1.4, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 100)


def draw_flicker(definition: Flicker, found: Mapping[tuple[Way, str], Finding]) -> Figure:
    """A row for each preset, a column for each of four measures; points are geometric means, lines their intervals."""
    import matplotlib as mpl  # takes half a second to import
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, NullFormatter

    with mpl.rc_context(PLOT_STYLE):
        size = (3.6 * len(_PANELS), 3.7 * len(definition.presets))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(definition.presets), len(_PANELS), squeeze=False, sharey="col")
        for row, preset in zip(panels, definition.presets, strict=True):
            for axes, (measure, title) in zip(row, _PANELS.items(), strict=True):
                _panel(axes, definition, found, preset, measure)
                axes.set_title(f"{title}\n{preset}")
                axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.yaxis.set_minor_formatter(NullFormatter())
            row[0].set_ylabel("times that of encoder and decoder alone")
        for axes in panels[0]:
            low, high = axes.get_ylim()
            axes.set_yticks([tick for tick in _TICKS if low <= tick <= high])
        handles = [
            Line2D([], [], color=INK, marker=_MARKERS.get(name, "d"), linestyle="", label=_words(name, sharing))
            for name, sharing in definition.sharing.items()
        ]
        handles.append(Line2D([], [], color=INK, linestyle=":", label=f"the bar, {BAR}"))
        figure.legend(handles=handles, frameon=False, loc="outside lower center", ncols=3)
        return figure


def _panel(
    axes: Axes, definition: Flicker, found: Mapping[tuple[Way, str], Finding], preset: str, measure: str
) -> None:
    for place, method in enumerate(definition.methods):
        for number, sharing in enumerate(definition.sharing):
            estimate = found[Way(preset, method, sharing), measure].over_decoder
            at = place + 0.2 * (number - (len(definition.sharing) - 1) / 2)
            if estimate.low is not None and estimate.high is not None:
                axes.vlines(at, estimate.low, estimate.high, color=colour_of(method), linewidth=2)
            axes.plot(
                [at], [estimate.mean or float("nan")], _MARKERS.get(sharing, "d"), color=colour_of(method), markersize=7
            )
    axes.axhline(1, color=INK, linewidth=1)
    axes.axhline(BAR, color=INK, linewidth=1, linestyle=":")
    axes.set_yscale("log")
    axes.set_xticks(range(len(definition.methods)), definition.methods)
    axes.set_xlim(-0.5, len(definition.methods) - 0.5)


def _words(name: str, sharing: Sharing) -> str:
    if sharing.reach is None:
        phases = f", averaged over {sharing.phases} phases" if sharing.phases > 1 else ""
        return f"{name}: all frames share one map{phases}"
    return f"{name}: a map for each frame" + (f", from {2 * sharing.reach + 1} frames" if sharing.reach else "")
