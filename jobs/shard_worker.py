"""What every worker does about a shard: its pairs are worked on, and their records are committed, once."""

from __future__ import annotations

import platform
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import torch

from ift import Stylizer
from ift.allocator import MemoryLimit, is_out_of_memory
from ift.settings import MAX_PIXELS
from jobs.commit import Outcome, commit, committed_rows, recommit
from jobs.errors import CredentialsError, StorageUnavailableError
from jobs.ledger import AnyRecord, RecordKind
from jobs.memory import limit_memory
from jobs.storage import open_store, read_uri
from jobs.work import Effort, WorkerConfig

R = TypeVar("R", bound=AnyRecord)


class OutOfMemoryError(Exception):
    """A picture needs more memory than its worker may take."""


class ShardWorkerBase(ABC, Generic[R]):
    """Holds the model; `run` may be called by two threads, so that one shard's transfers hide behind another's work.

    Args:
        config: what to work with.
        name: for the records.
        model: to use instead of the one that `config` describes.
        kind: of the records.

    Attributes:
        device: held by who computes.
        beats: grows with every stage of every row that is finished; if it stands still, the worker hangs.
    """

    def __init__(self, config: WorkerConfig, name: str, model: Stylizer | None, kind: RecordKind) -> None:
        torch.set_num_threads(config.threads)
        self.config, self.name, self.kind = config, name, kind
        self.model = model or Stylizer.from_pretrained(config.weights, vgg19=config.vgg19)
        self.store = open_store(config.output)
        self.beats = 0
        self._node = platform.node()
        self._fetchers = ThreadPoolExecutor(config.io_threads, "fetch")
        self.device = threading.Lock()
        self._memory = MemoryLimit()
        if config.memory is not None:
            limit_memory(config.memory)

    def run(self, shard: Any, effort: Effort) -> Outcome:
        """Works on a shard's pairs and commits their records; a pair that fails gets a failed record.

        Raises:
            StorageUnavailableError: a store does not answer for now; nothing is committed.
            StorageError: the output cannot be written, or the credentials are refused; nothing is committed.
        """
        seen = None if effort.rows is None else committed_rows(self.store, shard, self.kind)
        if effort.rows is None or seen is None:
            return commit(self.store, shard, self.work_on(shard, shard.pairs, effort), self.kind)
        pairs = [pair for pair in shard.pairs if pair.row in effort.rows]
        return recommit(self.store, shard, self.work_on(shard, pairs, effort), seen, self.kind)

    @abstractmethod
    def work_on(self, shard: Any, pairs: Sequence[Any], effort: Effort) -> list[R]:
        """Works on some pairs of a shard, without a commit; one record each, in the order of the rows.

        Raises:
            StorageError: as `run` does.
        """

    def _is_setback(self, error: Exception, effort: Effort) -> bool:
        """Whether an error is not the row's: then the whole shard is to be sent again."""
        return isinstance(error, CredentialsError) or (isinstance(error, StorageUnavailableError) and not effort.last)

    def _in_words(self, error: Exception, uri: str) -> Exception:
        """What the record of a row says that failed with this error."""
        if is_out_of_memory(error):
            return OutOfMemoryError(f"{uri} needs more memory than {self._budget()}")
        return error

    def _budget(self) -> str:
        most = "the device has" if self.config.memory is None else f"the worker's {self.config.memory / 2**30:.1f} GiB"
        return f"{most}; give a smaller --resolution, or workers more memory"

    @property
    def _most_at_once(self) -> int:
        """Pixels of a picture that may be decoded in one piece."""
        return min(self.config.max_pixels, MAX_PIXELS)

    def _read(self, uri: str) -> bytes:
        return read_uri(uri, most_bytes=self.config.most_bytes, allowed=self.config.allowed)
