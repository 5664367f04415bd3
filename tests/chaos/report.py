"""What the faults did, as a table by kind."""

from __future__ import annotations

import json
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.drill import FINE, TOO_MANY_FAILED, Result

HEADINGS = ("fault", "injected", "survived", "driver restarts", "rows redone", "seconds to go on", "at most")


@dataclass(frozen=True)
class Line:
    """All faults of a kind.

    What happens between a fault and the next one is put down to it, so with several at a time this is a guess.

    Attributes:
        injected: how many.
        survived: those in runs with which nothing was wrong in the end.
        restarts: of drivers.
        redone: rows that were computed again.
        seconds: from a fault to the next commit, the median.
        most_seconds: the longest.
    """

    kind: str
    injected: int
    survived: int
    restarts: int
    redone: int
    seconds: float | None
    most_seconds: float | None

    def cells(self) -> tuple[str, ...]:
        """As in `HEADINGS`."""
        seconds = ("" if value is None else f"{value:.1f}" for value in (self.seconds, self.most_seconds))
        return (self.kind, *(str(n) for n in (self.injected, self.survived, self.restarts, self.redone)), *seconds)


def lines_of(results: Sequence[Result]) -> list[Line]:
    """One for each kind of fault, by name, and one for all."""
    injected: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    restarts: Counter[str] = Counter()
    redone: Counter[str] = Counter()
    waits: dict[str, list[float]] = {}
    for result in results:
        kinds = _kinds(result)
        injected.update(kinds)
        survived.update(() if result.problems else kinds)
        blame = _blamer(result)
        restarts.update(blame(when) for when, code in result.exits if code not in (FINE, TOO_MANY_FAILED))
        redone.update(map(blame, result.redone))
        for moment in result.moments:
            if later := [commit for commit in result.commits if commit > moment.time]:
                waits.setdefault(moment.kind, []).append(min(later) - moment.time)
    lines = [
        Line(
            kind, injected[kind], survived[kind], restarts[kind], redone[kind],
            statistics.median(waits[kind]) if kind in waits else None, max(waits[kind]) if kind in waits else None,
        )
        for kind in sorted(injected | restarts | redone)
    ]  # fmt: skip
    together = [wait for some in waits.values() for wait in some]
    return [
        *lines,
        Line(
            "all", injected.total(), survived.total(), restarts.total(), redone.total(),
            statistics.median(together) if together else None, max(together, default=None),
        ),
    ]  # fmt: skip


def injected_in(results: Iterable[Result]) -> int:
    """How many faults there were."""
    return sum(len(_kinds(result)) for result in results)


def exit_codes(results: Iterable[Result]) -> str:
    """How the drivers ended, in words."""
    counts = Counter(code for result in results for _, code in result.exits)
    return "drivers ended with " + ", ".join(f"{code} ({count} times)" for code, count in sorted(counts.items()))


def write_report(results: Sequence[Result], seed: int, folder: Path, console: Console) -> None:
    """Prints the table; writes it as chaos.md, and with all that it is made of as chaos.json."""
    lines = lines_of(results)
    table = Table(*HEADINGS[:1], title=f"{injected_in(results)} faults in {len(results)} runs, seed {seed}")
    for heading in HEADINGS[1:]:
        table.add_column(heading, justify="right")
    for line in lines:
        table.add_row(*line.cells(), end_section=line is lines[-2])
    console.print(table)
    exits = exit_codes(results)
    console.print(exits, highlight=False)
    problems = [f"{result.name}: {problem}" for result in results for problem in result.problems]
    for problem in problems:
        console.print(problem, style="red", highlight=False, markup=False)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"seed": seed, "lines": list(map(asdict, lines)), "runs": list(map(asdict, results)), "problems": problems}
    (folder / "chaos.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "chaos.md").write_text(
        "\n".join([_markdown(lines), exits, *(f"\n- {problem}" for problem in problems)]) + "\n"
    )


def _kinds(result: Result) -> list[str]:
    """Every strike, and every bad row once, however often it misbehaved."""
    return [moment.kind for moment in result.moments if not moment.kind.startswith("row: ")] + result.bad_rows


def _blamer(result: Result) -> Callable[[float], str]:
    times = [moment.time for moment in result.moments]

    def blame(when: float) -> str:
        before = bisect_right(times, when)
        return result.moments[before - 1].kind if before else "none"

    return blame


def _markdown(lines: Sequence[Line]) -> str:
    rows = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *(line.cells() for line in lines)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
