"""The Ray actor that judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jobs.actor import ShardActor
from jobs.evaluate.work import JudgeConfig
from jobs.work import WorkerConfig

if TYPE_CHECKING:
    from jobs.evaluate.worker import JudgeWorker


class JudgeActor(ShardActor):
    """Judges; see `jobs.evaluate.worker`."""

    def make_worker(self, config: WorkerConfig, name: str) -> JudgeWorker:
        """The worker around the model."""
        from jobs.evaluate.worker import JudgeWorker  # PyTorch: the driver, which imports this file too, does without

        return JudgeWorker(cast(JudgeConfig, config), name)
