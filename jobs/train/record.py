"""What a training leaves behind: checkpoints, loss curves and samples on the way, weights and a card at the end."""

from __future__ import annotations

import io
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
import torch
from safetensors.torch import save
from torch import Tensor

from ift.training.draws import Crop, Draw, cut
from ift.training.recipe import Stage
from ift.training.training import Training
from jobs.storage import Store
from jobs.train.card import Facts, model_card
from jobs.train.checkpoints import Checkpoint, write_checkpoint
from jobs.train.curves import write_curves
from jobs.train.evaluate import evaluate_photos
from jobs.train.photos import Photos
from jobs.train.samples import sample_sheet
from jobs.train.task import CARD_KEY, WEIGHTS_KEY, Task

_CURVES_SHARE = 50
"""Drawing the loss curves, a second or two, takes at most a fiftieth of the time."""

_SAMPLES = 4
_MOST_SIDE, _LEAST_SIDE = 256, 16


class Recorder:
    """Kept by one of the workers.

    Args:
        task: what is done.
        board: handle of the `Board`.
        store: the output.
        begun: the checkpoint from which the training goes on.
        workers: how many share each batch.
    """

    def __init__(self, task: Task, board: Any, store: Store, begun: Checkpoint, workers: int) -> None:
        self._workers = workers
        self._task, self._board, self._store, self._begun = task, board, store, begun
        self._history = list(begun.history)
        self._started = time.perf_counter()
        self._drawn = self._drawing = 0.0  # when, and how long it took

    def tell(self, training: Training, stage: Stage, drawn: Draw, terms: dict[str, float]) -> bool:
        """A step is done; returns whether the driver wants to stop."""
        row = {"step": training.step, "stage": stage.name, "level": drawn.level, "gate": drawn.gate, **terms}
        self._history.append(row)
        stop: bool = ray.get(self._board.tell.remote(training.step, terms["loss"]))
        return stop

    def save(self, training: Training) -> None:
        """Writes a checkpoint."""
        unreadable = ray.get(self._board.unreadable.remote())
        scales = self._begun.scales
        write_checkpoint(
            self._store,
            Checkpoint(training.step, training.state(), scales, self._history, self._seconds(), unreadable),
        )
        ray.get(self._board.saved.remote(training.step))

    def draw(self, training: Training) -> None:
        """Writes the loss curves so far, if it is not too soon."""
        if training.step == training.total or time.perf_counter() - self._drawn > _CURVES_SHARE * self._drawing:
            began = time.perf_counter()
            write_curves(self._history, self._store)
            self._drawn = time.perf_counter()
            self._drawing = self._drawn - began

    def rest(self, training: Training) -> None:
        """Writes a checkpoint, and tells the driver that it may go."""
        self.save(training)
        ray.get(self._board.rest.remote())

    def sample(self, training: Training, photos: Photos) -> None:
        """Writes what the decoder makes of a few photos, always the same."""
        count = len(photos.names)
        few = min(_SAMPLES, count)
        images = [_middle(photos.photo(number * count // few, _LEAST_SIDE)) for number in range(few)]
        title = f"step {training.step} of {training.total}"
        buffer = io.BytesIO()
        sample_sheet(training.encoder, training.averaged, images, title).save(buffer, "png")
        self._store.write(f"samples/step-{training.step:08d}.png", buffer.getvalue())

    def finish(self, training: Training) -> None:
        """Writes the card and the weights; those last, for they say that all is done."""
        unreadable = ray.get(self._board.unreadable.remote())
        scales = {f"encoder.{name}": scale.float() for name, scale in self._begun.scales.items()}
        weights = save({**scales, **training.weights()})
        facts = self._facts(training, len(unreadable), self._measured(weights, training.device))
        self._store.write(CARD_KEY, model_card(facts).encode())
        self._store.write(WEIGHTS_KEY, weights)
        ray.get(self._board.finish.remote())

    def _measured(self, weights: bytes, device: torch.device) -> dict[str, Any] | None:
        """How well the photos that are held out are reconstructed."""
        if self._task.held_out is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / WEIGHTS_KEY
            path.write_bytes(weights)
            return evaluate_photos(self._task.held_out, str(path), self._task.vgg19, device=str(device)).facts

    def _facts(self, training: Training, skipped: int, figures: dict[str, Any] | None) -> Facts:
        task, device = self._task, training.device
        cpu = f"{task.threads} CPU thread{'s' if task.threads > 1 else ''}"
        return Facts(
            images=task.source,
            photos=len(task.names),
            skipped=skipped,
            recipe=task.recipe,
            lengths=task.lengths,
            steps=training.step,
            seconds=self._seconds(),
            seed=task.seed,
            start=task.start,
            workers=self._workers,
            device=cpu if device.type == "cpu" else torch.cuda.get_device_name(device),
            dtype=str(training.dtype).removeprefix("torch."),
            versions={name: version(name) for name in ("torch", "ray")},
            figures=figures,
            evaluated_on=task.held_out,
        )

    def _seconds(self) -> float:
        return self._begun.seconds + time.perf_counter() - self._started


def _middle(photo: Tensor) -> Tensor:
    """A square out of (3, H, W) bytes, of 256 pixels if there are so many, in [0, 1]."""
    return cut(photo, Crop(0, 0.5, 0.5, False), min(_MOST_SIDE, *photo.shape[1:])).float() / 255
