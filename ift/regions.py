"""Spatial control: a picture in regions, one per label, each with statistics and a map of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ift.affine import AffineMap
from ift.box import Box
from ift.box_filter import box_mean
from ift.content_mask import Mask
from ift.moments import Moments, stack
from ift.network_shape import padded_size

_SOFTNESS = 0.004
"""Of the longer side: how far a region's map reaches across its border, so that no seam shows."""

_NO_SHARE = 1e-3
"""Too little to be seen, or rounding."""


class Regions:
    """The regions of one picture, or of a box in it, at every level.

    At relu2_1 … relu4_1 a feature stands for a square of pixels, and so belongs to its regions in shares.

    Attributes:
        labels: that occur in the picture.
    """

    def __init__(self, labels: Tensor) -> None:
        """From labels (H, W) of integers, with H and W multiples of 8."""
        values = tuple(torch.unique(labels).tolist())
        self._set(labels, values, _radius(labels.shape), (slice(None), slice(None)))

    @classmethod
    def in_box(cls, mask: Mask, box: Box, values: Sequence[int]) -> Regions:
        """The regions of a box of a picture, as they are in the whole.

        Args:
            mask: of the picture.
            box: of the picture as padded, its sides multiples of 8.
            values: the labels that occur in the picture.
        """
        whole = Box(0, 0, *padded_size(*mask.size))
        radius = _radius((whole.height, whole.width))
        around = box.grown(2 * radius).within(whole)
        regions = cls.__new__(cls)
        regions._set(mask.read(around), tuple(values), radius, box.seen_from(around).slices)
        return regions

    def _set(self, labels: Tensor, values: tuple[int, ...], radius: int, inside: tuple[slice, slice]) -> None:
        self.labels = values
        hard = (labels == torch.tensor(values, device=labels.device).reshape(-1, 1, 1)).float()
        soft = box_mean(box_mean(hard, radius), radius)  # twice, for a tent
        rows, columns = inside
        hard, soft = hard[:, rows, columns], soft[:, rows, columns]
        soft = soft.masked_fill(soft < _NO_SHARE, 0)
        self._hard, self._soft = hard, soft / soft.sum(0)

    def moments(self, features: Tensor, level: int, labels: Sequence[int]) -> Moments:
        """The moments of the features (1, C, H, W) in each of the regions `labels`, as a batch; 0 for one without."""
        parts = [Moments.nothing(features)[:0]]
        for label in labels:
            pixels, shares, _ = _inside(features, self._at(self._hard, level, label))
            if len(pixels):
                parts.append(Moments.of(pixels.T.unsqueeze(0).unsqueeze(2), shares.reshape(1, 1, -1)))
            else:
                parts.append(Moments.nothing(features))
        return stack(parts)

    def apply(self, maps: AffineMap, features: Tensor, level: int, labels: Sequence[int]) -> Tensor:
        """Each of the regions `labels` through its own map, softly across the borders; the others stay as they are.

        Args:
            maps: a batch, in the order of `labels`.
            features: (1, C, H, W).
            level: 1 to 4.
            labels: of some of the regions.
        """
        batch, channels, height, width = features.shape
        result = torch.zeros_like(features.permute(0, 2, 3, 1).reshape(-1, channels))
        for label in self.labels:
            pixels, shares, where = _inside(features, self._at(self._soft, level, label))
            if label in labels:
                index = labels.index(label)
                pixels = maps[index : index + 1](pixels.T.unsqueeze(0).unsqueeze(2))[0, :, 0].T
            result.index_add_(0, where, pixels * shares.unsqueeze(-1).to(pixels.dtype))
        return result.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def _at(self, memberships: Tensor, level: int, label: int) -> Tensor:
        plane = memberships[self.labels.index(label)]
        return functional.avg_pool2d(plane.unsqueeze(0), 2 ** (level - 1))[0]


def _radius(size: Sequence[int]) -> int:
    return max(1, round(_SOFTNESS * max(size)))


def _inside(features: Tensor, shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The features (n, C) of the pixels that belong to a region, their shares (n,) and where they are."""
    where = shares.flatten().nonzero().squeeze(-1)
    pixels = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    return pixels[where], shares.flatten()[where], where
