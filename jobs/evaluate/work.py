"""What travels to the workers that judge."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.work import WorkerConfig


@dataclass(frozen=True)
class JudgeConfig(WorkerConfig):
    """As `WorkerConfig`, whose `output` is that of the evaluation and whose `quality` is not used.

    Attributes:
        run: URI of the run whose pictures are judged; None where results are URIs of their own.
    """

    run: str | None = None
