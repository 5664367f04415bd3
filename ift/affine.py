"""Affine maps of features, F' = A F + b: what every second-order transformation comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ift.fused import conv2d_relu
from ift.moments import Moments


@dataclass(frozen=True)
class AffineMap:
    """One affine map per picture of a batch.

    Attributes:
        matrix: (B, C, C), A.
        offset: (B, C), b; None where it is zero.
    """

    matrix: Tensor
    offset: Tensor | None = None

    @classmethod
    def identity(cls, content: Moments) -> AffineMap:
        """The map that leaves features of these moments as they are."""
        batch, channels = content.mean.shape
        eye = torch.eye(channels, dtype=content.mean.dtype, device=content.mean.device)
        return cls(eye.expand(batch, -1, -1))

    @classmethod
    def about(cls, matrix: Tensor, mean: Tensor, to: Tensor | None = None) -> AffineMap:
        """F' = A (F − μ) + m.

        Args:
            matrix: (B, C, C), A.
            mean: (B, C), μ.
            to: (B, C) or (1, C), m; zero if not given.
        """
        moved = (matrix @ mean.unsqueeze(-1)).squeeze(-1)
        return cls(matrix, -moved if to is None else to - moved)

    def __call__(self, features: Tensor, relu: bool = False) -> Tensor:
        """A F + b for feature maps (B, C, H, W), in their own precision and memory format; its ReLU if asked for."""
        batch, channels, height, width = features.shape
        matrix = self.matrix.to(features.dtype)
        offset = None if self.offset is None else self.offset.to(features.dtype)
        if batch == 1 and features.device.type == "cpu" and height * width > 0:  # a region may have no pixels here
            # oneDNN takes four fifths of the time for a 1×1 convolution that a product of as many numbers takes.
            kernel, bias = matrix[0, :, :, None, None], None if offset is None else offset[0]
            if relu and bias is not None:
                return conv2d_relu(features, kernel, bias)
            mapped = functional.conv2d(features, kernel, bias)
            return mapped.relu_() if relu else mapped
        pixels = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        mapped = pixels @ matrix.mT if offset is None else torch.baddbmm(offset.unsqueeze(1), pixels, matrix.mT)
        mapped = mapped.relu_() if relu else mapped
        return mapped.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def __getitem__(self, index: slice) -> AffineMap:
        """The maps of some pictures of the batch."""
        return AffineMap(self.matrix[index], None if self.offset is None else self.offset[index])

    def of_moments(self, moments: Moments) -> Moments:
        """The moments of A F + b, from the moments of F."""
        mean = (self.matrix @ moments.mean.unsqueeze(-1)).squeeze(-1)
        covariance = self.matrix @ moments.covariance @ self.matrix.mT
        return Moments(moments.count, mean if self.offset is None else mean + self.offset, covariance)

    def after(self, first: AffineMap) -> AffineMap:
        """This map applied to the result of `first`."""
        offset = self.offset
        if first.offset is not None:
            moved = (self.matrix @ first.offset.unsqueeze(-1)).squeeze(-1)
            offset = moved if offset is None else moved + offset
        return AffineMap(self.matrix @ first.matrix, offset)


def combine(maps: Sequence[AffineMap], weights: Tensor) -> AffineMap:
    """Σ_k w_k (A_k F + b_k), the affine combination of results (eq. 30), as one map.

    Args:
        maps: K maps of batch B.
        weights: (K, B) or (K, 1); each column sums to 1.
    """
    matrix, offset = torch.zeros_like(maps[0].matrix), torch.zeros_like(maps[0].matrix[..., 0])
    for one, share in zip(maps, weights.to(matrix.dtype).unsqueeze(-1), strict=True):
        matrix = matrix + share.unsqueeze(-1) * one.matrix
        if one.offset is not None:
            offset = offset + share * one.offset
    return AffineMap(matrix, offset)
