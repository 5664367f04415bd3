"""The state in which a training begins: weights from a file, or from scratch with what has a closed form."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.network_shape import MULTIPLE
from ift.padding import cut_to_multiple
from ift.training.draws import Crop
from ift.training.first_block import solve_first_block
from ift.training.initialise import initialise
from ift.training.normalisation import mean_activations
from ift.training.training import Training
from ift.vgg19 import CONVOLUTIONS, load_vgg19
from ift.weight_files import PRETRAINED as PRETRAINED_FILE
from ift.weights import load_networks
from jobs.storage import copy_to_file
from jobs.train.checkpoints import Checkpoint
from jobs.train.photos import Photos, spread
from jobs.train.task import PRETRAINED, SCRATCH, Task

_PHOTOS_FOR_STATISTICS = 200
_PHOTOS_FOR_FIRST_BLOCK = 24
"""Millions of pixels for 577 unknowns; its normal equations cost more than the encoder."""

_PHOTOS_FOR_SCALES = 8


def begin(task: Task, photos: Photos) -> Checkpoint:
    """The checkpoint before the first step; the same whoever makes it.

    Raises:
        IftError: the weights to begin with, or those of VGG-19, do not fit.
        JobError: no photo can be used.
        StorageError: the weights or the photos cannot be had.
    """
    encoder, decoder, scales = _from_scratch(task, photos) if task.start == SCRATCH else _from_file(task)
    state = Training(encoder, decoder, task.recipe, task.lengths, dtype=torch.float32).state()
    return Checkpoint(0, state, {f"{name}.scale": scale for name, scale in scales.items()})


def _from_file(task: Task) -> tuple[Encoder, Decoder, dict[str, Tensor]]:
    with tempfile.TemporaryDirectory() as folder:
        path = PRETRAINED_FILE if task.start == PRETRAINED else copy_to_file(task.start, Path(folder))
        encoder, decoder = load_networks(path, task.vgg19)
        state = load_file(path)
    return encoder, decoder, {name: state[f"encoder.{name}.scale"].float() for name in CONVOLUTIONS}


def _from_scratch(task: Task, photos: Photos) -> tuple[Encoder, Decoder, dict[str, Tensor]]:
    vgg19 = load_vgg19(task.vgg19)
    scales = mean_activations(vgg19, _wholes(photos, _PHOTOS_FOR_STATISTICS))
    encoder, decoder = Encoder(), Decoder()
    encoder.load(vgg19, scales)
    encoder.requires_grad_(False)
    side = max(2, task.recipe.stages[-1].crop // MULTIPLE) * MULTIPLE
    middles = (Crop(number, 0.5, 0.5, False) for number in spread(range(len(photos.names)), _PHOTOS_FOR_SCALES))
    images = torch.stack([photos.crop(crop, side) for crop in middles]).float() / 255
    initialise(decoder, encoder, images, torch.Generator().manual_seed(task.seed))
    if task.recipe.first_block:
        weight, bias = solve_first_block(encoder, _wholes(photos, _PHOTOS_FOR_FIRST_BLOCK))
        decoder.block1.conv.load_state_dict({"weight": weight, "bias": bias})
    return encoder, decoder, scales


def _wholes(photos: Photos, most: int) -> Iterator[Tensor]:
    """(3, H, W) in [0, 1], cut to multiples of 8."""
    for number in spread(range(len(photos.names)), most):
        yield cut_to_multiple(photos.photo(number, 2 * MULTIPLE)).float() / 255
