"""The Ray actor that judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from jobs.actor import ShardActor
from jobs.work import WorkerConfig

if TYPE_CHECKING:
    from jobs.evaluate.worker import JudgeWorker


@dataclass(frozen=True)
class JudgeConfig(WorkerConfig):
    """As `WorkerConfig`, whose `output` is that of the evaluation and whose `quality` is not used.

    Attributes:
        run: URI of the run whose pictures are judged; None where results are URIs of their own.
    """

    run: str | None = None


class JudgeActor(ShardActor):
    """Judges; see `jobs.evaluate.worker`."""

    def make_worker(self, config: WorkerConfig, name: str) -> JudgeWorker:
        """The worker around the model."""
        from jobs.evaluate.worker import JudgeWorker  # PyTorch: the driver, which imports this file too, does without

        return JudgeWorker(cast(JudgeConfig, config), name)
