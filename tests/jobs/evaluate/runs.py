"""Small real runs and their evaluations, made in this process."""

from itertools import chain

from jobs.committed import committed_shards
from jobs.evaluate.conclusion import conclude
from jobs.evaluate.head import RUN, Head, freeze
from jobs.evaluate.missing import fresh_works, stale_works
from jobs.evaluate.places import open_place
from jobs.evaluate.source import ListSource, RunSource
from jobs.evaluate.work import JudgeConfig
from jobs.evaluate.worker import JudgeWorker
from jobs.manifest import Defaults
from jobs.plan import load_plan, prepare_plan
from jobs.storage import open_store
from jobs.work import Effort, WorkerConfig
from jobs.worker import ShardWorker
from tests.jobs.pairs import write_manifest

WEIGHTS = "0123456789abcdef" * 4


def plan_run(folder, rows=None, layout="objects", shard_size=3, contents=3, styles=2):
    """The plan of contents × styles, and of more rows, in folder/run."""
    manifest = write_manifest(folder, contents, styles, rows)
    return prepare_plan(
        open_store(str(folder / "run")),
        str(manifest),
        Defaults(options={"method": "adain"}),
        weights=WEIGHTS,
        image_format="png",
        quality=95,
        layout=layout,
        shard_size=shard_size,
    ).plan


def stylize(folder, model, shards=None):
    """Does some shards of the run in folder/run, or all."""
    store = open_store(str(folder / "run"))
    worker = ShardWorker(WorkerConfig(store.uri, 95, None, None, io_threads=2, max_pixels=10**6), model=model)
    for shard in load_plan(store).iter_shards():
        if shards is None or shard.index in shards:
            worker.run(shard, Effort())


def source_of(output, judge=WEIGHTS):
    """What is judged there, and the head of its evaluation."""
    place = open_place(str(output))
    if place.run is None:
        from jobs.evaluate.head import read_head

        head = read_head(place.store)
        return place, head, ListSource(place.store, head)
    plan = load_plan(place.run)
    head = freeze(place.store, Head(RUN, plan.fingerprint, judge))
    return place, head, RunSource(place.run, plan, head.fingerprint)


def works_of(output, retry=False):
    """What is still to be judged: a list of (shard, rows)."""
    place, _, source = source_of(output)
    judged = committed_shards(place.store, source)
    works = chain(fresh_works(source, judged), stale_works(place.store, source, judged, retry=retry))
    return [(work.shard, work.rows) for work in works]


def judge_all(output, model, retry=False, **config):
    """Judges what is missing, in this process, and concludes."""
    place, head, source = source_of(output)
    run = None if place.run is None else place.run.uri
    settings = {"io_threads": 2, "max_pixels": 10**6, **config}
    worker = JudgeWorker(JudgeConfig(place.store.uri, 0, None, None, run=run, **settings), model=model)
    for shard, rows in works_of(output, retry):
        worker.run(shard, Effort(rows))
    return conclude(place.store, head, source, 1.0)
