"""The Ray actor around a `ShardWorker`, and how many there are of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import ray

from jobs.commit import Outcome
from jobs.errors import JobError
from jobs.ledger import AnyRecord
from jobs.metrics import WorkerMetrics
from jobs.parts.gathering import GatherShard
from jobs.parts.legs import LegShard
from jobs.run_name import run_name
from jobs.work import Effort, WorkerConfig

if TYPE_CHECKING:
    from jobs.shard_worker import ShardWorkerBase
    from jobs.worker import ShardWorker

IN_FLIGHT = 2
"""Shards that an actor holds at a time: the transfers of one hide behind the work on the other."""

_AMPLE_BYTES = 3 << 30
"""For one actor: enough for pictures of four megapixels."""

MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}
"""As `ift.allocator.keep_memory`, but from the start: Ray's own threads have their arenas before any Python runs."""


class ShardActor:
    """Holds one worker, which holds one copy of the model; see `jobs.shard_worker` for what it does with a shard."""

    def __init__(self, config: WorkerConfig, name: str) -> None:
        self._worker = self.make_worker(config, name)

    def make_worker(self, config: WorkerConfig, name: str) -> ShardWorkerBase[Any]:
        """The worker around the model."""
        raise NotImplementedError

    def ready(self) -> None:
        """Returns once the model is loaded."""

    def pulse(self) -> int:
        """A number that grows as long as the work goes on."""
        return self._worker.beats

    def run(self, shard: Any, effort: Effort) -> Outcome:
        """Works on a shard, or on some of its rows again, and commits their records."""
        return self._worker_for(shard).run(shard, effort)

    def run_alone(self, shard: Any, effort: Effort) -> AnyRecord:
        """Works on the only pair of `shard` and leaves the commit to the caller: for pairs that may kill."""
        record: AnyRecord = self._worker_for(shard).work_on(shard, shard.pairs, effort)[0]
        return record

    def _worker_for(self, shard: Any) -> ShardWorkerBase[Any]:
        """Who works on shards of this kind."""
        return self._worker


class StylizeActor(ShardActor):
    """Stylizes; see `jobs.worker`."""

    def __init__(self, config: WorkerConfig, name: str) -> None:
        self._metrics = WorkerMetrics(run_name(config.output))
        self._of_parts: dict[type, ShardWorkerBase[Any]] = {}  # made when there is work for them
        super().__init__(config, name)

    def make_worker(self, config: WorkerConfig, name: str) -> ShardWorker:
        """The worker around the model; here a stand-in can put another."""
        from jobs.worker import ShardWorker  # PyTorch: the driver, which imports this file too, does without

        return ShardWorker(config, name, observe=self._metrics.observe)

    def pulse(self) -> int:
        """A number that grows as long as the work goes on."""
        return self._worker.beats + sum(worker.beats for worker in list(self._of_parts.values()))

    def _worker_for(self, shard: Any) -> ShardWorkerBase[Any]:
        kind = type(shard)
        if kind not in (LegShard, GatherShard):
            return self._worker
        if kind not in self._of_parts:
            from jobs.parts.gather_worker import GatherWorker
            from jobs.parts.worker import PartWorker

            make = PartWorker if kind is LegShard else GatherWorker
            self._of_parts.setdefault(kind, make(cast("ShardWorker", self._worker)))
        return self._of_parts[kind]


@dataclass(frozen=True)
class Fleet:
    """How many actors there are and what each takes of the cluster.

    Attributes:
        workers: number of actors.
        cpus: CPUs, and so threads, of each.
        gpus: GPUs of each; may be a fraction.
        memory: bytes that each may hold; None where only the device has a limit.
    """

    workers: int
    cpus: int
    gpus: float
    memory: int | None = None


def plan_fleet(
    nodes: Sequence[Mapping[str, float]],
    workers: int | None,
    gpus_per_worker: float | None,
    memory: int | None = None,
) -> Fleet:
    """The fleet for a cluster: an actor per GPU where there are any, else one per CPU or per two of each node.

    An actor lives on one node, so it is the nodes that must have room, not their sum. Actors of one thread do a tenth
    more than half as many of two, and far more where others use the cores too, for threads wait for each other; they
    need twice the memory.

    Args:
        nodes: what each node has: `CPU`, `GPU` and `memory` in bytes, as Ray names them.
        workers: number of actors, if the user gave one.
        gpus_per_worker: GPUs of each, if the user gave it; 0 for CPUs only.
        memory: bytes that each may hold, if the user gave it; else, on CPUs, what is left for each where most of them
            can meet, and no limit on GPUs, whose drivers reserve more than they use.

    Raises:
        JobError: the cluster has less than asked for.
    """
    # A head that does no work is that of a cluster whose nodes come when somebody asks for them, with a CPU at least.
    grows = any(node.get("CPU", 0) < 1 for node in nodes)
    nodes = [node for node in nodes if node.get("CPU", 0) >= 1] or [{"CPU": 1.0}]
    gpus = [node.get("GPU", 0.0) for node in nodes]
    share = gpus_per_worker if gpus_per_worker is not None else float(any(gpus))
    if share > max(gpus) and not grows:
        raise JobError(f"--gpus-per-worker {share:g}: the cluster has {max(gpus):g} GPUs on a node")
    if workers is None:
        workers = max(1, sum(_room(node, 1, share) if share else _by_memory(node) for node in nodes))
    most = max(int(node["CPU"]) for node in nodes)
    fitting = (cpus for cpus in range(most, 0, -1) if sum(_room(node, cpus, share) for node in nodes) >= workers)
    cpus = next(fitting, int(grows))
    if not cpus:
        raise JobError(
            f"--workers {workers}: the cluster has {sum(int(node['CPU']) for node in nodes)} CPUs and {sum(gpus):g} "
            f"GPUs, not one CPU and {share:g} GPUs for each; give fewer workers, or a smaller --gpus-per-worker"
        )
    if memory is None and not share:
        rooms = ((node.get("memory"), min(workers, _room(node, cpus, share))) for node in nodes)
        memory = min((int(has / room) for has, room in rooms if has and room), default=None)
    return Fleet(workers, cpus, share, memory)


def _room(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    """How many actors fit on a node."""
    room = int(node["CPU"]) // cpus
    return min(room, int(node.get("GPU", 0.0) / gpus + 1e-9)) if gpus else room


def _by_memory(node: Mapping[str, float]) -> int:
    """An actor per CPU of a node with enough memory for that, else one per two."""
    cpus = int(node["CPU"])
    return cpus if node.get("memory", 0.0) >= cpus * _AMPLE_BYTES else max(1, cpus // 2)


def start_actors(
    fleet: Fleet, config: WorkerConfig, batch_size: int, actor: type[ShardActor] = StylizeActor
) -> list[Any]:
    """Starts the actors; returns their handles at once, while they load the model."""
    config = replace(config, threads=fleet.cpus, batch_size=batch_size, memory=fleet.memory)
    remote = ray.remote(actor)
    return [
        remote.options(
            num_cpus=fleet.cpus,
            num_gpus=fleet.gpus,
            max_restarts=-1,  # a dead actor comes back; what it was doing is the dispatcher's to decide
            max_task_retries=0,
            max_concurrency=IN_FLIGHT + 2,  # beside the work, `ready` and `pulse`
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(fleet.cpus), **MALLOC}},
        ).remote(config, f"{os.getpid()}-{index}")
        for index in range(fleet.workers)
    ]
