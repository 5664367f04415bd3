"""The plots of a report as SVG, in the colours of the reader's scheme."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ift.metrics import METRICS, Metric
from jobs.plot_style import INK, PLOT_STYLE
from jobs.report.choice import MAIN
from jobs.report.kinds import Kind, numbers
from jobs.storage.uris import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SERIES = ("#4a83bd", "#dd8a41", "#55a074", "#c75c4e", "#967ab4", "#b8982f", "#4a9fa3", "#98918a")
"""Of the kinds in their order, and again from the first; all are told from both a white and a black page."""

_SCHEME = (
    f"<style>svg{{color:{INK};font-family:system-ui,sans-serif}}"
    "@media(prefers-color-scheme:dark){svg{color:#d8d5cd}}</style>"
)
_WIDE = (4.6, 3.5)  # inches; at 100 CSS pixels each it is still read on a phone
_LONGEST_LABEL = 22
_MOST_KINDS = 12
_MOST_POINTS = 4000
_STAGES = {"style": SERIES[4], "encoder": SERIES[0], "transform": SERIES[1], "decoder": SERIES[2]}


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        title: for people.
        source: a data URI.
        width: in CSS pixels; the plot may be shown smaller.
        height: likewise.
        words: what it shows, for who cannot see it.
        better: of a metric: higher, lower or None.
    """

    title: str
    source: str
    width: int
    height: int
    words: str
    better: str | None = None


def distribution(table: pa.Table, metric: Metric, kinds: Sequence[Kind]) -> Plot:
    """How a metric is spread: a histogram of one kind, or a box of each of several."""
    values = numbers(table, metric.name)
    drawn = [(kind, _finite(values[kind.rows])) for kind in kinds]
    drawn = [(kind, finite) for kind, finite in drawn if len(finite)][:_MOST_KINDS]
    height = 2.0 if len(drawn) == 1 else 0.75 + 0.3 * len(drawn)
    with _figure(3.7, height) as (figure, axes):
        if len(drawn) == 1:
            _histogram(axes, drawn[0][1])
        else:
            _boxes(axes, drawn, kinds)
        axes.locator_params(axis="x", nbins=5)
        axes.spines["left"].set_visible(False)
        source = _svg(figure, metric.name)
    words = "; ".join(f"{kind.name}: median {np.median(finite):.4g}" for kind, finite in drawn)
    return Plot(metric.title, source, 370, round(100 * height), words, metric.better)


def trade_off(table: pa.Table, kinds: Sequence[Kind]) -> Plot:
    """Content kept against style reached: every pair a dot, every kind's medians with the middle half of its pairs."""
    kept, distance = (numbers(table, name) for name in MAIN)
    every = max(1, len(table) // _MOST_POINTS)
    with _figure(*_WIDE) as (figure, axes):
        for number, kind in enumerate(kinds[:_MOST_KINDS]):
            rows = kind.rows[np.isfinite(kept[kind.rows]) & np.isfinite(distance[kind.rows])]
            if len(rows):
                _cloud(axes, distance[rows], kept[rows], SERIES[number % len(SERIES)], every)
        axes.set_xlabel(f"{METRICS[MAIN[1]].title}  (left is closer to the style)")
        axes.set_ylabel(f"{METRICS[MAIN[0]].title}  (up keeps more)")
        source = _svg(figure, "trade-off")
    words = "A dot for each pair; the crosses span the middle half of each kind's pairs, about their medians."
    width, height = (round(100 * size) for size in _WIDE)
    return Plot("Content kept against style reached", source, width, height, words)


def times(timings: Sequence[Mapping[str, Any]]) -> Plot:
    """Median seconds on the device per resolution and preset, from the run's own records."""
    drawn = timings[:_MOST_KINDS]
    height = max(1.8, 1.3 + 0.3 * len(drawn))
    with _figure(_WIDE[0], height) as (figure, axes):
        ends = np.zeros(len(drawn))
        for stage, colour in _STAGES.items():
            seconds = np.array([row[f"{stage}_p50_s"] or 0.0 for row in drawn])
            axes.barh(range(len(drawn)), seconds, 0.62, ends, color=colour, label=stage)
            ends += seconds
        axes.set_yticks(range(len(drawn)), [_label(f"{row['resolution']} px · {row['preset']}") for row in drawn])
        axes.invert_yaxis()
        axes.set_xlabel("seconds")
        axes.legend(frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(-0.1, 1), handlelength=1)
        source = _svg(figure, "times")
    words = "; ".join(
        f"{row['resolution']} px {row['preset']}: {end:.3g} s" for row, end in zip(drawn, ends, strict=True)
    )
    return Plot("Median seconds of a picture, by stage", source, round(100 * _WIDE[0]), round(100 * height), words)


class _figure:  # noqa: N801 - a context manager that reads like a function
    """A figure without a background, and its axes."""

    def __init__(self, width: float, height: float) -> None:
        import matplotlib as mpl  # takes half a second to import

        style: Any = {"svg.fonttype": "none", "text.parse_math": False, "font.size": 9.5, "axes.titleweight": "normal"}
        self._context, self._size = mpl.rc_context({**PLOT_STYLE, **style}), (width, height)

    def __enter__(self) -> tuple[Any, Any]:
        from matplotlib.figure import Figure

        self._context.__enter__()
        figure = Figure(figsize=self._size, layout="constrained")
        return figure, figure.subplots()

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)


def _histogram(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    low, high = np.percentile(values, [0.5, 99.5])
    axes.hist(values, bins=30, range=(low, high) if high > low else None, color=SERIES[0], rwidth=0.92)
    axes.axvline(float(np.median(values)), color=INK, linewidth=1.2)
    axes.set_yticks([])


def _boxes(axes: Axes, drawn: Sequence[tuple[Kind, npt.NDArray[np.float64]]], kinds: Sequence[Kind]) -> None:
    for place, (kind, values) in enumerate(drawn):
        colour = SERIES[kinds.index(kind) % len(SERIES)]
        p5, p25, p50, p75, p95 = np.percentile(values, [5, 25, 50, 75, 95])
        axes.hlines(place, p5, p95, color=colour, linewidth=1.4)
        axes.hlines(place, p25, p75, color=colour, linewidth=9)
        axes.plot([p50, p50], [place - 0.3, place + 0.3], color=INK, linewidth=1.6)
    axes.set_yticks(range(len(drawn)), [_label(kind.name) for kind, _ in drawn])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(drawn) - 0.4, -0.6)


def _cloud(axes: Axes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], colour: str, every: int) -> None:
    few = len(x) <= 100
    axes.scatter(
        x[::every], y[::every], 16 if few else 5, colour, alpha=0.6 if few else 0.3, linewidths=0, rasterized=not few
    )
    (left, middle, right), (low, centre, high) = np.percentile(x, [25, 50, 75]), np.percentile(y, [25, 50, 75])
    axes.plot([left, right], [centre, centre], color=colour, linewidth=2)
    axes.plot([middle, middle], [low, high], color=colour, linewidth=2)
    axes.scatter([middle], [centre], s=70, color=colour, edgecolor=INK, linewidth=1, zorder=3)


def _label(name: str) -> str:
    """A name that leaves room for the plot, without what no SVG may hold."""
    text = shown(name)
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def _finite(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values[np.isfinite(values)]


def _svg(figure: Any, salt: str) -> str:
    """As a picture of its own, so that its names and styles stay inside; the ink follows the reader's scheme."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}), warnings.catch_warnings():  # the same plot is the same bytes
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's fonts draw the text, not matplotlib's
        figure.savefig(buffer, format="svg", transparent=True, dpi=200, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    head = text.index(">") + 1
    encoded = base64.b64encode((text[:head] + _SCHEME + text[head:]).encode()).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"
