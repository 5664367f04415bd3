"""One result against its content and its styles: every metric, with one pass of the encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ift.errors import SettingsError, WeightsError
from ift.metrics.colours import colour_distance, colour_moments, colourfulness
from ift.metrics.edges import edge_ssim
from ift.metrics.features import content_distance, gram_distance, mean_std_distance
from ift.metrics.frechet import frechet_distance_to, root
from ift.metrics.lpips import Lpips
from ift.metrics.luma import luma
from ift.metrics.names import METRICS
from ift.metrics.ruin import Appearance, flat, ruin, saturated, sharpness
from ift.metrics.ssim import ms_ssim, ssim
from ift.moments import Moments, mix
from ift.padding import pad_to_multiple
from ift.settings import LEVELS
from ift.stylizer import Stylizer


@dataclass(frozen=True)
class Statistics:
    """Second-order statistics of a picture, or of several mixed: what style and colours are compared by.

    Attributes:
        levels: of the features at relu1_1 … relu4_1, batch 1.
        colours: of the colours in Oklab, batch 1.
    """

    levels: tuple[Moments, ...]
    colours: Moments

    @cached_property
    def roots(self) -> tuple[Tensor, ...]:
        """A root of each level's covariance, for Fréchet distances."""
        return tuple(root(level.covariance[0]) for level in self.levels)


@dataclass(frozen=True)
class Described:
    """What the metrics need of one picture; made once for a style or a content that is met again.

    Attributes:
        statistics: 1.4 MB, and twice as much again once roots are needed.
        appearance: plain figures.
        descriptor: (512,) the mean relu4_1 feature, float32 on the CPU.
        picture: (3, H, W) float32, of a content only.
        features: (1, 512, H/8, W/8) at relu4_1, of a content only.
    """

    statistics: Statistics
    appearance: Appearance
    descriptor: Tensor
    picture: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True)
class Judgement:
    """All that is said of one result.

    Attributes:
        metrics: by the names in `METRICS`, all of them; None where a metric has no finite value, or is not to be had.
        ruin: None, "not finite", or what `ruin` says.
        descriptor: (512,) the result's, float32 on the CPU; None where the result is not finite.
    """

    metrics: dict[str, float | None]
    ruin: str | None
    descriptor: Tensor | None


class Judge:
    """Judges results, one at a time; holds nothing of them, so that one judge serves a whole job.

    ```python
    judge = Judge(model)
    style, content = judge.describe(style_picture), judge.describe(content_picture, content=True)
    judgement = judge.judge(content, [style], None, result)
    ```

    Features have the model's precision; their statistics are float32 and the Fréchet distances float64. On 24 results a
    bfloat16 encoder moved the feature metrics by 0.1 % or less in the median and by 1.1 % at most; the other metrics
    are float32 in any case.

    Attributes:
        missing: metrics that are not to be had on this machine, and for each what to install.
    """

    def __init__(self, model: Stylizer) -> None:
        self._model = model
        self._lpips: Lpips | None = None
        self.missing: dict[str, str] = {}
        try:
            self._lpips = Lpips(model.device)
        except WeightsError as error:
            self.missing["lpips"] = str(error)

    @torch.inference_mode()
    def describe(self, picture: Tensor, content: bool = False) -> Described:
        """Encodes a style, or a content, once.

        Args:
            picture: (3, H, W) in [0, 1], of any size from 1×1 up.
            content: keep what only contents are asked for.

        Raises:
            SettingsError: the tensor is no picture, or holds NaN or infinity.
        """
        placed = self._placed(picture)
        if not bool(placed.isfinite().all()):
            raise SettingsError("a picture to compare with holds NaN or infinity")
        return self._describe(placed, content)

    @torch.inference_mode()
    def judge(
        self, content: Described, styles: Sequence[Described], weights: Sequence[float] | None, result: Tensor
    ) -> Judgement:
        """Every metric of one result.

        Args:
            content: as `describe(…, content=True)` made it, of a picture of the result's size.
            styles: at least one.
            weights: the share of each style, made to sum to 1; distances are to the mixture of their moments. Equal
                if not given.
            result: (3, H, W) in [0, 1].

        Raises:
            SettingsError: sizes or weights do not fit, or the content was not described as one.
        """
        if content.picture is None or content.features is None:
            raise SettingsError("the content was described as a style: use describe(picture, content=True)")
        picture = self._placed(result)
        if picture.shape != content.picture.shape:
            sizes = [f"{each.shape[-1]}×{each.shape[-2]}" for each in (picture, content.picture)]
            raise SettingsError(f"the result is {sizes[0]}, its content {sizes[1]}: resize the content to the result")
        target = _mixed([style.statistics for style in styles], weights)
        if not bool(picture.isfinite().all()):
            return Judgement(dict.fromkeys(METRICS), "not finite", None)
        described = self._describe(picture, True)
        assert described.features is not None
        appearance = described.appearance
        grey, content_grey = luma(picture), luma(content.picture)
        figures = {
            "ssim": ssim(grey, content_grey),
            "ms_ssim": ms_ssim(grey, content_grey),
            "edge_ssim": edge_ssim(grey, content_grey),
            "content_distance": content_distance(described.features, content.features),
            **_style_metrics(described.statistics, target),
            "colour_distance": colour_distance(described.statistics.colours, target.colours),
            "colour_change": colour_distance(described.statistics.colours, content.statistics.colours),
            "colourfulness": colourfulness(picture),
            "brightness": appearance.brightness,
            "sharpness": sharpness(appearance, content.appearance),
            "saturated": saturated(appearance, content.appearance),
            "flat": flat(appearance, content.appearance),
            "lpips": self._lpips(picture, content.picture) if self._lpips else None,
        }
        return Judgement(
            {name: _finite(figures[name]) for name in METRICS},
            ruin(appearance, content.appearance, [style.appearance for style in styles]),
            described.descriptor,
        )

    def _placed(self, picture: Tensor) -> Tensor:
        if picture.dim() != 3 or picture.shape[0] != 3 or 0 in picture.shape or not picture.is_floating_point():
            raise SettingsError(f"a picture is {tuple(picture.shape)} {picture.dtype}: give (3, H, W), floating point")
        return picture.to(self._model.device, torch.float32)

    def _describe(self, picture: Tensor, content: bool) -> Described:
        appearance, colours = Appearance.of(picture), colour_moments(picture)
        batch = picture.unsqueeze(0).to(self._model.dtype).contiguous(memory_format=torch.channels_last)
        held, levels = [pad_to_multiple(batch)], []
        del batch
        for level in range(1, len(LEVELS) + 1):
            x, _ = self._model.encoder.stage(level, held.pop())  # which then holds the only reference, and lets go
            levels.append(Moments.of(x))
            held.append(x)
            del x
        descriptor = levels[-1].mean[0].float().cpu()
        statistics = Statistics(tuple(levels), colours)
        if not content:
            return Described(statistics, appearance, descriptor)
        return Described(statistics, appearance, descriptor, picture, held.pop())


def _style_metrics(result: Statistics, style: Statistics) -> dict[str, float]:
    pairs = list(zip(result.levels, style.levels, strict=True))
    grams = [gram_distance(ours, wanted) for ours, wanted in pairs]
    frechets = [
        frechet_distance_to(wanted.mean[0], root, ours.mean[0], ours.covariance[0])
        / wanted.second_moment[0].double().trace().item()
        for (ours, wanted), root in zip(pairs, style.roots, strict=True)
    ]
    return {
        "gram_distance": _mean(grams),
        **{f"gram_{level}": gram for level, gram in zip(LEVELS, grams, strict=True)},
        "mean_std_distance": _mean([mean_std_distance(ours, wanted) for ours, wanted in pairs]),
        "feature_frechet": _mean(frechets),
    }


def _mixed(styles: Sequence[Statistics], weights: Sequence[float] | None) -> Statistics:
    shares = [1.0] * len(styles) if weights is None else list(weights)
    fit = len(shares) == len(styles) and all(math.isfinite(share) and share >= 0 for share in shares)
    if not (fit and sum(shares) > 0):
        raise SettingsError(
            f"{len(styles)} styles need as many weights, finite, 0 or more and not all 0: got {weights}"
        )
    if len(styles) == 1:
        return styles[0]

    def mixture(parts: Sequence[Moments]) -> Moments:
        return mix(parts, torch.tensor(shares, dtype=torch.float64, device=parts[0].mean.device))

    levels = zip(*(style.levels for style in styles), strict=True)
    return Statistics(tuple(map(mixture, levels)), mixture([style.colours for style in styles]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
