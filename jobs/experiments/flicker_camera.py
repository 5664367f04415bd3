"""A camera over a still, and pictures sampled from another picture without aliasing, so that all motion is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ift.box import Box
from jobs.errors import JobError

Kernel = Callable[[Tensor], Tensor]
"""The weight of a pixel by its distance, in pixels of the coarser of the two grids."""


@dataclass(frozen=True)
class View:
    """Where a picture lies on another, in the pixels of that one; a pixel k reaches from k to k + 1.

    Attributes:
        top: its upper edge.
        left: its left edge.
        scale: pixels of the other one to a pixel of its own.
    """

    top: float
    left: float
    scale: float

    def seen_from(self, other: View) -> View:
        """The same, in the pixels of another view of the same picture: the motion from that one to this one."""
        return View(
            (self.top - other.top) / other.scale, (self.left - other.left) / other.scale, self.scale / other.scale
        )

    def cut(self, box: Box) -> View:
        """Of a box of its own pixels."""
        return View(self.top + self.scale * box.top, self.left + self.scale * box.left, self.scale)


@dataclass(frozen=True)
class Motion:
    """How the camera goes on from frame to frame.

    Attributes:
        name: for people.
        right: pixels of a frame that it moves to the right.
        down: pixels of a frame that it moves down.
        zoom: what the scale is multiplied by; below 1 it comes nearer.
    """

    name: str
    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0

    def views(self, still: tuple[int, int], frame: tuple[int, int], frames: int) -> list[View]:
        """As much of a still as fits the whole motion, whose middle is that of the still.

        Args:
            still: (H, W) in pixels.
            frame: (h, w) in pixels.
            frames: how many.

        Raises:
            JobError: the still is too small: there would be fewer of its pixels than of the frames'.
        """
        times = [time - (frames - 1) / 2 for time in range(frames)]
        scale = min(
            side / 2 / (abs(time * speed) + self.zoom**time * pixels / 2)
            for time in times
            for side, pixels, speed in zip(still, frame, (self.down, self.right), strict=True)
        )
        if scale < 1:
            raise JobError(
                f"a still of {still[1]}×{still[0]} pixels is too small for {frames} frames of {frame[1]}×{frame[0]} "
                f"({self.name}): take larger ones, or a lower --resolution"
            )
        return [
            View(
                still[0] / 2 + scale * (time * self.down - self.zoom**time * frame[0] / 2),
                still[1] / 2 + scale * (time * self.right - self.zoom**time * frame[1] / 2),
                scale * self.zoom**time,
            )
            for time in times
        ]


def lanczos(distance: Tensor) -> Tensor:
    """Of three lobes: the sharpest that hardly aliases, for frames taken from a larger still."""
    return torch.where(distance.abs() < 3, torch.sinc(distance) * torch.sinc(distance / 3), 0.0)


def bicubic(distance: Tensor) -> Tensor:
    """Keys 1981, a = −1/2: exact for parabolas, for frames warped onto one another."""
    near = distance.abs()
    inner = (1.5 * near - 2.5) * near**2 + 1
    outer = ((-0.5 * near + 2.5) * near - 4) * near + 2
    return torch.where(near < 1, inner, torch.where(near < 2, outer, 0.0))


def sampled(picture: Tensor, view: View, size: tuple[int, int], kernel: Kernel = lanczos) -> Tensor:
    """What a view of a picture shows.

    Args:
        picture: (C, H, W).
        view: of it; where it reaches beyond the picture, the nearest pixels go on for as far as the kernel does.
        size: (h, w) in pixels of the view.
        kernel: stretched where the view is coarser than the picture, so that nothing aliases.

    Returns:
        (C, h, w) of the picture's type, NaN where the view shows nothing of the picture.
    """
    rows, columns = (
        _weights(pixels, side, start, view.scale, kernel)
        for pixels, side, start in zip(size, picture.shape[1:], (view.top, view.left), strict=True)
    )
    return (rows @ (picture.double() @ columns.T)).to(picture.dtype)


def shared_box(motion: View, size: tuple[int, int], margin: float) -> Box:
    """The pixels of a frame that another one of the same size sees as well.

    Args:
        motion: the frame, seen from the other one.
        size: (h, w) of both, in pixels.
        margin: pixels from the borders of either that are left out.

    Raises:
        JobError: there are none.
    """
    spans = []
    for start, pixels in zip((motion.top, motion.left), size, strict=True):
        first = max(margin, (margin - start) / motion.scale)
        end = min(pixels - margin, (pixels - margin - start) / motion.scale)
        spans.append((math.ceil(first), math.floor(end)))
    (top, bottom), (left, right) = spans
    if top >= bottom or left >= right:
        raise JobError("frames have nothing in common: fewer --frames, or a higher --resolution")
    return Box(top, left, bottom - top, right - left)


def _weights(pixels: int, side: int, start: float, scale: float, kernel: Kernel) -> Tensor:
    """(pixels, side) float64: what each pixel of a view takes of those of the picture along one axis."""
    centres = start + scale * (torch.arange(pixels, dtype=torch.float64) + 0.5)
    distances = centres[:, None] - (torch.arange(side, dtype=torch.float64) + 0.5)
    weights = kernel(distances / max(scale, 1.0))
    return weights / weights.sum(1, keepdim=True)
