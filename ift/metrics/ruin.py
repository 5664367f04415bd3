"""What ruins a result: damage that similarity and style distances may miss, found by a picture's plainest figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ift.metrics.luma import luma

BLOCK = 8
"""Pixels on a side of the blocks that are flat or not."""

_STEP = 1 / 255
_CLIPPED = 2 * _STEP
"""From black and white, within which a value counts as clipped: as far as JPEG moves one."""

_FLAT, _NOT_FLAT = 1 * _STEP, 2 * _STEP
"""Standard deviations in a block: below the first nothing is seen in it, from the second on something is."""

_NO_GRADIENT = 0.1 * _STEP
"""Mean absolute gradient below which a content is of one colour, and sharpness has nothing to compare with."""

_DARK = _BRIGHT = 0.2
_FAINT = 0.25
_MOST_CLIPPED = 0.5
_NOISY = 1.75
_BLURRED = 0.3
"""Chosen on 516 results of 99 pairs (paintings, drawings, night and studio photos; IFT, WCT, OST, AdaIN, Avatar-Net) at
192 and 256 pixels, and on 1,386 of them damaged; the docstring of `ruin` gives what was seen on either side."""


@dataclass(frozen=True)
class Appearance:
    """Plain figures of one picture.

    Attributes:
        brightness: mean luma, 0 to 1.
        contrast: the standard deviation over the picture, mean of the three channels.
        gradient: mean absolute difference of the luma of neighbouring pixels, right and down.
        clipped: share of the pixels with a channel that is black or white.
        blocks: (H/8, W/8) standard deviation within each block of 8×8 pixels, of the channel where it is greatest;
            smaller pictures are one block.
    """

    brightness: float
    contrast: float
    gradient: float
    clipped: float
    blocks: Tensor

    @classmethod
    def of(cls, picture: Tensor) -> Appearance:
        """The figures of (3, H, W) in [0, 1], finite, from 1×1 up."""
        grey = luma(picture)
        right, down = grey.diff(dim=1).abs(), grey.diff(dim=0).abs()
        clipped = ((picture <= _CLIPPED) | (picture >= 1 - _CLIPPED)).any(0)
        steps = right.sum(dtype=torch.float64) + down.sum(dtype=torch.float64)
        return cls(
            brightness=grey.mean(dtype=torch.float64).item(),
            contrast=picture.flatten(1).std(1, correction=0).mean().item(),
            gradient=steps.item() / max(1, right.numel() + down.numel()),
            clipped=clipped.float().mean().item(),
            blocks=_block_spread(picture),
        )


def sharpness(result: Appearance, content: Appearance) -> float | None:
    """The gradient of the result over the content's; None where the content is of one colour."""
    return result.gradient / content.gradient if content.gradient > _NO_GRADIENT else None


def saturated(result: Appearance, content: Appearance) -> float:
    """The share of the pixels that are clipped, as far as it exceeds the content's."""
    return max(0.0, result.clipped - content.clipped)


def flat(result: Appearance, content: Appearance) -> float:
    """The share of the blocks in which the content shows something and the result nothing.

    Nothing is a standard deviation below 1/255, something one from 2/255 on.
    """
    return ((result.blocks < _FLAT) & (content.blocks >= _NOT_FLAT)).float().mean().item()


def ruin(result: Appearance, content: Appearance, styles: Sequence[Appearance]) -> str | None:
    """What has ruined a result, or None.

    A good result lies between its content and its styles, so each figure is held against the nearest of them: what
    is dark, flat, clipped or soft there may be so in the result, and next to a picture of one colour nothing shows.

    - "black": less than 0.2 of the least brightness. Good results had 0.93 or more, ones dimmed to 3 % up to 0.12.
    - "white": likewise from above; 0.97 or more, and up to 0.17.
    - "flat": less than 0.25 of the least contrast; 0.49 or more, and at 2 % of their contrast up to 0.13.
    - "saturated": the share of clipped pixels above the greatest by more than 0.5; good results up to 0.37, with
      one channel clipped or contrast times eight 0.9 in the median.
    - "noise": more than 1.75 times the greatest gradient; 1.55 or less but for three photos that WCT had turned to
      noise (from 1.89), and noise alone 1.97 or more; on a picture σ = 0.2 is found in nine of ten, 0.1 in a third.
    - "blurred": less than 0.3 of the least gradient; 0.39 or more; the mean of 15×15 pixels is found in four
      of five.
    """
    sources = [content, *styles]
    signs = {
        "black": result.brightness < _DARK * min(source.brightness for source in sources),
        "white": 1 - result.brightness < _BRIGHT * min(1 - source.brightness for source in sources),
        "flat": result.contrast < _FAINT * min(source.contrast for source in sources),
        "saturated": result.clipped > _MOST_CLIPPED + max(source.clipped for source in sources),
        "noise": result.gradient > _NOISY * max(source.gradient for source in sources),
        "blurred": result.gradient < _BLURRED * min(source.gradient for source in sources),
    }
    return next((name for name, seen in signs.items() if seen), None)


def _block_spread(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    rows, columns = min(BLOCK, height), min(BLOCK, width)
    whole = picture[:, : height // rows * rows, : width // columns * columns]
    blocks = whole.reshape(3, height // rows, rows, width // columns, columns)
    return blocks.std((2, 4), correction=0).amax(0)
