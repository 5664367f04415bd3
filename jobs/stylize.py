"""The main job: `python -m jobs.stylize run --manifest M --output O`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jobs.actor import StylizeActor
from jobs.config import CONFIG_KEY, Config, in_force, template
from jobs.errors import JobError
from jobs.estimate import Estimating, estimate, estimating, print_estimate
from jobs.exit_codes import DAMAGED, mistakes_as_exit_code
from jobs.flags import (
    MaxFailed,
    Output,
    Planning,
    Running,
    Sources,
    Working,
    planning,
    running,
    sources,
    takes,
    working,
)
from jobs.job import begin_job, conclude, exit_code, look, open_job, prepare, repair, retry_failed, run_missing
from jobs.plan import load_plan
from jobs.storage import open_store
from jobs.summary import print_summary, summarize

ACTOR: type[StylizeActor] = StylizeActor
"""What stylizes; the fault suite and benchmarks of the job put a stand-in here."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console()


@app.callback()
def main() -> None:
    """Stylizes the content/style pairs of a manifest."""


@app.command()
@takes(planning)
@takes(sources)
@takes(estimating)
def plan(planned: Planning, output: Output, read: Sources, wanted: Estimating, config: Config = None) -> None:
    """Reads and checks the manifest and freezes the plan, without stylizing anything; `run` then does the work."""
    with mistakes_as_exit_code():
        store = open_store(output)
        if wanted.estimate:
            print_estimate(estimate(store, planned, read, wanted, console), console)
            return
        made = prepare(store, planned, read, console).plan
        console.print(f"{made.rows} pairs in {made.shards} shards are planned in {store.uri}", highlight=False)


@app.command()
@takes(running)
def run(flags: Running, context: typer.Context, config: Config = None) -> None:
    """Stylizes every pair that has no record yet; run again, it does what is missing, and what the manifest gained."""
    started = time.perf_counter()
    with mistakes_as_exit_code():
        store = open_store(flags.output)
        job = begin_job(store, flags, ACTOR, console)
        store.write(CONFIG_KEY, in_force({"run": context.params}))
        stopped = run_missing(job)
        code = exit_code(job, conclude(job, time.perf_counter() - started), stopped, flags.max_failed)
    raise typer.Exit(code)


@app.command()
@takes(working)
@takes(sources)
def retry(
    output: Output, resources: Working, read: Sources, max_failed: MaxFailed = 0.1, config: Config = None
) -> None:
    """Stylizes the pairs that failed once more; their records are replaced."""
    started = time.perf_counter()
    with mistakes_as_exit_code():
        job = open_job(output, resources, read, ACTOR, console)
        stopped = retry_failed(job)
        code = exit_code(job, conclude(job, time.perf_counter() - started), stopped, max_failed)
    raise typer.Exit(code)


@app.command(name="verify")
@takes(working)
@takes(sources)
def verify_output(
    output: Output,
    resources: Working,
    read: Sources,
    quick: Annotated[bool, typer.Option("--quick", help="Only whether the pictures exist, not their bytes.")] = False,
    repair_it: Annotated[
        bool, typer.Option("--repair", help="Do again what is wrong; what no record names goes to lost+found/.")
    ] = False,
    config: Config = None,
) -> None:
    """Checks that every record's picture is there, byte for byte, and nothing else."""
    with mistakes_as_exit_code():
        job = open_job(output, resources, read, ACTOR, console)
        verdict = look(job, quick=quick)
        code = 0 if verdict.fine else DAMAGED
        if repair_it and not verdict.fine:
            code = repair(job, verdict)
    raise typer.Exit(code)


@app.command(name="config")
def print_template() -> None:
    """Prints a configuration file for --config, with every key explained."""
    typer.echo(template(), nl=False)


@app.command()
def status(output: Output, config: Config = None) -> None:
    """Says what is done, failed and left."""
    with mistakes_as_exit_code():
        store = open_store(output)
        print_summary(summarize(store, load_plan(store))[0], console)


@app.command()
def sheet(
    output: Output,
    to: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path(),
    config: Config = None,
) -> None:
    """Makes contact sheets, one per preset and method: contents, styles and results on one picture."""
    from jobs.run_sheet import sheets_of_run  # PyTorch, which the other commands do without

    with mistakes_as_exit_code():
        store = open_store(output)
        for name, picture in sheets_of_run(store, load_plan(store)):
            to.mkdir(parents=True, exist_ok=True)
            path = to / f"contact_sheet_{name}.png"
            picture.save(path)
            typer.echo(path)


def context_of(command: str, arguments: Sequence[str]) -> typer.Context:
    """The flags of a command as it would get them, without running it: defaults, `--config` and all.

    Raises:
        JobError: there is no such command.
        typer.Exit: the configuration file cannot be used, which was told.
        click.UsageError: a flag cannot be used; the program that is running tells it.
    """
    group: Any = typer.main.get_command(app)
    if command not in group.commands:
        raise JobError(f"jobs.stylize has no command {command!r}, only {', '.join(group.commands)}")
    context: typer.Context = group.commands[command].make_context(f"jobs.stylize {command}", list(arguments))
    return context


if __name__ == "__main__":
    app()
