"""Edge SSIM: whether the edges of the content are edges of the result."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ift.metrics.ssim import ssim


def edge_ssim(a: Tensor, b: Tensor) -> float:
    """SSIM of the gradient magnitudes.

    As in the gradient-based SSIM of Chen, Yang & Xie (2006) and the edge responses that Yoo et al. (WCT², 2019) judge
    photo-realistic transfer by, with the Sobel operator in place of a trained edge detector.

    Args:
        a: (H, W) in [0, 1], from 1×1 up.
        b: the same shape.
    """
    return ssim(gradient_magnitude(a), gradient_magnitude(b))


def gradient_magnitude(plane: Tensor) -> Tensor:
    """(H, W) in [0, 1]: the root mean square of Sobel's two derivatives, each in [−1, 1]; borders are repeated."""
    x = functional.pad(plane[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    rows = (x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]) / 4
    columns = (x[:-2] + 2 * x[1:-1] + x[2:]) / 4
    down, right = rows[2:] - rows[:-2], columns[:, 2:] - columns[:, :-2]
    return ((down.square() + right.square()) / 2).sqrt()
