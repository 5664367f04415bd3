"""The strokes of the result in the colours of the content."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.errors import SettingsError
from ift.oklab import gamma, linear_rgb, oklab

_CONTRAST = (0.75, 2.0)
"""Strokes may be stretched or flattened by this much."""

_TAIL = 0.02
"""The share of the darkest and of the brightest pixels that may pass black and white."""

_KEPT_CHROMA = 0.5
"""Of a pixel that cannot be as light and as colourful at once: the share of chroma that never has to give way."""

_BISECTIONS = 12
_TOLERANCE = 1e-6


def with_colours_of(result: Tensor, content: Tensor) -> Tensor:
    """The lightness of `result` with the hue and chroma of `content`, in Oklab.

    - *Oklab*, because there a change of lightness leaves the hue as it looks. Y'CbCr turns a lightened blue towards
      violet and a darkened orange towards red, by 10° and more.
    - *The content's chroma as it is.* In proportion to lightness (the saturation kept) skies are deeper, but what is
      dark in the content and light in the result shows its compression noise in neon.
    - *Lightness* is shifted to the content's mean and scaled towards its spread: a line drawing would leave pastels,
      an old master night. The scale is bounded, so that strokes on a calm content remain strokes, and so that next
      to nothing passes black or white.
    - *Gamut:* clipping RGB turns hues, and reducing chroma alone burns bright petals to white. A colour that does
      not exist is moved towards the content's own lightness at half its chroma until it does: both give way.

    Args:
        result: (B, 3, H, W), sRGB in [0, 1].
        content: the same shape.

    Returns:
        As `result`, in [0, 1].

    Raises:
        SettingsError: the shapes differ.
    """
    if result.dim() != 4 or result.shape[1] != 3 or result.shape != content.shape:
        raise SettingsError(
            f"the result is {tuple(result.shape)}, the content {tuple(content.shape)}: both must be (B, 3, H, W)"
        )
    strokes, colours = (oklab(picture.float().clamp(0, 1).movedim(1, -1)) for picture in (result, content))
    target = torch.cat([_matched(strokes[..., :1], colours[..., :1]), colours[..., 1:]], -1)
    inner = colours * colours.new_tensor([1, _KEPT_CHROMA, _KEPT_CHROMA])
    rgb = linear_rgb(target)
    outside = ~_exists(rgb)
    rgb[outside] = linear_rgb(_outermost(inner[outside], target[outside]))
    return gamma(rgb.clamp(0, 1)).movedim(-1, 1).contiguous().to(result.dtype)


def _matched(lightness: Tensor, like: Tensor) -> Tensor:
    """(B, H, W, 1), shifted and scaled per picture."""
    flat, flat_like = lightness.flatten(1), like.flatten(1)
    mean, mean_like = flat.mean(1, keepdim=True), flat_like.mean(1, keepdim=True)
    tail = max(1, round(_TAIL * flat.shape[1]))
    below = mean - flat.kthvalue(tail, 1, keepdim=True).values
    above = flat.kthvalue(flat.shape[1] + 1 - tail, 1, keepdim=True).values - mean
    spread, spread_like = (x.std(1, correction=0, keepdim=True).clamp(min=1e-6) for x in (flat, flat_like))
    scale = (spread_like / spread).clamp(*_CONTRAST)
    scale = torch.minimum(scale, mean_like / below.clamp(min=1e-6))
    scale = torch.minimum(scale, (1 - mean_like) / above.clamp(min=1e-6))
    return (mean_like + scale * (flat - mean)).reshape(lightness.shape)


def _outermost(inner: Tensor, target: Tensor) -> Tensor:
    """The last existing colours (n, 3) on the way from `inner`, which exist, to `target`, which do not."""
    share = torch.zeros_like(inner[:, :1])
    for halving in range(1, _BISECTIONS + 1):
        further = share + 0.5**halving
        exists = _exists(linear_rgb(inner + further * (target - inner)))
        share = torch.where(exists.unsqueeze(1), further, share)
    return inner + share * (target - inner)


def _exists(linear: Tensor) -> Tensor:
    return ((linear >= -_TOLERANCE) & (linear <= 1 + _TOLERANCE)).all(-1)
