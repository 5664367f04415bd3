"""Distances in the encoder's features: content by place, style by second-order statistics."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.moments import Moments


def content_distance(result: Tensor, content: Tensor) -> float:
    """‖F_r − F_c‖ / ‖F_c‖: the content loss of Gatys et al. (2016), relative, at one level.

    Args:
        result: features (1, C, H, W).
        content: the same shape.
    """
    result, content = result.float(), content.float()
    return float(torch.linalg.vector_norm(result - content) / torch.linalg.vector_norm(content))


def gram_distance(result: Moments, style: Moments) -> float:
    """‖G_r − G_s‖_F / ‖G_s‖_F: the style loss of Gatys et al. (2016), relative, at one level.

    G is the uncentred second moment FFᵀ/n, hence independent of the pictures' sizes.

    Args:
        result: of one picture.
        style: of another, or a mixture.
    """
    wanted = style.second_moment
    return float(torch.linalg.norm(result.second_moment - wanted) / torch.linalg.norm(wanted))


def mean_std_distance(result: Moments, style: Moments) -> float:
    """The distance of means and standard deviations per channel, relative, at one level.

    (‖μ_r − μ_s‖² + ‖σ_r − σ_s‖²)^½ / (‖μ_s‖² + ‖σ_s‖²)^½, from the style loss of Huang & Belongie (AdaIN, 2017).

    Args:
        result: of one picture.
        style: of another, or a mixture.
    """
    ours, wanted = (torch.cat([each.mean, _standard_deviations(each)], -1) for each in (result, style))
    return float(torch.linalg.vector_norm(ours - wanted) / torch.linalg.vector_norm(wanted))


def _standard_deviations(moments: Moments) -> Tensor:
    return moments.covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
