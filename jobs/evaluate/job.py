"""An evaluation as a library: of a run, or of a list of triples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
from rich.console import Console

from jobs.actor import ShardActor
from jobs.committed import Committed, committed_shards
from jobs.errors import JobError, NotFoundInStoreError, PlanError
from jobs.evaluate.actor import JudgeActor
from jobs.evaluate.places import METRICS_KEY, Place, open_place
from jobs.evaluate.work import JudgeConfig
from jobs.exit_codes import TOO_MANY_FAILED
from jobs.flags import Sources, Working
from jobs.plan import PLAN_KEY, load_plan
from jobs.storage import copy_to_file, open_store
from jobs.storage.uris import absolute_uri
from jobs.work import Work

if TYPE_CHECKING:
    from jobs.evaluate.head import Head
    from jobs.evaluate.source import Source


@dataclass(frozen=True)
class Options:
    """What an evaluation can be told beside what it judges.

    Attributes:
        sources: the weights that judge, and below what pictures must lie.
        retry: whether to try the pairs that could not be judged once more.
        max_failed: the share of the pairs with a picture that may fail.
        actor: what judges; tests put a stand-in here.
    """

    sources: Sources = field(default_factory=lambda: Sources((), None, None))
    retry: bool = False
    max_failed: float = 0.1
    actor: type[ShardActor] = JudgeActor


DEFAULTS = Options()


def evaluate_run(output: str, working: Working, console: Console, options: Options = DEFAULTS) -> int:
    """Judges every picture of a run that has not been judged yet, or has changed since.

    What is found lies in `evaluation/` below the run's output. The run may still be going: what it has committed is
    judged. Where `output` is the evaluation of a list of triples, that is gone on with.

    Args:
        output: URI of the run.
        working: what may be used.
        console: for what the user should know.
        options: weights, retries and limits.

    Returns:
        The exit code, as of `jobs.stylize`.

    Raises:
        JobError: there is no run, its evaluation was made with other weights, or the store cannot be used.
        IftError: the weights cannot be read.
    """
    from jobs.evaluate.head import RUN, Head, freeze, read_head
    from jobs.evaluate.source import ListSource, RunSource

    place = open_place(output)
    if place.run is None:
        standing = read_head(place.store)
        assert standing is not None
        head = freeze(place.store, replace(standing, judge=options.sources.digest))
        return _evaluate(place, head, ListSource(place.store, head), working, console, options)
    plan = load_plan(place.run)
    head = freeze(place.store, Head(RUN, plan.fingerprint, options.sources.digest))
    source = RunSource(place.run, plan, head.fingerprint)
    return _evaluate(place, head, source, working, console, options)


def evaluate_triples(
    triples: str,
    output: str,
    working: Working,
    console: Console,
    options: Options = DEFAULTS,
) -> int:
    """Judges a list of triples, which is frozen in `output` by the first call.

    Args:
        triples: a Parquet, CSV or JSONL file with columns content, style and result, or a folder with content/, style/
            and result/.
        output: URI of the evaluation.
        working: what may be used.
        console: for what the user should know.
        options: weights, retries and limits.

    Returns:
        The exit code, as of `jobs.stylize`.

    Raises:
        JobError: the list cannot be used, or is another than was frozen; or the store cannot be used.
        IftError: the weights cannot be read.
    """
    from jobs.evaluate.listing import freeze_list
    from jobs.evaluate.source import ListSource

    store = open_store(absolute_uri(output))
    if store.exists(PLAN_KEY):
        raise PlanError(f"{store.uri} holds a run: give the evaluation of a list another --output")
    head = freeze_list(store, triples, options.sources.digest, options.sources.allowed)
    return _evaluate(Place(output, store, None), head, ListSource(store, head), working, console, options)


def read_metrics(output: str) -> pa.Table:
    """metrics.parquet of a run or of a list of triples: a row per pair, see `jobs.evaluate.records.METRICS_SCHEMA`.

    Raises:
        JobError: there is none; the message says how to make it.
        StorageError: it cannot be read.
    """
    import pyarrow.parquet as pq

    store = open_place(output).store
    with TemporaryDirectory(prefix="ift-metrics-") as folder:
        try:
            file = copy_to_file(f"{store.uri}/{METRICS_KEY}", Path(folder))
            return pq.read_table(file, page_checksum_verification=True, memory_map=False)
        except NotFoundInStoreError:
            raise JobError(
                f"{output} has not been evaluated: run `python -m jobs.evaluate --output {output}` first"
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise JobError(
                f"{METRICS_KEY} in {store.uri} is damaged ({error}): evaluate again, which writes it anew"
            ) from error


def _evaluate(place: Place, head: Head, source: Source, working: Working, console: Console, options: Options) -> int:
    from jobs.evaluate.conclusion import conclude
    from jobs.evaluate.told import print_evaluation

    started = time.perf_counter()
    stopped = _judge_missing(place, source, committed_shards(place.store, source), working, console, options)
    summary = conclude(place.store, head, source, time.perf_counter() - started)
    print_evaluation(summary, console)
    if stopped is not None:
        return stopped
    if summary.unjudged:
        return 1
    pictures = summary.judged + summary.failed - summary.not_stylized
    if summary.failed - summary.not_stylized > options.max_failed * pictures:
        console.print(
            f"[red]more failed than --max-failed {options.max_failed:g} allows[/]; the records say why",
            highlight=False,
        )
        return TOO_MANY_FAILED
    return 0


def _judge_missing(
    place: Place, source: Source, judged: Committed, working: Working, console: Console, options: Options
) -> int | None:
    """Judges what has no record yet, or no longer a true one; the exit code, if a signal ended it early."""
    from jobs.evaluate.missing import fresh_works, stale_works
    from jobs.evaluate.records import JUDGED
    from jobs.run import run_on_cluster

    def stale() -> Iterator[Work]:
        return stale_works(place.store, source, judged, retry=options.retry)

    ready = source.ready
    again = sum(len(work.rows or ()) for work in stale())
    rows = sum(map(source.rows_of, ready))
    already = sum(source.rows_of(index) for index in ready if index in judged) - again
    if already == rows:
        why = f"all {rows:,} pairs have their record" if rows else "the run has committed no pair yet"
        console.print(f"nothing to judge: {why}", highlight=False)
        return None
    if again:
        console.print(f"{again:,} pairs are judged again: their pictures have changed, or failed", highlight=False)
    place.store.check()
    place.store.sweep()
    return run_on_cluster(
        chain(fresh_works(source, judged), stale()),
        place.store,
        _config(place, working, options),
        working,
        console,
        rows=rows,
        already=already,
        actor=options.actor,
        kind=JUDGED,
    )


def _config(place: Place, working: Working, options: Options) -> JudgeConfig:
    return JudgeConfig(
        output=place.store.uri,
        quality=0,
        weights=options.sources.weights,
        vgg19=options.sources.vgg19,
        io_threads=working.io_threads,
        max_pixels=working.max_pixels,
        most_bytes=int(working.max_file_mb * 1e6),
        allowed=options.sources.allowed,
        run=None if place.run is None else place.run.uri,
    )
