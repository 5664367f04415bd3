"""The trade-off in numbers: tables for files and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from jobs.experiments.interval import Estimate
from jobs.experiments.verdict import Verdict


class Compared(NamedTuple):
    """What verdicts are about."""

    pair_set: str
    content: str
    style: str


Verdicts = Mapping[Compared, list[Verdict]]


def level_rows(verdicts: Verdicts) -> list[dict[str, object]]:
    """A row for each method at each level, and one for its whole range, in which `level` is empty."""
    return [row for compared, each in verdicts.items() for verdict in each for row in _levels(compared, verdict)]


def knob_rows(verdicts: Verdicts) -> list[dict[str, object]]:
    """A row for each method at each value of its knob."""
    return [
        {
            **_about(compared, verdict),
            "knob": knob.value,
            **_columns("content", knob.content),
            **_columns("style", knob.style),
        }
        for compared, each in verdicts.items()
        for verdict in each
        for knob in verdict.knobs
    ]


def facts(verdicts: Verdicts) -> list[dict[str, Any]]:
    """The verdicts over the whole range, for JSON; intervals as [mean, low, high]."""
    return [
        {
            **_about(compared, verdict),
            "pairs": verdict.pairs,
            "pairs_without_common_range": verdict.without_range,
            "difference": _three(verdict.difference),
            "relative": _three(verdict.relative),
            "share_of_pairs_where_reference_is_lower": verdict.lower,
            "strongest": {"content": _three(verdict.knobs[-1].content), "style": _three(verdict.knobs[-1].style)},
        }
        for compared, each in verdicts.items()
        for verdict in each
    ]


def show(verdicts: Verdicts, console: Console) -> None:
    """Prints, for each set, what the methods miss at equal content, and where each ends at its strongest."""
    for name in dict.fromkeys(compared.pair_set for compared in verdicts):
        own = {compared: each for compared, each in verdicts.items() if compared.pair_set == name}
        for content in dict.fromkeys(compared.content for compared in own):
            by_style = {compared.style: each for compared, each in own.items() if compared.content == content}
            console.print(_at_equal_content(f"{name}, {_pairs(by_style)}, at equal {content}", by_style))
        console.print(_at_strongest(name, own))


def _levels(compared: Compared, verdict: Verdict) -> Iterator[dict[str, object]]:
    nothing = Estimate(None, None, None)
    whole = ("", verdict.difference, verdict.relative, verdict.lower, nothing, nothing)
    levels = ((at.fraction, at.difference, at.relative, at.lower, at.content, at.style) for at in verdict.levels)
    for level, difference, relative, lower, content, style in (whole, *levels):
        yield {
            **_about(compared, verdict),
            "level": level,
            "pairs": verdict.pairs,
            **_columns("difference", difference),
            **_columns("relative", relative),
            "reference_lower": lower,
            **_columns("content", content),
            **_columns("style", style),
        }


def _at_equal_content(title: str, by_style: Mapping[str, list[Verdict]]) -> Table:
    """Methods down, style measures across."""
    reference, *others = next(iter(by_style.values()))
    table = Table(title=f"{title}: style distance over that of {reference.method}, % [95 %]", title_justify="left")
    table.add_column("method")
    for style in by_style:
        table.add_column(style, justify="right", no_wrap=True)
    for place, other in enumerate(others, 1):
        table.add_row(other.method, *(_cell(each[place], reference.method) for each in by_style.values()))
    return table


def _cell(verdict: Verdict, reference: str) -> str:
    if verdict.lower is None:
        return "–"
    return f"{verdict.relative.times(100).words('+.1f')}\n{reference} lower in {100 * verdict.lower:.0f} %"


def _pairs(by_style: Mapping[str, list[Verdict]]) -> str:
    first = next(iter(by_style.values()))[0]
    without = f" and {first.without_range} without a range in common" if first.without_range else ""
    return f"{first.pairs} pairs{without}"


def _at_strongest(name: str, verdicts: Verdicts) -> Table:
    """Beyond the range: means of each measure once, measures down and methods across."""
    means: dict[str, dict[str, str]] = {}
    for compared, each in verdicts.items():
        for verdict in each:
            end = verdict.knobs[-1]
            for measure, estimate in ((compared.content, end.content), (compared.style, end.style)):
                words = "–" if estimate.mean is None else f"{estimate.mean:.3f}"
                means.setdefault(measure, {})[verdict.method] = words
    table = Table(title=f"{name}: each method at its strongest, means", title_justify="left")
    table.add_column("measure")
    for method in next(iter(means.values())):
        table.add_column(method, justify="right")
    for measure, row in means.items():
        table.add_row(measure, *row.values())
    return table


def _about(compared: Compared, verdict: Verdict) -> dict[str, object]:
    return {
        "set": compared.pair_set,
        "content_measure": compared.content,
        "style_measure": compared.style,
        "method": verdict.method,
    }


def _columns(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _three(estimate: Estimate) -> list[float | None]:
    return [estimate.mean, estimate.low, estimate.high]
