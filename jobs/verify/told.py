"""A verdict for people."""

from __future__ import annotations

from rich.console import Console

from jobs.summary import quoted
from jobs.verify.findings import MOST_KEPT, REMEDIES, Verdict

VERDICT_KEY = "verify.json"
"""The object that holds the last verdict."""

_MOST_SHOWN = 5


def print_verdict(verdict: Verdict, console: Console) -> None:
    """The verdict for people: what was compared, what is wrong, and the way out."""

    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, emoji=False)

    for kind, count in verdict.counts.items():
        line(f"[red]{count:,} × {kind}[/]: `verify --repair` {REMEDIES[kind]}")
        for finding in [finding for finding in verdict.findings if finding.kind == kind][:_MOST_SHOWN]:
            pair = f" of pair {quoted(finding.pair_id)}" if finding.pair_id is not None else ""
            line(f"    {quoted(finding.key)}{pair}: {quoted(finding.problem)}")
        if count > _MOST_SHOWN:
            line(f"    and {count - _MOST_SHOWN:,} more, in {VERDICT_KEY}{_kept(count)}")
    if verdict.recorded < verdict.rows:
        line(f"{verdict.rows - verdict.recorded:,} of {verdict.rows:,} pairs have no intact record: `run` does them")
    line(
        f"{verdict.recorded:,} records read, {verdict.pictures:,} pictures"
        f" {'read' if verdict.thorough else 'looked for'} in {quoted(verdict.output)}:"
        f" [bold]{'nothing' if verdict.fine else f'{verdict.counts.total():,}'} wrong[/]"
    )


def _kept(count: int) -> str:
    return f" (the first {MOST_KEPT:,})" if count > MOST_KEPT else ""
