"""What a decoder is trained to make small: eq. 28 of the supplement, and what the project adds to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ift.training.autoencoder import Encoding, Reconstruction

_COARSE = 4
_CELL = 8

_LEAST_SQUARE = 1e-5
"""Of a relative error, 0.003 of it, below which its root is rounded off."""


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts; every term is a mean over the batch, and 0 leaves it out.

    Attributes:
        image: squared error of the picture, with the gate closed.
        image_open: the same with the gate open; between them it is interpolated.
        coarse: squared error of the picture averaged 4×: colours and shapes, and no say in fine texture.
        colour: squared error of the picture's mean colour. Without it, dark pictures come out too light.
        lattice: squared error of the picture averaged over the places that lie alike in cells of 8×8 pixels, less its
            mean colour: the weave that enlarging leaves on even ground.
        feature: squared error of the features at the level decoded from, φ_N.
        lower_features: the same at the levels above it, relu1_1 … relu(N-1)_1.
        estimates: squared error of what each block predicts: its output is the features that the next one gets.
        moments: relative squared error of the second moments of the features at every level, summed. What IFT sets in
            feature space should survive decoding, and a blurred picture has too small moments, where the squared
            error alone prefers it.
        moment_errors: the same, but each level's error of each picture is not squared. Squared, most of it is that of
            few pictures of strong colours, once the others are good.
    """

    image: float = 0
    image_open: float = 0
    coarse: float = 0
    colour: float = 0
    lattice: float = 0
    feature: float = 0
    lower_features: float = 0
    estimates: float = 0
    moments: float = 0
    moment_errors: float = 0


def autoencoder_loss(images: Tensor, reconstruction: Tensor, features: Tensor, reencoded: Tensor) -> Tensor:
    """Eq. 28: ‖ψ_N(φ_N(I)) − I‖² + ‖φ_N(ψ_N(φ_N(I))) − φ_N(I)‖², the mean over the batch.

    Args:
        images: (B, 3, H, W) I.
        reconstruction: (B, 3, H, W) ψ_N(φ_N(I)).
        features: (B, C, h, w) φ_N(I).
        reencoded: (B, C, h, w) φ_N(ψ_N(φ_N(I))).

    Returns:
        A scalar.
    """
    pixels = (reconstruction.float() - images).square().sum()
    return (pixels + (reencoded.float() - features.float()).square().sum()) / len(images)


def loss_terms(
    weights: LossWeights,
    images: Tensor,
    encoding: Encoding,
    reconstruction: Reconstruction,
    reencoded: Encoding,
    gate: float,
) -> dict[str, Tensor]:
    """The terms of the loss, weighed; their sum is what is minimised.

    Args:
        weights: of the terms.
        images: (B, 3, H, W) in [0, 1], float32.
        encoding: of the images, to relu N_1.
        reconstruction: from relu N_1.
        reencoded: the encoding of the reconstruction.
        gate: with which it was made.
    """
    error = reconstruction.images.float() - images
    level, all_levels = encoding.level - 1, range(encoding.level)
    terms: dict[str, tuple[float, Callable[[], Tensor]]] = {
        "image": (weights.image + (weights.image_open - weights.image) * gate, lambda: error.square().mean()),
        "coarse": (weights.coarse, lambda: functional.avg_pool2d(error, _COARSE).square().mean()),
        "colour": (weights.colour, lambda: error.mean((2, 3)).square().mean()),
        "lattice": (weights.lattice, lambda: _lattice(error).square().mean()),
        "feature": (weights.feature, lambda: _squared_error(reencoded, encoding, [level])),
        "lower_features": (weights.lower_features, lambda: _squared_error(reencoded, encoding, all_levels[:-1])),
        "estimates": (weights.estimates, lambda: _squared_error(reconstruction, encoding, all_levels[:-1])),
        "moments": (weights.moments, lambda: _squared_moment_errors(reencoded, encoding).sum(0).mean()),
        "moment_errors": (
            weights.moment_errors,
            lambda: _rooted(_squared_moment_errors(reencoded, encoding)).sum(0).mean(),
        ),
    }
    return {name: weight * term() for name, (weight, term) in terms.items() if weight}


def second_moments(features: Tensor) -> Tensor:
    """FFᵀ/n of each picture, (B, C, H, W) to (B, C, C), float32; `Moments` is more exact, but has no gradient."""
    pixels = features.flatten(2).float()
    return pixels @ pixels.mT / pixels.shape[2]


def _lattice(error: Tensor) -> Tensor:
    """(B, C, H, W), H and W multiples of 8, to (B, C, 8, 8): its mean at each place of a cell, less that of all."""
    batch, channels, height, width = error.shape
    cells = error.reshape(batch, channels, height // _CELL, _CELL, width // _CELL, _CELL)
    places = cells.mean((2, 4))
    return places - places.mean((2, 3), keepdim=True)


def _squared_error(ours: Encoding | Reconstruction, wanted: Encoding, levels: Sequence[int]) -> Tensor:
    """Summed over the levels, counted from 0; the mean over everything else."""
    errors = [(ours.features[level].float() - wanted.features[level].float()).square().mean() for level in levels]
    return torch.stack(errors).sum() if errors else wanted.features[0].new_zeros((), dtype=torch.float32)


def _squared_moment_errors(ours: Encoding, wanted: Encoding) -> Tensor:
    """(N, B) ‖M' − M‖² / ‖M‖² at each level of each picture."""
    errors = []
    for f, g in zip(ours.features, wanted.features, strict=True):
        moments = second_moments(g)
        error = (second_moments(f) - moments).flatten(1).square().sum(1)
        errors.append(error / moments.flatten(1).square().sum(1).clamp(min=torch.finfo(torch.float32).tiny))
    return torch.stack(errors)


def _rooted(squares: Tensor) -> Tensor:
    """√x, but with a gradient at 0."""
    return torch.sqrt(squares + _LEAST_SQUARE) - math.sqrt(_LEAST_SQUARE)
