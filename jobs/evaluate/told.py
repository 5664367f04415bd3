"""An evaluation for people: medians as a table, what failed, and what is left."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ift.metrics import METRICS
from jobs.evaluate.conclusion import Summary
from jobs.evaluate.places import SUMMARY_KEY
from jobs.storage.uris import shown
from jobs.summary import quoted

_SHOWN_GROUPS = 6
_ARROWS = {"higher": "↑", "lower": "↓", None: " "}


def print_evaluation(summary: Summary, console: Console) -> None:
    """The medians of each preset and method, failures, and counts."""

    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, emoji=False)

    if summary.judged:
        console.print(_medians(summary))
        hidden = len(summary.groups) - _SHOWN_GROUPS
        if hidden > 0:
            line(f"and {hidden} more presets and methods, in {SUMMARY_KEY}")
        for metric, reason in _missing(summary).items():
            line(f"no {metric}: {quoted(reason)}")
    for error in summary.errors:
        line(f"[red]{error['count']:,} × {quoted(error['type'])}[/]: {quoted(error['example'])}")
    if summary.left:
        line(f"{summary.left:,} of {summary.rows:,} pairs are left for the run to do; evaluate again after that")
    if summary.unjudged:
        line(f"{summary.unjudged:,} pairs are left to judge: run the same command again")
    line(
        f"[bold]{summary.judged:,} judged, {summary.failed:,} failed[/] of {summary.rows:,} pairs"
        f" in {quoted(summary.output)}"
    )


def _medians(summary: Summary) -> Table:
    groups = summary.groups[:_SHOWN_GROUPS]
    table = Table(title="Medians", title_justify="left")
    table.add_column("metric")
    for group in groups:
        names = [escape(shown(name)) for name in (group["method"], group["preset"]) if name]
        table.add_column("\n".join(names or ["all"]), justify="right")
    table.add_row("pairs", *(f"{group['pairs']:,}" for group in groups))
    table.add_row("ruined", *(f"{group['ruined']:,}" for group in groups), end_section=True)
    there = [metric for name, metric in METRICS.items() if summary.metrics[name]["count"]]
    for metric, following in zip(there, [*there[1:], None], strict=True):
        medians = (group["metrics"][metric.name]["median"] for group in groups)
        table.add_row(
            f"{_ARROWS[metric.better]} {metric.title}",
            *("" if median is None else f"{median:.3f}" for median in medians),
            end_section=following is None or following.group != metric.group,
        )
    for side in ("styles", "contents"):
        distances = ((group["vgg_frechet"] or {}).get(side) for group in groups)
        table.add_row(
            f"↓ VGG Fréchet to {side}", *("" if distance is None else f"{distance:.3f}" for distance in distances)
        )
    return table


def _missing(summary: Summary) -> dict[str, str]:
    """Titles of metrics that no pair has, and what helps."""
    if summary.metrics["lpips"]["count"]:
        return {}
    import torch

    from ift.errors import WeightsError
    from ift.metrics.lpips import Lpips

    try:
        Lpips(torch.device("cpu"))
    except WeightsError as error:
        return {METRICS["lpips"].title: str(error)}
    return {}
