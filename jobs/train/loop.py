"""What each worker of a training does: its share of every step; the first one also keeps the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ift.allocator import keep_memory
from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.errors import IftError
from ift.training.draws import Draw, calibration, draw
from ift.training.recipe import stage_at
from ift.training.training import Training
from ift.vgg19 import CONVOLUTIONS, load_vgg19
from jobs.ahead import ahead
from jobs.errors import JobError, StorageUnavailableError
from jobs.storage import open_store
from jobs.train.begin import begin
from jobs.train.checkpoints import Checkpoint, latest_checkpoint, read_checkpoint, write_checkpoint
from jobs.train.record import Recorder
from jobs.train.task import SCRATCH, Task

_READERS = 4
"""Threads that read photos."""

_AHEAD = 4
"""Steps whose photos are read while others are computed."""

_PATIENCE = 60.0
"""Seconds in which the driver, told of an error that is the user's to mend, ends all workers."""


def work(config: Mapping[str, Any]) -> None:
    """Entry of a Ray Train worker.

    Args:
        config: `task`, the `Task`, and `board`, the handle of the `Board`.
    """
    task, board = config["task"], config["board"]
    try:
        _Worker(task, board).run()
    except StorageUnavailableError as error:
        ray.get(board.set_back.remote(f"a store was away: {error}"))
        raise
    except (JobError, IftError) as error:
        # To raise it would have Ray tell of it with a traceback, and try again.
        ray.get(board.fail.remote(error))
        time.sleep(_PATIENCE)
        raise
    except Exception as error:
        ray.get(board.set_back.remote(f"it failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}"))
        raise


class _Worker:
    """One of the workers, which all go through the same steps, together."""

    def __init__(self, task: Task, board: Any) -> None:
        context = ray.train.get_context()
        self.rank, self.world = context.get_world_rank(), context.get_world_size()
        self.device = ray.train.torch.get_device()
        self.task, self.board = task, board
        self.store = open_store(task.output)
        self.photos = task.open_photos(lambda name, reason: ray.get(board.skip.remote(name, reason)))
        if self.device.type == "cpu":
            keep_memory()
            torch.set_num_threads(task.threads)

    def run(self) -> None:
        """Goes on from the newest checkpoint, to the end or until the driver wants to stop."""
        if not self._shared(lambda: ray.get(self.board.attempt.remote())):
            return
        checkpoint = self._checkpoint()
        recorder = None
        if self.rank == 0:
            recorder = Recorder(self.task, self.board, self.store, checkpoint, self.world)
        training = self._training(checkpoint)
        with ThreadPoolExecutor(_READERS, "photos") as readers, closing(self._batches(readers, training)) as batches:
            for drawn, pixels in batches:
                if training.needs_calibration:
                    training.calibrate(self._placed(self._calibration(training, readers)))
                if self._advance(training, drawn, pixels, recorder):
                    return
        if recorder:
            recorder.finish(training)

    def _checkpoint(self) -> Checkpoint:
        """The one to go on from, the same for all workers."""
        if self.rank != 0:
            return read_checkpoint(self.store, self._shared(lambda: 0))
        checkpoint = latest_checkpoint(self.store, lambda text: ray.get(self.board.note.remote(text)))
        if checkpoint is None:
            if self.task.start == SCRATCH:
                ray.get(self.board.note.remote("computing the encoder's normalisation and the first weights"))
            checkpoint = begin(self.task, self.photos)
            write_checkpoint(self.store, checkpoint)
        ray.get(self.board.begin.remote(checkpoint.step, checkpoint.unreadable))
        self._shared(lambda: checkpoint.step)
        return checkpoint

    def _training(self, checkpoint: Checkpoint) -> Training:
        encoder = Encoder()
        scales = {name: checkpoint.scales[f"{name}.scale"] for name in CONVOLUTIONS}
        encoder.load(load_vgg19(self.task.vgg19), scales)
        dtype = getattr(torch, self.task.precision) if self.task.precision else None
        task = self.task
        training = Training(encoder, Decoder(), task.recipe, task.lengths, self.device, dtype, self._data_parallel)
        training.load(checkpoint.state)
        return training

    def _data_parallel(self, module: nn.Module) -> nn.Module:
        if self.world == 1:
            return module
        devices = None if self.device.type == "cpu" else [self.device]
        # A step that draws a shallow level leaves the deeper blocks without a gradient.
        unused = any(max(stage.blocks) > min(stage.levels)[0] for stage in self.task.recipe.stages)
        return DistributedDataParallel(module, devices, find_unused_parameters=unused)

    def _batches(self, readers: ThreadPoolExecutor, training: Training) -> Generator[tuple[Draw, Tensor], None, None]:
        """Of every step left, what is drawn, and this worker's share of the pictures."""
        task, photos = self.task, len(self.task.names)

        def load(step: int) -> tuple[Draw, Tensor]:
            first, number = stage_at(task.lengths, step)
            stage = task.recipe.stages[number]
            drawn = draw(task.seed, step, first, stage, photos)
            share = stage.batch // self.world
            crops = drawn.crops[self.rank * share : (self.rank + 1) * share]
            return drawn, torch.stack([self.photos.crop(crop, stage.crop) for crop in crops])

        return ahead(readers, load, range(training.step, training.total), _AHEAD)

    def _calibration(self, training: Training, readers: ThreadPoolExecutor) -> Tensor:
        _, stage = training.stage
        crops = calibration(self.task.seed, stage, len(self.task.names))
        return torch.stack(list(readers.map(lambda crop: self.photos.crop(crop, stage.crop), crops)))

    def _placed(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.device).float().div_(255)

    def _advance(self, training: Training, drawn: Draw, pixels: Tensor, recorder: Recorder | None) -> bool:
        """One step, and what is due after it; returns whether to stop."""
        first, stage = training.stage
        terms = self._mean(training.advance(self._placed(pixels), drawn))
        step, task = training.step, self.task
        done = step == training.total
        stop = self._shared(lambda: recorder is not None and recorder.tell(training, stage, drawn, terms)) and not done
        if recorder and stop:
            recorder.rest(training)
        elif recorder:
            if done or training.stage[0] != first or step % task.checkpoint_every == 0:
                recorder.save(training)
                recorder.draw(training)
            if task.sample_every and (done or step % task.sample_every == 0):
                recorder.sample(training, self.photos)
        return bool(stop)

    def _shared(self, value: Callable[[], int]) -> int:
        """The first worker's value; the others wait for it."""
        if self.world == 1:
            return value()
        shared = torch.zeros(1, dtype=torch.int64, device=self.device)
        if self.rank == 0:
            shared += value()
        dist.broadcast(shared, 0)
        return int(shared.item())

    def _mean(self, terms: dict[str, float]) -> dict[str, float]:
        """Over the workers, whose shares are equal: that over the whole batch."""
        if self.world == 1:
            return terms
        values = torch.tensor(list(terms.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(values)
        return dict(zip(terms, (values / self.world).tolist(), strict=True))
