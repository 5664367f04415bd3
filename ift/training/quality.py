"""How good reconstructions are: of the five that the decoder offers, each against its photo."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.moments import Moments
from ift.training.autoencoder import Encoding, Reconstruct, encode

RECONSTRUCTIONS = {
    "decoder_1": (1, 0.0),
    "decoder_2": (2, 0.0),
    "decoder_3": (3, 0.0),
    "decoder_4": (4, 0.0),
    "gate_1": (4, 1.0),
}
"""Name: (N, gate); decoder_N is blocks N … 1 without the skips, gate_1 all four blocks with them."""

_LEAST_ERROR = 1e-10
"""Mean squared error below which no PSNR looks: 100 dB, far finer than 8 bits."""


@dataclass(frozen=True)
class Quality:
    """One reconstruction of one photo.

    Attributes:
        psnr: in dB, at most 100.
        sharpness: mean absolute gradient over the photo's; 1 is right, and NaN where the photo is of one colour.
        moment_error: of the second moments of the re-encoded picture, relative, the mean over the levels; 0 is right.
        rgb_error: mean error of red, green and blue over the picture, with its sign, on the scale 0 to 1.
    """

    psnr: float
    sharpness: float
    moment_error: float
    rgb_error: tuple[float, float, float]


def psnr(image: Tensor, photo: Tensor) -> float:
    """10 log10 (1 / mean squared error), in dB, of values in [0, 1]."""
    return -10 * (image - photo).square().mean(dtype=torch.float64).clamp(min=_LEAST_ERROR).log10().item()


def sharpness(image: Tensor, photo: Tensor) -> float:
    """The mean absolute gradient (forward differences, down and right, all channels) over that of the photo.

    Args:
        image: (3, H, W), H and W at least 2.
        photo: the same; if it has no gradient at all, the result is NaN.
    """
    wanted = _mean_gradient(photo)
    return _mean_gradient(image) / wanted if wanted > 0 else float("nan")


def moment_error(ours: Encoding, photo: Encoding) -> float:
    """‖M' − M‖ / ‖M‖ (Frobenius) of the uncentred second moments M = FFᵀ/n, the mean over the levels of `ours`.

    Args:
        ours: of one picture, to relu N_1.
        photo: of another of its size, to relu N_1 or further.
    """
    return _moment_error(_second_moments(ours), _second_moments(photo))


def rgb_error(image: Tensor, photo: Tensor) -> tuple[float, float, float]:
    """The mean over the pixels of the error, with its sign, of red, green and blue; values in [0, 1]."""
    red, green, blue = (image - photo).mean((-2, -1), dtype=torch.float64).tolist()
    return red, green, blue


@torch.inference_mode()
def reconstructions(encoder: Encoder, decoder: Decoder, image: Tensor) -> dict[str, Tensor]:
    """What is left of a photo after encoding and decoding it, by the names in `RECONSTRUCTIONS`.

    Args:
        encoder: its precision and device are those of all that is computed.
        decoder: of any precision.
        image: (3, H, W) in [0, 1], H and W multiples of 8, at least 16.

    Returns:
        (3, H, W) float32, clamped to [0, 1], on the encoder's device.
    """
    return _decoded(decoder, _encode(encoder, image, with_skips=True))


@torch.inference_mode()
def reconstruction_quality(encoder: Encoder, decoder: Decoder, image: Tensor) -> dict[str, Quality]:
    """How good each of the `reconstructions` is; the arguments are theirs. The photo is encoded once."""
    encoding = _encode(encoder, image, with_skips=True)
    wanted = _second_moments(encoding)
    pictures = _decoded(decoder, encoding)
    del encoding
    photo = image.to(next(encoder.parameters()).device, torch.float32)
    qualities = {}
    for name, (level, _) in RECONSTRUCTIONS.items():
        picture = pictures.pop(name)
        qualities[name] = Quality(
            psnr=psnr(picture, photo),
            sharpness=sharpness(picture, photo),
            moment_error=_moment_error(_second_moments(_encode(encoder, picture, level)), wanted),
            rgb_error=rgb_error(picture, photo),
        )
    return qualities


def _encode(encoder: Encoder, image: Tensor, level: int = 4, with_skips: bool = False) -> Encoding:
    weight = next(encoder.parameters())
    placed = image.unsqueeze(0).to(weight.device, weight.dtype).contiguous(memory_format=torch.channels_last)
    return encode(encoder, placed, level, with_skips)


def _decoded(decoder: Decoder, encoding: Encoding) -> dict[str, Tensor]:
    dtype = encoding.features[0].dtype
    if next(decoder.parameters()).dtype != dtype:  # one in training is float32 whatever the encoder is
        decoder = copy.deepcopy(decoder).to(dtype=dtype)
    reconstruct = Reconstruct(decoder)
    return {
        name: reconstruct(encoding, level, gate).images[0].float().clamp_(0, 1)
        for name, (level, gate) in RECONSTRUCTIONS.items()
    }


def _second_moments(encoding: Encoding) -> list[Tensor]:
    return [Moments.of(features).second_moment for features in encoding.features]


def _moment_error(ours: list[Tensor], wanted: list[Tensor]) -> float:
    """Over the levels that `ours` has."""
    errors = [
        torch.linalg.norm(our - moment) / torch.linalg.norm(moment).clamp(min=torch.finfo(moment.dtype).tiny)
        for our, moment in zip(ours, wanted, strict=False)
    ]
    return torch.stack(errors).mean().item()


def _mean_gradient(image: Tensor) -> float:
    down, right = image.diff(dim=-2).abs(), image.diff(dim=-1).abs()
    return (down.mean(dtype=torch.float64) + right.mean(dtype=torch.float64)).item()
