"""The job's actor around the stand-in for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jobs.actor import StylizeActor
from jobs.work import WorkerConfig
from tests.chaos.scratch import Scratch

if TYPE_CHECKING:
    from ift import Stylizer
    from jobs.worker import ShardWorker


class ChaosActor(StylizeActor):
    """Stylizes with the stand-in."""

    def make_worker(self, config: WorkerConfig, name: str) -> ShardWorker:
        """A worker as any other, but for the model."""
        from jobs.worker import ShardWorker  # PyTorch: the driver does without
        from tests.chaos.model import StandInStylizer

        model = StandInStylizer(Scratch.of(config.output))
        return ShardWorker(config, name, model=cast("Stylizer", model))
