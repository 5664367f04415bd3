"""Second-order statistics of features: all that a picture's style is, and all that IFT needs of the content."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ift import gram
from ift.fused import products_of_bfloat16

_CHUNK = {"cpu": 1 << 20, "cuda": 1 << 24}
"""Numbers that are summed over at a time: 4 MB in float32 stay in a processor's cache, and a GPU wants much at once."""

_BLOCK = 128
"""Rows of a matrix product that are worth a product of their own."""

_PARTS = 16
"""Of the pixels, where there are so few channels that their product would leave cores idle."""


@dataclass(frozen=True)
class Moments:
    """Count, mean and second moments of features, for a batch of pictures at one level.

    The centred second moment is what is kept, and the raw one is made from it: the other way round, the difference
    of two large numbers would leave rounding noise for the covariance of a flat picture.

    Attributes:
        count: (B,) pixels summed over, float64.
        mean: (B, C) mean feature, μ.
        covariance: (B, C, C) XXᵀ/n − μμᵀ.
    """

    count: Tensor
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Tensor, weights: Tensor | None = None) -> Moments:
        """The moments of feature maps (B, C, H, W), accumulated in float32 or better.

        Args:
            features: (B, C, H, W).
            weights: (B, H, W) how much each pixel counts, not negative and not all 0; 1 if not given.
        """
        batch, channels, height, width = features.shape
        pixels = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        dtype = torch.promote_types(features.dtype, torch.float32)
        at_once = max(1, _CHUNK.get(features.device.type, _CHUNK["cpu"]) // channels)

        def near_mean(picture: int) -> Tensor:
            # About a value near the mean, so that nothing cancels for the reason given above. The difference has the
            # features' own precision, which lets half-precision features be multiplied as what they are.
            return pixels[picture, :at_once].mean(0, dtype=dtype).to(features.dtype)

        if weights is None and gram.suits(pixels):
            both = [gram.gram(each, partial(near_mean, picture)) for picture, each in enumerate(pixels)]
            mean, covariance = (torch.stack(each) for each in zip(*both, strict=True))
            count = torch.full((batch,), height * width, dtype=torch.float64)
            return cls(count, mean.to(dtype), covariance)
        origin = torch.stack([near_mean(picture) for picture in range(batch)]).unsqueeze(1)
        mean, second = _sums(pixels, origin, None if weights is None else weights.reshape(batch, -1, 1), at_once)
        count = torch.full((batch,), height * width, dtype=torch.float64, device=features.device)
        if weights is not None:
            count = weights.reshape(batch, -1).sum(1, dtype=torch.float64)
        n = count.reshape(batch, 1)
        mean, second = mean / n, second / n.unsqueeze(-1)
        return cls(count, (mean + origin.squeeze(1)).to(dtype), (second - _outer(mean)).to(dtype))

    @classmethod
    def nothing(cls, features: Tensor) -> Moments:
        """Those of no pixels at all, to be added to others; of the channels and batch of `features`."""
        batch, channels = features.shape[:2]
        dtype = torch.promote_types(features.dtype, torch.float32)
        zero = torch.zeros(batch, channels, channels, dtype=dtype, device=features.device)
        return cls(zero[:, 0, 0].double(), zero[:, 0], zero)

    @property
    def second_moment(self) -> Tensor:
        """(B, C, C) M = XXᵀ/n, not centred: the paper's."""
        return self.covariance + _outer(self.mean)

    @property
    def power(self) -> Tensor:
        """(B,) tr M, the mean of ‖x‖²."""
        return self.covariance.diagonal(dim1=-1, dim2=-2).sum(-1) + self.mean.square().sum(-1)

    def distance(self, other: Moments) -> Tensor:
        """(B,) ‖M − M'‖ / ‖M‖: how far another's second moment is from this one."""
        mine, others = self.second_moment.double(), other.second_moment.double()
        relative: Tensor = torch.linalg.matrix_norm(mine - others) / torch.linalg.matrix_norm(mine)
        return relative

    def __add__(self, other: Moments) -> Moments:
        """The moments of both sets of pixels together (tiles of a picture, frames of a group)."""
        counts = torch.stack([self.count, other.count])
        total = counts.sum(0)
        return mix([self, other], torch.where(total > 0, counts, 1.0), total)  # nothing and nothing is nothing

    def __len__(self) -> int:
        return self.count.shape[0]

    def __getitem__(self, index: slice | list[int]) -> Moments:
        """Some pictures of the batch."""
        return Moments(self.count[index], self.mean[index], self.covariance[index])


def mix(parts: Sequence[Moments], weights: Tensor, count: Tensor | None = None) -> Moments:
    """The weighted average of several second moments: S̄ = Σ w_k S_k / Σ w_k.

    Several style targets cost one: Σ λ_k‖G − S_k‖² = Λ‖G − S̄‖² + const with Λ = Σ λ_k.

    Args:
        parts: K moments of equal batch size (or of batch size 1).
        weights: (K,) or (K, B), not negative, not all zero.
        count: (B,) the count that the result states; the weighted average of the counts if not given.
    """
    shares = (weights.double() / weights.double().sum(0)).reshape(len(parts), -1)

    def average(terms: Sequence[Tensor]) -> Tensor:
        trailing = (1,) * (terms[0].dim() - 1)
        weighed = [
            term * share.reshape(-1, *trailing).to(term.dtype) for term, share in zip(terms, shares, strict=True)
        ]
        return torch.stack(weighed).sum(0)

    mean = average([part.mean for part in parts])
    # The spread of the means about their average belongs to the covariance of the whole.
    covariance = average([part.covariance + _outer(part.mean - mean) for part in parts])
    return Moments(average([part.count for part in parts]) if count is None else count, mean, covariance)


def stack(parts: Sequence[Moments]) -> Moments:
    """One batch out of several."""
    return Moments(
        torch.cat([part.count for part in parts]),
        torch.cat([part.mean for part in parts]),
        torch.cat([part.covariance for part in parts]),
    )


def _sums(pixels: Tensor, origin: Tensor, weights: Tensor | None, at_once: int) -> tuple[Tensor, Tensor]:
    """Σ x and Σ x xᵀ of x = features − origin, each weighed; float64.

    Args:
        pixels: (B, n, C).
        origin: (B, 1, C), of the same type.
        weights: (B, n, 1).
        at_once: pixels at a time.
    """
    batch, count, channels = pixels.shape
    dtype = torch.promote_types(pixels.dtype, torch.float32)
    # Sums of chunks are added up in float64: the transformations in closed form blow rounding up.
    first = torch.zeros(batch, channels, dtype=torch.float64, device=pixels.device)
    second = torch.zeros(batch, channels, channels, dtype=torch.float64, device=pixels.device)
    exact = pixels.dtype == torch.bfloat16 and weights is None
    with products_of_bfloat16() if exact else nullcontext():
        # By chunks, so that the float32 copy of a large half-precision map never exists as a whole.
        for start in range(0, count, at_once):
            x = (pixels[:, start : start + at_once] - origin).to(dtype)
            if weights is None:
                first += x.sum(1)
                _add_gram(second, x)
            else:
                weighed = x * weights[:, start : start + at_once].to(dtype)
                first += weighed.sum(1)
                second += weighed.mT @ x
    return first, gram.mirrored(second)


def _add_gram(second: Tensor, x: Tensor) -> None:
    """Adds XᵀX of (B, n, C) to (B, C, C), whose part below the diagonal is left to symmetry."""
    batch, pixels, channels = x.shape
    if channels <= _BLOCK:
        parts = math.gcd(pixels, _PARTS)
        split = x.reshape(batch * parts, pixels // parts, channels)
        second += (split.mT @ split).reshape(batch, parts, channels, channels).sum(1)
        return
    for total, picture in zip(second, x, strict=True):
        for start in range(0, channels, _BLOCK):
            total[start : start + _BLOCK, start:] += picture[:, start : start + _BLOCK].T @ picture[:, start:]


def _outer(vector: Tensor) -> Tensor:
    return vector.unsqueeze(-1) * vector.unsqueeze(-2)
