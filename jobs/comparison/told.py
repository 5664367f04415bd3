"""A comparison as a table for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jobs.comparison.compare import NOTHING_SHOWN, Comparison, Difference
from jobs.report.page import figure
from jobs.summary import quoted

ARROWS = {"higher": "↑", "lower": "↓", None: ""}
_WORDS = 10  # characters of the longest word of a metric's name or a verdict, or nearly
_COLOURS = {"better": "green", "worse": "red", NOTHING_SHOWN: "dim"}


def print_comparison(comparison: Comparison, a: str, b: str, console: Console) -> None:
    """Each metric with its means, the difference with its interval, and the verdict; then what to keep in mind."""
    table = Table(title=f"{quoted(b)} against {quoted(a)}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("metric", "A", "B", "B − A", "95 % interval", "improved", "verdict"):
        words = name in ("metric", "verdict")  # which wrap on a narrow terminal, where figures must not
        table.add_column(
            name, justify="left" if words else "right", no_wrap=not words, min_width=_WORDS if words else None
        )
    for one in comparison.metrics:
        table.add_row(*_cells(one))
    console.print(table)
    for line in (counts(comparison), *comparison.notes):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def counts(comparison: Comparison) -> str:
    """How many pairs there were to compare, as one sentence."""
    parts = [f"{comparison.pairs:,} pairs judged in both"]
    parts += [f"{comparison.by_pictures:,} matched by their pictures"] if comparison.by_pictures else []
    for name, only, failed, ruined in (
        ("A", comparison.only_a, comparison.failed_a, comparison.ruined_a),
        ("B", comparison.only_b, comparison.failed_b, comparison.ruined_b),
    ):
        parts += [f"{count:,} {words} {name}" for count, words in ((only, "only in"), (failed, "failed in")) if count]
        parts += [f"{ruined:,} suspected ruins in {name}"] if ruined else []
    return "; ".join(parts)


def interval(one: Difference) -> str:
    """The ends of the interval of a difference."""
    return "–" if one.low is None or one.high is None else f"{one.low:+.3g} … {one.high:+.3g}"


def _cells(one: Difference) -> tuple[str, ...]:
    colour = _COLOURS.get(one.verdict, "bold")
    return (
        f"{one.title} {ARROWS[one.better]}",
        figure(one.mean_a),
        figure(one.mean_b),
        f"{one.difference:+.3g}",
        interval(one),
        "–" if one.improved is None else f"{one.improved:.0%}",
        f"[{colour}]{one.verdict}[/]",
    )
