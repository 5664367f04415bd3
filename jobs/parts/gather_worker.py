"""A pair whose parts are all there becomes a picture, and its record stands for it."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from ift.box import Box
from ift.images import encode_image, format_of
from ift.large.saving import save_large
from ift.parts.phases import averaged
from ift.raw_picture import RawPicture
from ift.stopwatch import Stopwatch
from ift.tiling import parts_in_phases
from jobs.outputs import Outputs, open_outputs
from jobs.parts.gathering import Gathered, GatherShard
from jobs.plan import PlannedPair
from jobs.records import STYLIZED, Record
from jobs.shard_worker import ShardWorkerBase
from jobs.work import Effort

if TYPE_CHECKING:
    from jobs.worker import ShardWorker


class GatherWorker(ShardWorkerBase[Record]):
    """Puts pictures together from their parts.

    Args:
        worker: whose records it begins, and whose disk it uses.
    """

    def __init__(self, worker: ShardWorker) -> None:
        super().__init__(worker.config, worker.name, worker.model, STYLIZED)
        self._worker, self._contents = worker, worker.contents

    def work_on(self, shard: GatherShard, pairs: Sequence[PlannedPair], effort: Effort) -> list[Record]:
        """Puts some pairs together and writes their pictures; one record each, in the order of the rows.

        Raises:
            StorageError: as `run` does.
        """
        outputs = open_outputs(self.store, shard)
        records = []
        for pair in pairs:
            gathered = shard.gathered[pair.row]
            record = self._worker.record_of(pair, shard.fingerprint)
            record.attempts += effort.tries
            record.seconds |= gathered.seconds
            started = time.perf_counter()
            try:
                self._put_together(pair, gathered, record, outputs)
            except Exception as error:  # a row never takes others down, whatever it raises
                if self._is_setback(error, effort):
                    raise
                record.fail(self._in_words(error, pair.content))
            record.seconds["total"] = sum(gathered.seconds.values()) + time.perf_counter() - started
            record.finished_at = time.time()
            records.append(record)
            self.beats += 1
        outputs.settle(records)
        for group in {each.way.group for each in shard.gathered.values()}:
            self._contents.forget(group, [pair.row for pair in pairs])
        return sorted(records, key=lambda record: record.row)

    def _put_together(self, pair: PlannedPair, gathered: Gathered, record: Record, outputs: Outputs) -> None:
        if gathered.failure is not None:
            record.fail_as(*gathered.failure)
            return
        clock = Stopwatch()
        with self._contents.workplace() as folder:
            raw = RawPicture(folder / "result.raw", gathered.height, gathered.width).create()
            with clock.stage("fetch"):
                self._fetch(pair, gathered, raw)
            file = folder / f"result.{format_of(pair.output)}"
            with clock.stage("encode"):
                self._encode(raw, file, gathered)
            with clock.stage("upload"):
                outputs.keep_file(pair, file)
            record.output, record.bytes = pair.output, file.stat().st_size
            record.sha256 = _digest(file)
        record.height, record.width = gathered.height, gathered.width
        record.resolution = pair.resolution or max(gathered.height, gathered.width)
        record.status = "done"
        record.seconds |= clock.seconds

    def _fetch(self, pair: PlannedPair, gathered: Gathered, raw: RawPicture) -> None:
        height, width, phases = gathered.height, gathered.width, gathered.phases
        write = averaged(height, width, phases, raw.write)
        parts = parts_in_phases(height, width, gathered.tile, 0, phases)
        for number, (shift, part) in enumerate(parts):
            write(shift, part.inside, _pixels(self.store.read(gathered.way.picture_key(pair.row, number))))
            self.beats += 1

    def _encode(self, raw: RawPicture, file: Path, gathered: Gathered) -> None:
        if gathered.tile is not None:
            save_large(raw, file, self.config.quality, progress=self._beat)
            return
        # As every picture of its size.
        picture = raw.read(Box(0, 0, raw.height, raw.width))
        file.write_bytes(encode_image(picture, format_of(file.name), self.config.quality))

    def _beat(self, done: int, total: int) -> None:
        self.beats += 1


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _pixels(data: bytes) -> torch.Tensor:
    """(3, h, w) float32 of a part that a worker wrote."""
    pixels = np.asarray(Image.open(io.BytesIO(data)), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255
