"""A run of the main job as a library: what the commands of `jobs.stylize` and the nights are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from rich.console import Console
from tqdm import tqdm

from jobs.committed import committed_shards, failed_rows
from jobs.errors import PlanError
from jobs.exit_codes import DAMAGED, TOO_MANY_FAILED
from jobs.flags import Planning, Running, Sources, Working
from jobs.manifest import Defaults
from jobs.packs import INDEX_KEY, PackIndex
from jobs.parquet import to_parquet
from jobs.parts.run import PartsRun, sweep_parts, waiting_members
from jobs.plan import OBJECTS, Plan, Prepared, load_plan, prepare_plan
from jobs.run import run_on_cluster
from jobs.storage import Store, open_store
from jobs.summary import SUMMARY_KEY, TIMINGS_KEY, Summary, print_summary, summarize
from jobs.verify import VERDICT_KEY, Verdict, print_verdict, repair_storage, verify
from jobs.work import Work, WorkerConfig

if TYPE_CHECKING:
    from jobs.actor import StylizeActor


@dataclass(frozen=True)
class Job:
    """A frozen plan, where its results go, and with what.

    Attributes:
        store: of the output.
        plan: what is to be done.
        config: of the workers.
        working: what may be used.
        actor: what stylizes.
        console: for what the user should know.
    """

    store: Store
    plan: Plan
    config: WorkerConfig
    working: Working
    actor: type[StylizeActor]
    console: Console


def prepare(store: Store, planned: Planning, sources: Sources, console: Console) -> Prepared:
    """The frozen plan, with whatever the manifest has gained.

    Raises:
        JobError, IftError: as `prepare_plan`.
    """
    prepared = prepare_plan(
        store,
        planned.manifest,
        Defaults(planned.preset, planned.options, planned.resolution, planned.style_resolution),
        weights=sources.digest,
        image_format=planned.image_format,
        quality=planned.quality,
        layout=planned.layout,
        tile=planned.tile,
        whole_megapixels=planned.whole_megapixels,
        phases=planned.phases,
        shard_size=planned.shard_size,
        allowed=sources.allowed,
    )
    for note in prepared.notes:
        console.print(note, highlight=False, markup=False)
    if prepared.added:
        console.print(f"the manifest has grown by {prepared.added} pairs", highlight=False)
    return prepared


def begin_job(store: Store, flags: Running, actor: type[StylizeActor], console: Console) -> Job:
    """The job of a manifest: its plan is frozen, or found again, or grows.

    Raises:
        JobError, IftError: as `prepare_plan`.
    """
    plan = prepare(store, flags.planning, flags.sources, console).plan
    return _job(store, plan, flags.working, flags.sources, actor, console)


def open_job(output: str, resources: Working, sources: Sources, actor: type[StylizeActor], console: Console) -> Job:
    """The job of a plan that is frozen already.

    Raises:
        PlanError: there is none, or it was made with other weights.
        IftError: the weights cannot be read.
    """
    store = open_store(output)
    plan = load_plan(store)
    if sources.digest != plan.weights:
        raise PlanError(f"{store.uri} was made with other model weights: give the same --weights and --vgg19 as then")
    return _job(store, plan, resources, sources, actor, console)


def run_missing(job: Job, *, retry: bool = False) -> int | None:
    """Does every shard that is not committed.

    Args:
        job: what is to be done.
        retry: whether to do the pairs that had failed before as well, in the same go.

    Returns:
        The exit code, if a signal ended it early.
    """
    before = committed_shards(job.store, job.plan)
    again = _count(failed_rows(job.store, job.plan, before)) if retry else 0
    waiting = sum(1 for _ in waiting_members(job.store, job.plan, before))
    if len(before) == job.plan.shards and not again and not waiting:
        job.console.print("nothing to do: every pair has its record")
        return None
    missing = (Work(shard) for shard in job.plan.iter_shards(skip=before))
    failed = _works(job.plan, failed_rows(job.store, job.plan, before)) if again else iter(())
    already = sum(job.plan.rows_of(index) for index in before) - max(again, waiting)
    return _on_cluster(job, chain(missing, failed), job.plan.rows, already)


def retry_failed(job: Job) -> int | None:
    """Does the pairs that failed once more; returns the exit code, if a signal ended it early."""
    failed = _count(failed_rows(job.store, job.plan))
    if not failed:
        job.console.print("nothing to do: no pair has failed")
        return None
    return _on_cluster(job, _works(job.plan, failed_rows(job.store, job.plan)), failed)


def conclude(job: Job, seconds: float) -> Summary:
    """Writes timings and summary of a run that took so long, and prints them."""
    packs = PackIndex()
    summary, timings = summarize(job.store, job.plan, seconds, packs.add)
    job.store.write(TIMINGS_KEY, to_parquet(timings))
    job.store.write(SUMMARY_KEY, summary.to_json())
    if job.plan.layout != OBJECTS:
        job.store.write(INDEX_KEY, packs.to_json())
    job.store.sweep()
    print_summary(summary, job.console)
    return summary


def exit_code(job: Job, summary: Summary, stopped: int | None, max_failed: float) -> int:
    """What a run ends with.

    Args:
        job: that was done.
        summary: how it stands now.
        stopped: the exit code if a signal ended it early.
        max_failed: share of the pairs that may fail.
    """
    if stopped is not None:
        return stopped
    if summary.left:
        return 1
    if summary.failed > max_failed * summary.rows:
        job.console.print(
            f"[red]more failed than --max-failed {max_failed:g} allows[/]; the records say why", highlight=False
        )
        return TOO_MANY_FAILED
    return 0


def look(job: Job, *, quick: bool) -> Verdict:
    """Whether all is there and as recorded; written to the output, and printed.

    Args:
        job: to look at.
        quick: only whether the pictures are there, not their bytes.
    """
    with tqdm(total=job.plan.rows, unit=" pairs", dynamic_ncols=True) as bar:
        verdict = verify(job.store, pictures=not quick, progress=bar.update)
    job.store.write(VERDICT_KEY, verdict.to_json())
    print_verdict(verdict, job.console)
    return verdict


def repair(job: Job, verdict: Verdict) -> int:
    """Sets aside what is wrong, does it again, and looks once more; returns the exit code."""
    for problem in repair_storage(job.store, verdict):
        job.console.print(problem, highlight=False, markup=False)
    stopped = None
    if verdict.redo:
        job = replace(job, plan=verdict.plan)  # which may have grown since
        count = sum(job.plan.rows_of(index) if rows is None else len(rows) for index, rows in verdict.redo.items())
        stopped = _on_cluster(job, _works(job.plan, iter(verdict.redo.items())), count)
    if stopped is not None:
        return stopped
    return 0 if look(job, quick=False).fine else DAMAGED


def _job(
    store: Store, plan: Plan, resources: Working, sources: Sources, actor: type[StylizeActor], console: Console
) -> Job:
    config = WorkerConfig(
        output=store.uri,
        quality=plan.options["quality"],
        weights=sources.weights,
        vgg19=sources.vgg19,
        io_threads=resources.io_threads,
        max_pixels=resources.max_pixels,
        most_bytes=int(resources.max_file_mb * 1e6),
        allowed=sources.allowed,
        whole_pixels=int(plan.options["whole_megapixels"] * 1e6),
        tile=int(plan.options["tile"]),
    )
    return Job(store, plan, config, resources, actor, console)


def _count(rows: Iterator[tuple[int, frozenset[int]]]) -> int:
    return sum(len(some) for _, some in rows)


def _works(plan: Plan, rows: Iterator[tuple[int, frozenset[int] | None]]) -> Iterator[Work]:
    return (Work(plan.shard(index), some) for index, some in rows)


def _on_cluster(job: Job, works: Iterator[Work], rows: int, already: int = 0) -> int | None:
    job.store.check()
    job.store.sweep()
    sweep_parts(job.store, job.plan)
    return run_on_cluster(
        works,
        job.store,
        job.config,
        job.working,
        job.console,
        rows=rows,
        already=already,
        actor=job.actor,
        then=lambda go: PartsRun(job.store, job.plan, go, job.console).make(),
    )
