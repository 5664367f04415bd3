"""The main job: `python -m jobs.stylize run --manifest M --output O`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import ray
import typer
from rich.console import Console
from tqdm import tqdm

from ift import options
from ift.errors import IftError
from ift.images import MAX_PIXELS
from ift.weights import weights_digest
from jobs.actor import plan_fleet, start_actors
from jobs.dispatch import Dispatcher, wait_until_ready
from jobs.errors import JobError
from jobs.manifest import Defaults, read_manifest
from jobs.parquet import to_parquet
from jobs.plan import Plan, freeze_plan, load_plan, make_plan
from jobs.run_sheet import sheets_of_run
from jobs.signals import StopSignal
from jobs.storage import Store, open_store
from jobs.summary import (
    SUMMARY_KEY,
    TIMINGS_KEY,
    Summary,
    committed_shards,
    print_summary,
    read_records,
    summarize,
)
from jobs.timings import timing_table
from jobs.worker import Outcome, WorkerConfig

USAGE_ERROR, TOO_MANY_FAILED = 2, 3
"""Exit codes beside 0 (every pair has its record) and 128 + a signal's number (stopped; run again to go on)."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console()

Output = Annotated[str, typer.Option(help="Where results go: a folder or an s3:// prefix.")]


@dataclass(frozen=True)
class Resources:
    """What a run may use.

    Attributes:
        workers: number of actors; by the cluster's GPUs and CPUs if None.
        gpus_per_worker: share of a GPU of each; by the cluster if None.
        batch_size: most pictures in a batch; 8 on GPUs and 1 on CPUs if None.
        row_timeout: seconds per row after which a silent worker counts as hung.
        address: of a Ray cluster; the running one, or else an embedded one, if None.
    """

    workers: int | None
    gpus_per_worker: float | None
    batch_size: int | None
    row_timeout: float
    address: str | None


@contextmanager
def mistakes_as_exit_code() -> Iterator[None]:
    """A mistake of the user becomes one line and `USAGE_ERROR`, not a traceback."""
    try:
        yield
    except (JobError, IftError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from None


@app.callback()
def main() -> None:
    """Stylizes the content/style pairs of a manifest."""


@app.command()
def run(
    manifest: Annotated[str, typer.Option(help="Parquet, CSV or JSONL file of pairs, local or s3://.")],
    output: Output,
    preset: options.Preset = "artistic",
    resolution: options.Resolution = 1024,
    style_resolution: options.StyleResolution = None,
    image_format: Annotated[str, typer.Option(help="jpeg, png, webp or tiff, for outputs without a name.")] = "jpeg",
    quality: options.Quality = 95,
    max_failed: Annotated[
        float, typer.Option(min=0, max=1, help="Exit with 3 if a larger share of the pairs fails.")
    ] = 0.1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Actors.  [default: one a GPU, or one for two CPUs]")
    ] = None,
    gpus_per_worker: Annotated[float | None, typer.Option(min=0, help="GPUs of each actor; 0 for CPUs only.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures of one size at a time.  [default: 8 on GPUs, 1 on CPUs]")
    ] = None,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Pairs committed together.  [default: a 64th, 32 at most]")
    ] = None,
    io_threads: Annotated[int, typer.Option(min=1, help="Threads that fetch, and that upload, per actor.")] = 4,
    row_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds a row may take before its actor is hung; nst on CPUs may need more.")
    ] = 600.0,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger pictures are failed rows.")] = MAX_PIXELS,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster.  [default: the running one, or else an embedded one]")
    ] = None,
    method: options.Method = None,
    alpha: options.Alpha = None,
    strength: options.Strength = None,
    gate: options.Gate = None,
    keep_colours: options.KeepColours = None,
    guided_radius: options.GuidedRadius = None,
    n_upd: options.NUpd = None,
    n_iter: options.NIter = None,
    iterate: options.Iterate = None,
    lambda_: options.Lambda = None,
    solver: options.Solver = None,
    eta: options.Eta = None,
    tolerance: options.Tolerance = None,
    nst_steps: options.NstSteps = None,
    centred: options.Centred = None,
    direction: options.Direction = None,
    form: options.Form = None,
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
) -> None:
    """Stylizes every pair that has no record yet; run again, it does what is missing."""
    knobs = {
        "method": method, "alpha": alpha, "strength": strength, "gate": gate, "keep_colours": keep_colours,
        "guided_radius": guided_radius, "n_upd": n_upd, "n_iter": n_iter, "iterate": iterate, "lambda_": lambda_,
        "solver": solver, "eta": eta, "tolerance": tolerance, "nst_steps": nst_steps, "centred": centred,
        "direction": direction, "form": form,
    }  # fmt: skip
    with mistakes_as_exit_code():
        defaults = Defaults(preset, knobs, resolution or None, style_resolution)
        pairs = read_manifest(manifest, defaults)
        for note in pairs.notes:
            console.print(note, highlight=False, markup=False)
        digest = weights_digest(weights, vgg19)
        plan = make_plan(pairs, weights=digest, image_format=image_format, quality=quality, shard_size=shard_size)
        store = open_store(output)
        store.check()
        store.sweep()
        plan = freeze_plan(store, plan)
        config = WorkerConfig(store.uri, plan.fingerprint, quality, weights, vgg19, io_threads, max_pixels)
        resources = Resources(workers, gpus_per_worker, batch_size, row_timeout, address)
        code = stylize(store, plan, config, resources, max_failed)
    raise typer.Exit(code)


@app.command()
def status(output: Output) -> None:
    """Says what is done, failed and left."""
    with mistakes_as_exit_code():
        store = open_store(output)
        print_summary(_summary(store, load_plan(store))[0], console)


@app.command()
def sheet(
    output: Output,
    to: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path(),
) -> None:
    """Makes contact sheets, one per preset and method: contents, styles and results on one picture."""
    with mistakes_as_exit_code():
        store = open_store(output)
        for name, picture in sheets_of_run(store, load_plan(store)):
            to.mkdir(parents=True, exist_ok=True)
            path = to / f"contact_sheet_{name}.png"
            picture.save(path)
            typer.echo(path)


def stylize(store: Store, plan: Plan, config: WorkerConfig, resources: Resources, max_failed: float) -> int:
    """Does what is missing of a frozen plan, writes timings and summary, and prints them.

    Returns:
        The exit code: 0, `TOO_MANY_FAILED`, or 128 + the signal that stopped it.
    """
    started = time.perf_counter()
    committed = committed_shards(store)
    stop = None
    if len(committed) == plan.shards:
        console.print("nothing to do: every pair has its record")
    else:
        stop = _dispatch(store, plan, committed, config, resources)
    summary, timings = _summary(store, plan, time.perf_counter() - started)
    store.write(TIMINGS_KEY, timings)
    store.write(SUMMARY_KEY, summary.to_json())
    print_summary(summary, console)
    if summary.left:
        return stop.exit_code if stop is not None and stop() else 1
    if summary.failed > max_failed * summary.rows:
        console.print(
            f"[red]more failed than --max-failed {max_failed:g} allows[/]; the records say why", highlight=False
        )
        return TOO_MANY_FAILED
    return 0


def _dispatch(store: Store, plan: Plan, committed: set[int], config: WorkerConfig, resources: Resources) -> StopSignal:
    """Starts or joins Ray, and works through the shards that are not committed."""
    _connect(resources.address)
    stop = StopSignal()
    try:
        fleet = plan_fleet(
            ray.cluster_resources(),  # type: ignore[no-untyped-call]
            resources.workers,
            resources.gpus_per_worker,
        )
        batch_size = resources.batch_size or (8 if fleet.gpus else 1)
        actors = start_actors(fleet, config, batch_size)
        console.print(
            f"{plan.rows} pairs in {plan.shards} shards, {len(committed)} of them done; {fleet.workers} workers with "
            f"{fleet.cpus} CPUs{f' and {fleet.gpus:g} GPUs' if fleet.gpus else ''} each",
            highlight=False,
        )
        wait_until_ready(actors, lambda text: console.print(text, highlight=False))
        missing = (shard for shard in plan.iter_shards() if shard.index not in committed)
        already = sum(plan.rows_of(index) for index in committed)
        with _Progress(plan.rows, already) as progress:
            Dispatcher(
                actors,
                store,
                plan.fingerprint,
                row_timeout=resources.row_timeout,
                progress=progress,
                stopping=stop,
            ).run(missing)
    finally:
        ray.shutdown()
    return stop


def _connect(address: str | None) -> None:
    """Joins the cluster at `address` or in RAY_ADDRESS, or the one running here, or else starts one in this process."""
    quiet: dict[str, Any] = {"log_to_driver": True, "logging_level": "warning"}
    try:
        ray.init(address or os.environ.get("RAY_ADDRESS") or "auto", **quiet)
    except ConnectionError as error:
        if address or os.environ.get("RAY_ADDRESS"):
            raise JobError(f"no Ray cluster answers at {address or os.environ['RAY_ADDRESS']}: {error}") from error
        ray.init("local", include_dashboard=False, object_store_memory=100 << 20, **quiet)


class _Progress:
    """A bar with rate and time left; where nobody watches, a line now and then."""

    def __init__(self, rows: int, already: int) -> None:
        watched = sys.stderr.isatty()
        self._failed = 0
        self._bar = tqdm(
            total=rows, initial=already, unit=" pairs", dynamic_ncols=watched, mininterval=0.5 if watched else 10
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, outcome: Outcome) -> None:
        self._failed += outcome.failed
        self._bar.set_postfix(failed=self._failed, refresh=False)
        self._bar.update(outcome.done + outcome.failed)


def _summary(store: Store, plan: Plan, seconds: float = 0.0) -> tuple[Summary, bytes]:
    records = read_records(store, plan, committed_shards(store))
    timings = timing_table(records)
    return summarize(plan, store.uri, records, timings, seconds), to_parquet(timings)


if __name__ == "__main__":
    app()
