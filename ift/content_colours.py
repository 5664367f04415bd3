"""The strokes of the result in the colours of the content."""

from __future__ import annotations

from dataclasses import dataclass

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

_BINS = 1 << 16
"""Of the histogram of lightness, from which its quantiles are taken."""

_BISECTIONS = 12
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Lightness:
    """What there is to know of the lightness of results and contents, each a batch of B pictures; it adds up.

    Attributes:
        count: (B,) pixels.
        sums: (B, 2) of the lightness of result and content.
        squares: (B, 2) of its squares.
        histogram: (B, bins) pixels of the result by lightness.
    """

    count: Tensor
    sums: Tensor
    squares: Tensor
    histogram: Tensor

    @classmethod
    def of(cls, result: Tensor, content: Tensor) -> Lightness:
        """Of two pictures, or of two batches of them, (B, 3, H, W), sRGB in [0, 1]."""
        lightness = torch.stack([_oklab(picture)[..., 0].flatten(1) for picture in (result, content)], 1)
        bins = (lightness[:, 0] * _BINS).long().clamp(0, _BINS - 1)
        histogram = torch.zeros(len(result), _BINS, dtype=torch.float64, device=result.device)
        histogram.scatter_add_(1, bins, torch.ones_like(bins, dtype=torch.float64))
        doubles = lightness.double()
        return cls(histogram.sum(1), doubles.sum(2), doubles.square().sum(2), histogram)

    def __add__(self, other: Lightness) -> Lightness:
        """Of both sets of pixels together."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Lightness(*(one + another for one, another in pairs))

    def curve(self) -> LightnessCurve:
        """What brings the result's lightness to the content's mean, and towards its spread."""
        mean, mean_like = (self.sums / self.count.unsqueeze(1)).unbind(1)
        spread, spread_like = (
            (self.squares / self.count.unsqueeze(1) - (self.sums / self.count.unsqueeze(1)).square())
            .clamp_min(0)
            .sqrt()
            .clamp_min(1e-6)
            .unbind(1)
        )
        tail = (_TAIL * self.count).clamp_min(1).unsqueeze(1)
        below = mean - (self.histogram.cumsum(1) < tail).sum(1) / _BINS
        above = 1 - (self.histogram.flip(1).cumsum(1) < tail).sum(1) / _BINS - mean
        scale = (spread_like / spread).clamp(*_CONTRAST)
        scale = torch.minimum(scale, mean_like / below.clamp(min=1e-6))
        scale = torch.minimum(scale, (1 - mean_like) / above.clamp(min=1e-6))
        return LightnessCurve(scale, mean_like - scale * mean)


@dataclass(frozen=True)
class LightnessCurve:
    """L' = scale·L + shift, for each of B pictures."""

    scale: Tensor
    shift: Tensor

    def __call__(self, lightness: Tensor) -> Tensor:
        """Of (B, H, W, 1)."""
        scale, shift = (each.reshape(-1, 1, 1, 1).to(lightness.dtype) for each in (self.scale, self.shift))
        return scale * lightness + shift


def with_colours_of(result: Tensor, content: Tensor, curve: LightnessCurve | None = None) -> Tensor:
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
        curve: of the lightness of the whole, where these are parts of it; their own if not given.

    Returns:
        As `result`, in [0, 1].

    Raises:
        SettingsError: the shapes differ.
    """
    if result.dim() != 4 or result.shape[1] != 3 or result.shape != content.shape:
        raise SettingsError(
            f"the result is {tuple(result.shape)}, the content {tuple(content.shape)}: both must be (B, 3, H, W)"
        )
    curve = curve or Lightness.of(result, content).curve()
    strokes, colours = _oklab(result), _oklab(content)
    target = torch.cat([curve(strokes[..., :1]), colours[..., 1:]], -1)
    inner = colours * colours.new_tensor([1, _KEPT_CHROMA, _KEPT_CHROMA])
    rgb = linear_rgb(target)
    outside = ~_exists(rgb)
    rgb[outside] = linear_rgb(_outermost(inner[outside], target[outside]))
    return gamma(rgb.clamp(0, 1)).movedim(-1, 1).contiguous().to(result.dtype)


def _oklab(picture: Tensor) -> Tensor:
    """(B, H, W, 3) of (B, 3, H, W)."""
    return oklab(picture.float().clamp(0, 1).movedim(1, -1))


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
