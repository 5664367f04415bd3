"""What faults cost: rows per second under a steady rate of storage errors, and rows done twice when an actor dies."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.checks import records_of
from tests.chaos.drill import Drill, clean_run
from tests.chaos.pictures import Row
from tests.chaos.proxy import Fault, Kind
from tests.chaos.schedule import LONG, Event, Schedule
from tests.chaos.world import World

ERROR_RATE = 0.01
_ERRORS: tuple[Kind, ...] = ("500", "503", "reset")
_LEAST_RATIO, _MOST_SHARDS = 0.8, 2


@dataclass(frozen=True)
class Cost:
    """What was measured.

    Attributes:
        pace: seconds that the stand-in takes for a picture.
        rows: of each run.
        clean: rows/s of the runs without errors.
        faulty: of those with, which took turns with them.
        requests: of the faulty runs, all together.
        errors: among them.
        redone: rows computed twice in a run in which one actor was killed.
        shard_size: rows in a shard.
    """

    pace: float
    rows: int
    clean: list[float]
    faulty: list[float]
    requests: int
    errors: int
    redone: int
    shard_size: int

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return statistics.median(self.faulty) / statistics.median(self.clean)

    @property
    def fine(self) -> bool:
        """Whether it is what the project promises."""
        return self.ratio >= _LEAST_RATIO and self.redone <= _MOST_SHARDS * self.shard_size


def measure(world: World, rows: int, pace: float, pairs_of_runs: int, folder: Path, console: Console) -> Cost:
    """Runs by turns without and with errors; then one in which an actor is killed half way."""
    scale = replace(LONG, rows=rows, pace=pace, row_timeout=60)
    clean, _ = clean_run(world, scale, folder / "first.log")  # warms everything up as well
    schedule = Schedule(tuple(Row(number) for number in range(rows)), ())
    rates: dict[bool, list[float]] = {False: [], True: []}
    requests = errors = 0
    for number in range(2 * pairs_of_runs):
        faulty = bool(number % 2)
        name = f"{'faulty' if faulty else 'clean'}-{pace:g}-{number}"
        drill = Drill(world, scale, schedule, name, folder / f"{name}.log")
        for kind in _ERRORS if faulty else ():
            world.proxy.inject(Fault(kind, probability=ERROR_RATE / len(_ERRORS)))
        result = drill.run(clean)
        if result.problems:
            raise RuntimeError("\n".join(result.problems))
        if faulty:
            requests += result.requests
            errors += sum(result.hits.values())
        rates[faulty].append(_rate(world, name))
        console.print(f"{name}: {rates[faulty][-1]:.1f} rows/s", highlight=False)
    kill = Schedule(schedule.rows, (Event("kill an actor", 0.5, 0.0, 0.0),))
    name = f"killed-{pace:g}"
    killed = Drill(world, scale, kill, name, folder / f"{name}.log").run(clean)
    if killed.problems:
        raise RuntimeError("\n".join(killed.problems))
    return Cost(pace, rows, rates[False], rates[True], requests, errors, len(killed.redone), scale.shard_size)


def write_costs(costs: list[Cost], folder: Path, console: Console) -> None:
    """Prints a table and writes throughput.json."""
    table = Table("s/picture", "clean rows/s", "faulty rows/s", "ratio", "errors", "rows redone after a kill")
    for cost in costs:
        table.add_row(
            f"{cost.pace:g}", f"{statistics.median(cost.clean):.1f}", f"{statistics.median(cost.faulty):.1f}",
            f"{cost.ratio:.2f}", f"{cost.errors} of {cost.requests}", f"{cost.redone} (shards of {cost.shard_size})",
        )  # fmt: skip
    console.print(table)
    facts = [asdict(cost) | {"ratio": cost.ratio} for cost in costs]
    (folder / "throughput.json").write_text(json.dumps(facts, indent=1) + "\n")


def _rate(world: World, name: str) -> float:
    """Rows per second from the first picture to the last, by the records' clocks."""
    times: list[float] = sorted(record["finished_at"] for record in records_of(world.objects(name)))
    return (len(times) - 1) / (times[-1] - times[0])
