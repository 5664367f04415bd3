"""Styles: all that the model keeps of style pictures, and what they ask of the pictures of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ift.errors import SettingsError
from ift.moments import Moments, stack

LEAST_AREA = 150
"""Pixels that a region needs, in the content and in the style, to be matched; as in the authors' code."""

MOST_RATIO = 100
"""Between the areas of matched regions; as in the authors' code."""


@dataclass(frozen=True)
class StylePicture:
    """What is kept of one style picture: 1.4 MB a region, without patches.

    Attributes:
        moments: at relu1_1 … relu4_1, each a batch with one entry per region.
        labels: of the regions; None for a picture without a mask, which is the style of every label.
        patches: (1, C, H, W) the features at relu4_1, where Avatar-Net is to match them.
    """

    moments: tuple[Moments, ...]
    labels: tuple[int, ...] | None = None
    patches: Tensor | None = None

    def region(self, label: int | None) -> int | None:
        """The batch entry of a label; None where the picture has nothing of it."""
        if self.labels is None:
            return 0
        return self.labels.index(label) if label in self.labels else None


@dataclass(frozen=True)
class Style:
    """One style picture or several.

    Attributes:
        pictures: K of them.
        weights: (K) the share of each; they sum to 1. For IFT and NST, λ^k = w_k·λ; else w_k of eq. 30.
    """

    pictures: tuple[StylePicture, ...]
    weights: tuple[float, ...] = (1.0,)


def mix_styles(styles: Sequence[Style], weights: Sequence[float] | None = None) -> Style:
    """Several styles as one, with the weights made to sum to 1; equal weights if not given.

    Raises:
        SettingsError: the weights do not fit.
    """
    shares = torch.tensor([1.0] * len(styles) if weights is None else list(weights), dtype=torch.float64)
    if not (len(shares) == len(styles) and bool((shares >= 0).all()) and 0 < float(shares.sum()) < math.inf):
        raise SettingsError(
            f"{len(styles)} styles need as many weights, finite, 0 or more and not all 0: got {weights}"
        )
    shares = (shares / shares.max()) / (shares / shares.max()).sum()  # so that tiny weights do not vanish
    return Style(
        tuple(picture for style in styles for picture in style.pictures),
        tuple(weight * float(share) for style, share in zip(styles, shares, strict=True) for weight in style.weights),
    )


@dataclass(frozen=True)
class Target:
    """What K style pictures ask of a batch of B pictures, or of the B regions of one.

    Attributes:
        moments: per picture and level, batch B or 1.
        weights: (K, B) or (K, 1); each column sums to 1.
    """

    moments: tuple[tuple[Moments, ...], ...]
    weights: Tensor

    @classmethod
    def of_pictures(cls, styles: Sequence[Style]) -> Target:
        """One style for all pictures of a batch, or one for each, of equally many pictures."""
        pictures = zip(*(style.pictures for style in styles), strict=True)
        moments = tuple(
            tuple(stack(level) for level in zip(*(picture.moments for picture in each), strict=True))
            for each in pictures
        )
        return cls(moments, _weights([style.weights for style in styles], moments))

    @classmethod
    def of_regions(cls, style: Style, areas: dict[int, float]) -> tuple[Target, tuple[int, ...]]:
        """The target of each label that has enough of itself in the content and in at least one style picture.

        Args:
            style: pictures with or without labels.
            areas: pixels of each label in the content.

        Returns:
            The target, and the labels that are its batch.
        """
        shares = {
            label: [
                weight if _matches(area, picture, label) else 0.0
                for picture, weight in zip(style.pictures, style.weights, strict=True)
            ]
            for label, area in areas.items()
        }
        labels = tuple(label for label, share in shares.items() if sum(share) > 0)
        moments = tuple(
            tuple(level[[picture.region(label) or 0 for label in labels]] for level in picture.moments)
            for picture in style.pictures
        )
        weights = _weights([shares[label] for label in labels], moments)
        return cls(moments, weights / weights.sum(0)), labels

    def at(self, level: int) -> list[Moments]:
        """The K pictures' moments at a level, 1 to 4."""
        return [moments[level - 1] for moments in self.moments]


def _weights(rows: Sequence[Sequence[float]], moments: tuple[tuple[Moments, ...], ...]) -> Tensor:
    """(B, K) numbers as (K, B), where the moments are."""
    return torch.tensor(rows, dtype=torch.float64, device=moments[0][0].mean.device).reshape(len(rows), len(moments)).T


def _matches(area: float, picture: StylePicture, label: int) -> bool:
    region = picture.region(label)
    if region is None:
        return False
    if picture.labels is None:
        return area >= LEAST_AREA
    other = float(picture.moments[0].count[region])
    return min(area, other) >= LEAST_AREA and max(area, other) <= MOST_RATIO * min(area, other)
