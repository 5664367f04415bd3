"""The fault suite: `python -m tests.chaos --seed 1 --faults 200 --output chaos`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.chaos.disk import disk_full_run
from tests.chaos.drill import WORKERS, Drill, Result, clean_run, rows_to_be_done
from tests.chaos.model import expected_sha256
from tests.chaos.report import injected_in, write_report
from tests.chaos.scale import measure_scale
from tests.chaos.schedule import DISK_FULL, LONG, SHORT, schedules
from tests.chaos.throughput import measure, write_costs
from tests.chaos.world import World

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(width=120)

_RUNS_PER_FULL_DISK = 5


@app.callback(invoke_without_command=True)
def chaos(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Decides the faults, their moments and their victims.")] = 1,
    faults: Annotated[int, typer.Option(min=1, help="Goes on until so many have been injected.")] = 200,
    output: Annotated[Path, typer.Option(help="Folder for the report and the logs.")] = Path("chaos"),
    short: Annotated[bool, typer.Option("--short", help="Small runs, without what takes long.")] = False,
) -> None:
    """Runs jobs with a stand-in model while everything around them fails, and checks that nothing is lost."""
    if context.invoked_subcommand is not None:
        return
    output.mkdir(parents=True, exist_ok=True)
    scale = SHORT if short else LONG
    results: list[Result] = []
    clean: Mapping[str, str | None] = {row.pair_id: expected_sha256(row) for row in rows_to_be_done(scale)}
    with World(seed) as world:
        if not short:
            made, first = clean_run(world, scale, output / "clean.log")
            if made != clean:
                first.problems.append("the pictures of a run without faults are not what they should be")
            results.append(first)
            _tell(first)
        for number, schedule in enumerate(schedules(scale, seed)):
            if injected_in(results) >= faults:
                break
            name = f"run-{number:03d}"
            results.append(Drill(world, scale, schedule, name, output / f"{name}.log").run(clean))
            _tell(results[-1])
            if not short and number % _RUNS_PER_FULL_DISK == 0:
                full = disk_full_run(scale, clean, f"disk-{number:03d}", output / f"disk-{number:03d}.log")
                if full is None:
                    console.print(f"no {DISK_FULL}: this user may not mount a file system")
                else:
                    results.append(full)
                    _tell(full)
    write_report(results, seed, output, console)
    raise typer.Exit(any(result.problems for result in results))


@app.command()
def throughput(
    seconds: Annotated[list[float] | None, typer.Option(help="That a picture takes; may be repeated.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Clean ones, and as many with errors.")] = 3,
    least: Annotated[float, typer.Option(help="Seconds of computing in each run.")] = 12.0,
    seed: Annotated[int, typer.Option(help="Decides which requests fail.")] = 1,
    output: Annotated[Path, typer.Option(help="Folder for the report and the logs.")] = Path("chaos"),
) -> None:
    """Measures what a steady 1 % of storage errors costs, and what the death of an actor."""
    output.mkdir(parents=True, exist_ok=True)
    costs = []
    with World(seed) as world:
        for pace in seconds or [0.05]:
            rows = int(WORKERS * least / pace)
            costs.append(measure(world, rows, pace, runs, output, console))
    write_costs(costs, output, console)
    raise typer.Exit(not all(cost.fine for cost in costs))


@app.command()
def scale(
    rows: Annotated[int, typer.Option(min=1000, help="Of the larger run.")] = 100_000,
    plan_rows: Annotated[int, typer.Option(min=1000, help="Of the larger plan.")] = 10_000_000,
    output: Annotated[Path, typer.Option(help="Folder for the report and the log.")] = Path("chaos"),
) -> None:
    """Measures plans and whole runs of many rows: seconds, rows/s and memory of every process."""
    output.mkdir(parents=True, exist_ok=True)
    raise typer.Exit(not measure_scale(rows, plan_rows, output, console))


def _tell(result: Result) -> None:
    codes = " ".join(str(code) for _, code in result.exits)
    console.print(
        f"{time.strftime('%H:%M:%S')} {result.name}: {len(result.moments)} moments, {len(result.redone)} rows redone, "
        f"exit codes {codes}, {result.seconds:.0f} s, {len(result.problems)} problems",
        highlight=False,
    )
    for problem in result.problems:
        console.print(problem, style="red", highlight=False, markup=False)


if __name__ == "__main__":
    app()
