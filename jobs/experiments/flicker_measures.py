"""How much frames flicker whose motion is known: where they differ though they should not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ift.box import Box
from ift.metrics.luma import luma
from jobs.experiments.flicker_camera import View, bicubic, sampled, shared_box

COARSE = 8
"""Pixels a side of the cells over which the coarse error is averaged: those of the features at relu4_1."""

MEASURES = {
    "error": "warping error to the next frame, mean absolute",
    "rms": "warping error to the next frame, root mean square",
    "coarse": f"warping error to the next frame of means over {COARSE}×{COARSE} pixels, mean absolute",
    "long": "warping error over the longer step, mean absolute",
    "long_rms": "warping error over the longer step, root mean square",
    "relative": "error over the contrast",
    "long_relative": "error over the longer step, over the contrast",
    "by_detail": "error over the detail",
    "colour": "change of the mean colour to the next frame, mean absolute over red, green and blue",
    "contrast_change": "change of the contrast to the next frame, absolute",
    "contrast": "standard deviation of the frames' luma",
    "detail": "mean absolute difference of neighbouring pixels",
}
"""What is measured, all on sRGB values in [0, 1]; means over the frames of a sequence."""


def flicker_of(frames: Sequence[Tensor], views: Sequence[View], long_step: int, margin: int) -> dict[str, float]:
    """All of `MEASURES` of a sequence.

    Args:
        frames: (3, h, w) each.
        views: of the still, one for each frame.
        long_step: how many frames on the longer comparison is.
        margin: pixels from the borders that are left out.

    Raises:
        JobError: frames that are compared have nothing in common.
    """
    short, long = (_errors(frames, views, step, margin) for step in (1, long_step))
    inner = [frame[:, margin : frame.shape[1] - margin, margin : frame.shape[2] - margin] for frame in frames]
    contrast = _mean([float(luma(frame).std(correction=0)) for frame in inner])
    detail = _mean([_detail(frame) for frame in inner])
    changes = [
        global_change(frames[index], frames[index + 1], views[index + 1].seen_from(views[index]), margin)
        for index in range(len(frames) - 1)
    ]
    return {
        **short,
        "long": long["error"],
        "long_rms": long["rms"],
        "relative": short["error"] / contrast,
        "long_relative": long["error"] / contrast,
        "by_detail": short["error"] / detail,
        "colour": _mean([colour for colour, _ in changes]),
        "contrast_change": _mean([change for _, change in changes]),
        "contrast": contrast,
        "detail": detail,
    }


def warped_difference(earlier: Tensor, later: Tensor, motion: View, margin: int) -> Tensor:
    """The later frame minus the earlier one, warped to where its pixels are by then.

    Args:
        earlier: (3, h, w).
        later: (3, h, w).
        motion: the later frame, seen from the earlier one.
        margin: pixels from the borders that are left out.

    Returns:
        (3, h', w') of the pixels that both see.

    Raises:
        JobError: there are none.
    """
    box = shared_box(motion, (later.shape[1], later.shape[2]), margin)
    rows, columns = box.slices
    return later[:, rows, columns] - sampled(earlier, motion.cut(box), (box.height, box.width), bicubic)


def global_change(earlier: Tensor, later: Tensor, motion: View, margin: int) -> tuple[float, float]:
    """How much the mean colour, and the contrast, change in what both frames see.

    Nothing is interpolated, which would take away contrast: pixels that the border cuts through count by their share.

    Args:
        earlier: (3, h, w).
        later: (3, h, w).
        motion: the later frame, seen from the earlier one.
        margin: pixels from the borders that are left out.

    Returns:
        The mean over red, green and blue of the absolute change; and the absolute change of the standard deviation of
        the luma.

    Raises:
        JobError: they see nothing in common.
    """
    box = shared_box(motion, (later.shape[1], later.shape[2]), margin)
    before = _statistics(earlier, motion.cut(box), box)
    after = _statistics(later, View(box.top, box.left, 1.0), box)
    return float((after[0] - before[0]).abs().mean()), abs(after[1] - before[1])


def _errors(frames: Sequence[Tensor], views: Sequence[View], step: int, margin: int) -> dict[str, float]:
    pairs = zip(range(len(frames) - step), range(step, len(frames)), strict=True)
    differences = [
        warped_difference(frames[first], frames[last], views[last].seen_from(views[first]), margin)
        for first, last in pairs
    ]
    return {
        "error": _mean([float(each.abs().mean()) for each in differences]),
        "rms": _mean([float(each.square().mean()) for each in differences]) ** 0.5,
        "coarse": _mean([float(avg_pool2d(each, COARSE).abs().mean()) for each in differences]),
    }


def _detail(frame: Tensor) -> float:
    steps = frame.diff(dim=1).abs().mean() + frame.diff(dim=2).abs().mean()
    return float(steps / 2)


def _statistics(frame: Tensor, view: View, box: Box) -> tuple[Tensor, float]:
    """Mean colour (3,) and standard deviation of the luma of what a view of a frame shows, `box` giving its size."""
    rows = _covered(frame.shape[1], view.top, view.top + view.scale * box.height)
    columns = _covered(frame.shape[2], view.left, view.left + view.scale * box.width)
    area = rows.sum() * columns.sum()
    exact, light = frame.double(), luma(frame.double())
    mean = (exact @ columns) @ rows / area
    spread = (rows @ (light - luma(mean[:, None, None])).square() @ columns) / area
    return mean, float(spread.sqrt())


def _covered(pixels: int, start: float, end: float) -> Tensor:
    """(pixels,) float64: how much of each pixel lies between two places."""
    places = torch.arange(pixels + 1, dtype=torch.float64).clamp(start, end)
    return places.diff()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
