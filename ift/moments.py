"""Second-order statistics of features: all that a picture's style is, and all that IFT needs of the content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Moments:
    """Count, mean and second moment of features, for a batch of pictures at one level.

    Attributes:
        count: (B,) pixels summed over, float64.
        mean: (B, C) mean feature.
        second_moment: (B, C, C) M = XXᵀ/n, not centred.
    """

    count: Tensor
    mean: Tensor
    second_moment: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """The moments of feature maps (B, C, H, W), accumulated in float32 or better."""
        batch, channels, height, width = features.shape
        pixels = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        dtype = torch.promote_types(features.dtype, torch.float32)
        mean = torch.zeros(batch, channels, dtype=dtype, device=features.device)
        second = torch.zeros(batch, channels, channels, dtype=dtype, device=features.device)
        # By chunks, so that the float32 copy of a large half-precision map never exists as a whole.
        for chunk in torch.split(pixels, _CHUNK, dim=1):
            x = chunk.to(dtype)
            mean += x.sum(1)
            second = torch.baddbmm(second, x.mT, x)
        n = height * width
        count = torch.full((batch,), n, dtype=torch.float64, device=features.device)
        return cls(count, mean / n, second / n)

    @property
    def covariance(self) -> Tensor:
        """(B, C, C) centred second moment."""
        return self.second_moment - self.mean.unsqueeze(-1) * self.mean.unsqueeze(-2)

    def __add__(self, other: Moments) -> Moments:
        """The moments of both sets of pixels together (tiles of a picture, frames of a group)."""
        return mix([self, other], torch.stack([self.count, other.count]), self.count + other.count)

    def __len__(self) -> int:
        return self.count.shape[0]

    def __getitem__(self, index: slice) -> Moments:
        """Some pictures of the batch."""
        return Moments(self.count[index], self.mean[index], self.second_moment[index])

    def to(self, device: torch.device | str) -> Moments:
        """The same moments on another device."""
        return Moments(self.count.to(device), self.mean.to(device), self.second_moment.to(device))


def mix(parts: Sequence[Moments], weights: Tensor, count: Tensor | None = None) -> Moments:
    """The weighted average of several moments: S̄ = Σ w_k S_k / Σ w_k.

    Several style targets cost one: Σ λ_k‖G − S_k‖² = Λ‖G − S̄‖² + const with Λ = Σ λ_k.

    Args:
        parts: K moments of equal batch size (or of batch size 1).
        weights: (K,) or (K, B), not negative, not all zero.
        count: (B,) the count that the result states; the weighted average of the counts if not given.
    """
    weights = weights.to(torch.float64)
    shares = weights / weights.sum(0)
    if shares.dim() == 1:
        shares = shares.unsqueeze(-1)

    def average(name: str) -> Tensor:
        terms = [getattr(part, name) for part in parts]
        trailing = (1,) * (terms[0].dim() - 1)
        return torch.stack([t * w.reshape(-1, *trailing).to(t.dtype) for t, w in zip(terms, shares, strict=True)]).sum(
            0
        )

    return Moments(average("count") if count is None else count, average("mean"), average("second_moment"))


def stack(parts: Sequence[Moments]) -> Moments:
    """One batch out of several."""
    return Moments(
        torch.cat([part.count for part in parts]),
        torch.cat([part.mean for part in parts]),
        torch.cat([part.second_moment for part in parts]),
    )
