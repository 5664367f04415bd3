"""What a run measures while it goes on, for Prometheus: Ray's agent on each node collects and serves it.

The truth about a run are its records; metrics are for watching. Tags have few values each: nothing is counted by pair
or by shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ray.util import metrics as ray_metrics

from jobs.events import Event, Load, RunStarted, ShardCommitted, StoreSetback, WorkerDied
from jobs.records import STAGES, Record

_RESOLUTIONS = (256, 512, 768, 1024, 1536, 2048, 4096)
_LARGER = "more"

_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 300.0)
"""Bounds of the buckets: an upload takes milliseconds, nst minutes."""


@dataclass(frozen=True)
class Metric:
    """A metric's definition.

    Attributes:
        name: without Ray's prefix and Prometheus's suffixes.
        description: with the unit.
        tags: beside `run`.
    """

    suffixes: ClassVar[tuple[str, ...]] = ("",)
    name: str
    description: str
    tags: tuple[str, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names that Prometheus knows."""
        return tuple(f"ray_{self.name}{suffix}" for suffix in self.suffixes)

    @property
    def tag_keys(self) -> tuple[str, ...]:
        """All tags."""
        return ("run", *self.tags)


class _Counter(Metric):
    suffixes = ("_total",)

    def of(self, run: str) -> ray_metrics.Counter:
        counter = ray_metrics.Counter(self.name, self.description, self.tag_keys)
        counter.set_default_tags({"run": run})
        return counter


class _Gauge(Metric):
    def of(self, run: str) -> ray_metrics.Gauge:
        gauge = ray_metrics.Gauge(self.name, self.description, self.tag_keys)
        gauge.set_default_tags({"run": run})
        return gauge


class _Histogram(Metric):
    suffixes = ("_bucket", "_sum", "_count")

    def of(self, run: str) -> ray_metrics.Histogram:
        histogram = ray_metrics.Histogram(self.name, self.description, list(_SECONDS), self.tag_keys)
        histogram.set_default_tags({"run": run})
        return histogram


PAIRS = _Counter("ift_pairs", "Pairs that workers have finished", ("status", "preset", "method"))
PAIR_SECONDS = _Histogram(
    "ift_pair_seconds", "Seconds of a pair in a stage", ("stage", "resolution")
)  # Ray keeps its counts exactly, its sum only to the width of the buckets
STAGE_SECONDS = _Counter("ift_stage_seconds", "Seconds that all pairs have spent in a stage", ("stage",))
PICTURE_BYTES = _Counter("ift_picture_bytes", "Bytes of pictures written")
STYLE_LOOKUPS = _Counter("ift_style_lookups", "Styles that were in a worker's cache or not", ("cache",))
COMMITTED_PAIRS = _Counter("ift_committed_pairs", "Pairs whose records were committed", ("status",))
WORKER_DEATHS = _Counter("ift_worker_deaths", "Worker processes that died or were killed")
SETBACKS = _Counter("ift_setbacks", "Pieces of work that a store did not answer for")
PAIRS_LEFT = _Gauge("ift_pairs_left", "Pairs of the run without a record; there while the run goes on")
SHARDS = _Gauge("ift_shards", "Pieces of work that workers have, or that wait to be sent again", ("state",))
WORKERS = _Gauge("ift_workers", "Workers by what they are at", ("state",))

METRICS: tuple[Metric, ...] = (
    PAIRS, PAIR_SECONDS, STAGE_SECONDS, PICTURE_BYTES, STYLE_LOOKUPS,
    COMMITTED_PAIRS, WORKER_DEATHS, SETBACKS, PAIRS_LEFT, SHARDS, WORKERS,
)  # fmt: skip
"""All there are: the first five are told by the workers, the others by the driver."""


class WorkerMetrics:
    """What one worker tells of its pairs.

    Args:
        run: as `jobs.run_name.run_name`.
    """

    def __init__(self, run: str) -> None:
        self._pairs, self._pair_seconds = PAIRS.of(run), PAIR_SECONDS.of(run)
        self._stage_seconds, self._bytes = STAGE_SECONDS.of(run), PICTURE_BYTES.of(run)
        self._lookups = STYLE_LOOKUPS.of(run)

    def observe(self, records: Sequence[Record], hits: int, misses: int) -> None:
        """Counts in what was done.

        Args:
            records: of the pairs that were worked on.
            hits: styles that were in the cache since the last call.
            misses: styles that were not.
        """
        for record in records:
            tags = {"status": record.status, "preset": record.preset, "method": record.method}
            self._pairs.inc(1, tags)
            if record.status == "done":
                self._observe_done(record)
        _add(self._lookups, hits, {"cache": "hit"})
        _add(self._lookups, misses, {"cache": "miss"})

    def _observe_done(self, record: Record) -> None:
        resolution = resolution_tag(record.resolution or 0)
        for stage in STAGES:
            seconds = record.seconds.get(stage, 0.0)
            self._pair_seconds.observe(seconds, {"stage": stage, "resolution": resolution})
            _add(self._stage_seconds, seconds, {"stage": stage})
        _add(self._bytes, record.bytes or 0)


class RunMetrics:
    """What the driver tells of its run, from the events that it is told.

    Args:
        run: as `jobs.run_name.run_name`.
    """

    def __init__(self, run: str) -> None:
        self._committed, self._left = COMMITTED_PAIRS.of(run), PAIRS_LEFT.of(run)
        self._deaths, self._setbacks = WORKER_DEATHS.of(run), SETBACKS.of(run)
        self._shards, self._workers = SHARDS.of(run), WORKERS.of(run)
        self._pairs_left = 0

    def __call__(self, event: Event) -> None:
        """Counts an event in."""
        match event:
            case RunStarted():
                self._leave(event.rows - event.already)
            case ShardCommitted():
                _add(self._committed, event.done, {"status": "done"})
                _add(self._committed, event.failed, {"status": "failed"})
                self._leave(self._pairs_left - event.done - event.failed)
            case WorkerDied():
                self._deaths.inc()
            case StoreSetback():
                self._setbacks.inc()
            case Load():
                self._leave(self._pairs_left)  # Ray forgets a gauge that is not set again for two of its reports
                for state in ("in_flight", "again"):
                    self._shards.set(getattr(event, state), {"state": state})
                for state in ("working", "idle", "missing"):
                    self._workers.set(getattr(event, state), {"state": state})

    def _leave(self, pairs: int) -> None:
        self._pairs_left = pairs
        self._left.set(pairs)


def resolution_tag(pixels: int) -> str:
    """The longer side in pixels, rounded up to one of few."""
    return next((str(side) for side in _RESOLUTIONS if pixels <= side), _LARGER)


def _add(counter: Any, value: float, tags: Mapping[str, str] | None = None) -> None:
    """Ray's counters refuse 0."""
    if value > 0:
        counter.inc(value, tags)
