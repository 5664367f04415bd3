"""The main job: `python -m jobs.stylize run --manifest M --output O`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tqdm import tqdm

from ift import options
from ift.errors import IftError
from ift.weight_files import weights_digest
from jobs.actor import StylizeActor
from jobs.committed import committed_shards, failed_rows
from jobs.errors import JobError, PlanError, StorageUnavailableError
from jobs.flags import AllowPrefix, MaxFailed, Output, Planning, Working, planning, takes, working
from jobs.manifest import Defaults
from jobs.parquet import to_parquet
from jobs.plan import Plan, load_plan, prepare_plan
from jobs.run import run_on_cluster
from jobs.storage import Store, open_store
from jobs.storage.uris import scheme
from jobs.summary import SUMMARY_KEY, TIMINGS_KEY, print_summary, summarize
from jobs.verify import VERDICT_KEY, Verdict, print_verdict, repair_storage, verify
from jobs.work import Work, WorkerConfig

USAGE_ERROR, TOO_MANY_FAILED, DAMAGED, TRY_LATER = 2, 3, 4, 75
"""Exit codes beside 0 (every pair has its record) and 128 + a signal's number (stopped; run again to go on)."""

ACTOR: type[StylizeActor] = StylizeActor
"""What stylizes; the fault suite and benchmarks of the job put a stand-in here."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console()


@dataclass(frozen=True)
class _Job:
    """A plan, where its results go, and with what."""

    store: Store
    plan: Plan
    config: WorkerConfig
    working: Working


@contextmanager
def mistakes_as_exit_code() -> Iterator[None]:
    """A mistake of the user becomes one line and `USAGE_ERROR`, an unavailable store `TRY_LATER`; no traceback."""
    try:
        yield
    except (JobError, IftError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(TRY_LATER if isinstance(error, StorageUnavailableError) else USAGE_ERROR) from None


@app.callback()
def main() -> None:
    """Stylizes the content/style pairs of a manifest."""


@app.command()
@takes(planning)
def plan(
    planned: Planning,
    output: Output,
    allow_prefix: AllowPrefix = None,
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
) -> None:
    """Reads and checks the manifest and freezes the plan, without stylizing anything; `run` then does the work."""
    with mistakes_as_exit_code():
        store = open_store(output)
        made = _prepare(store, planned, allow_prefix, weights_digest(weights, vgg19))
        console.print(f"{made.rows} pairs in {made.shards} shards are planned in {store.uri}", highlight=False)


@app.command()
@takes(planning)
@takes(working)
def run(
    planned: Planning,
    output: Output,
    resources: Working,
    allow_prefix: AllowPrefix = None,
    max_failed: MaxFailed = 0.1,
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
) -> None:
    """Stylizes every pair that has no record yet; run again, it does what is missing, and what the manifest gained."""
    started = time.perf_counter()
    with mistakes_as_exit_code():
        store = open_store(output)
        made = _prepare(store, planned, allow_prefix, weights_digest(weights, vgg19))
        job = _Job(store, made, _config(store, made, resources, allow_prefix, weights, vgg19), resources)
        code = _finish(job, _run_missing(job), started, max_failed)
    raise typer.Exit(code)


@app.command()
@takes(working)
def retry(
    output: Output,
    resources: Working,
    allow_prefix: AllowPrefix = None,
    max_failed: MaxFailed = 0.1,
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
) -> None:
    """Stylizes the pairs that failed once more; their records are replaced."""
    started = time.perf_counter()
    with mistakes_as_exit_code():
        job = _open_job(output, resources, allow_prefix, weights, vgg19)
        failed = sum(len(rows) for _, rows in failed_rows(job.store, job.plan))
        stopped = None
        if failed:
            works = (Work(job.plan.shard(index), rows) for index, rows in failed_rows(job.store, job.plan))
            stopped = _on_cluster(job, works, failed)
        else:
            console.print("nothing to do: no pair has failed")
        code = _finish(job, stopped, started, max_failed)
    raise typer.Exit(code)


@app.command(name="verify")
@takes(working)
def verify_output(
    output: Output,
    resources: Working,
    quick: Annotated[bool, typer.Option("--quick", help="Only whether the pictures exist, not their bytes.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Do again what is wrong; what no record names goes to lost+found/.")
    ] = False,
    allow_prefix: AllowPrefix = None,
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
) -> None:
    """Checks that every record's picture is there, byte for byte, and nothing else."""
    with mistakes_as_exit_code():
        job = _open_job(output, resources, allow_prefix, weights, vgg19)
        verdict = _verify(job, quick)
        code = 0 if verdict.fine else DAMAGED
        if repair and not verdict.fine:
            code = _repair(job, verdict)
    raise typer.Exit(code)


@app.command()
def status(output: Output) -> None:
    """Says what is done, failed and left."""
    with mistakes_as_exit_code():
        store = open_store(output)
        print_summary(summarize(store, load_plan(store))[0], console)


@app.command()
def sheet(
    output: Output,
    to: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path(),
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


# The parts of the commands


def _prepare(store: Store, planned: Planning, allow_prefix: list[str] | None, weights: str) -> Plan:
    """The frozen plan, with whatever the manifest has gained."""
    prepared = prepare_plan(
        store,
        planned.manifest,
        Defaults(planned.preset, planned.options, planned.resolution, planned.style_resolution),
        weights=weights,
        image_format=planned.image_format,
        quality=planned.quality,
        shard_size=planned.shard_size,
        allowed=_absolute(allow_prefix),
    )
    for note in prepared.notes:
        console.print(note, highlight=False, markup=False)
    if prepared.added:
        console.print(f"the manifest has grown by {prepared.added} pairs", highlight=False)
    return prepared.plan


def _open_job(
    output: str, resources: Working, allow_prefix: list[str] | None, weights: str | None, vgg19: str | None
) -> _Job:
    """The job of a plan that is frozen already."""
    store = open_store(output)
    made = load_plan(store)
    if weights_digest(weights, vgg19) != made.weights:
        raise PlanError(f"{store.uri} was made with other model weights: give the same --weights and --vgg19 as then")
    return _Job(store, made, _config(store, made, resources, allow_prefix, weights, vgg19), resources)


def _config(
    store: Store,
    made: Plan,
    resources: Working,
    allow_prefix: list[str] | None,
    weights: str | None,
    vgg19: str | None,
) -> WorkerConfig:
    return WorkerConfig(
        output=store.uri,
        quality=made.options["quality"],
        weights=weights,
        vgg19=vgg19,
        io_threads=resources.io_threads,
        max_pixels=resources.max_pixels,
        most_bytes=int(resources.max_file_mb * 1e6),
        allowed=_absolute(allow_prefix),
    )


def _absolute(prefixes: list[str] | None) -> tuple[str, ...]:
    """The same folders to workers in other folders."""
    return tuple(prefix if scheme(prefix) else str(Path(prefix).absolute()) for prefix in prefixes or ())


def _run_missing(job: _Job) -> int | None:
    """Does every shard that is not committed."""
    committed = committed_shards(job.store, job.plan)
    if len(committed) == job.plan.shards:
        console.print("nothing to do: every pair has its record")
        return None
    missing = (Work(shard) for shard in job.plan.iter_shards(skip=committed))
    already = sum(job.plan.rows_of(index) for index in committed)
    return _on_cluster(job, missing, job.plan.rows, already)


def _on_cluster(job: _Job, works: Iterator[Work], rows: int, already: int = 0) -> int | None:
    job.store.check()
    job.store.sweep()
    return run_on_cluster(works, job.store, job.config, job.working, console, rows=rows, already=already, actor=ACTOR)


def _finish(job: _Job, stopped: int | None, started: float, max_failed: float) -> int:
    """Writes timings and summary, and prints them; returns the exit code."""
    summary, timings = summarize(job.store, job.plan, time.perf_counter() - started)
    job.store.write(TIMINGS_KEY, to_parquet(timings))
    job.store.write(SUMMARY_KEY, summary.to_json())
    job.store.sweep()
    print_summary(summary, console)
    if stopped is not None:
        return stopped
    if summary.left:
        return 1
    if summary.failed > max_failed * summary.rows:
        console.print(
            f"[red]more failed than --max-failed {max_failed:g} allows[/]; the records say why", highlight=False
        )
        return TOO_MANY_FAILED
    return 0


def _verify(job: _Job, quick: bool) -> Verdict:
    with tqdm(total=job.plan.rows, unit=" pairs", dynamic_ncols=True) as bar:
        verdict = verify(job.store, pictures=not quick, progress=bar.update)
    job.store.write(VERDICT_KEY, verdict.to_json())
    print_verdict(verdict, console)
    return verdict


def _repair(job: _Job, verdict: Verdict) -> int:
    """Sets aside what is wrong, does it again, and looks once more; returns the exit code."""
    for problem in repair_storage(job.store, verdict):
        console.print(problem, highlight=False, markup=False)
    stopped = None
    if verdict.redo:
        job = replace(job, plan=verdict.plan)  # which may have grown since
        works = (Work(job.plan.shard(index), rows) for index, rows in verdict.redo.items())
        count = sum(job.plan.rows_of(index) if rows is None else len(rows) for index, rows in verdict.redo.items())
        stopped = _on_cluster(job, works, count)
    if stopped is not None:
        return stopped
    again = _verify(job, quick=False)
    return 0 if again.fine else DAMAGED


if __name__ == "__main__":
    app()
