"""Label masks: which pixels of the content are matched with which pixels of the style.

A label in the content's mask is matched with the same label in the style's, so the same thing must get the same
number whatever the kind of file. Three kinds are in use: colour masks in the nine colours of deep photo style
transfer (Luan et al. 2017), grey or palette files whose values are the labels (VOC, ADE20K, Cityscapes), and
black-and-white masks, which are both.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from PIL import Image
from PIL.ImageFile import ImageFile
from torch import Tensor

from ift.errors import ImageError
from ift.images import decoding, open_picture, read_bytes, upright
from ift.labels import NAMED_COLOURS
from ift.settings import MAX_PIXELS

# Eight of the nine are the corners of the RGB cube, here by their red, green and blue bits; grey is its middle.
_CORNERS = np.array(
    [NAMED_COLOURS[n] for n in ("black", "blue", "green", "light_blue", "red", "purple", "yellow", "white")], np.int32
)
_MIDDLE = 128

# A palette entry this close to a named colour in each channel is taken for it: less than a step of web-safe palettes.
_NEAR = 50
# Palettes that some of their entries would give away as colours: they always hold labels.
_LABEL_PALETTES = {
    "VOC": ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)),
    "ADE20K": ((120, 120, 120), (180, 120, 120), (6, 230, 230)),
    "ADE20K with background": ((0, 0, 0), (120, 120, 120), (180, 120, 120), (6, 230, 230)),
}

_LOSSY = ("JPEG", "WEBP", "AVIF", "JPEG2000")  # the last three may be lossless, but do not say so
_LEAST_SHARE = 0.0005
_PURE = 3 * 16**2  # squared distance; noise of compression in flat areas stays below it
_STEADY = 40  # of 255: the most that a channel changes in a small square; soft edges are steeper
_SMALL = 0.002  # radius of a small square, of the longer side
_LARGE = 6  # times that: a large square


_Labels = tuple[np.ndarray, np.ndarray | None]
"""(H, W) int32 as they stand in the file; and, unless they are exact, (H, W) bool: where colours hardly change."""


def load_labels(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Tensor:
    """Read a mask file as (H, W) int32 labels, turned upright.

    Grey files hold their labels as values (1-bit files 0 and 255), palette files as indices. A file is a colour
    mask, with the labels of `NAMED_COLOURS`, if it has colours, if its palette is one of named colours, if it is
    grey but lossy, or if its areas are only black, grey and white. Transparency and colour profiles are ignored.

    Exact masks come back exactly. Others (soft or compressed edges) are repaired: a label is trusted where a small
    square of it fits, and other pixels take the label of the nearest that is. Labels that cover less than 0.05 % are
    given up likewise, in exact masks too.

    Args:
        path: The file.
        max_pixels: Refuse files that declare more pixels than this.

    Raises:
        ImageError: The file cannot be read, is no picture, is damaged, is too large or holds fractions.
    """
    return decode_labels(read_bytes(path, "mask"), os.fspath(path), max_pixels)


def decode_labels(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Decode the bytes of a mask file; `name` stands for it in messages. See `load_labels`."""
    with decoding(name):
        labels, steady = _labels(open_picture(data, name, max_pixels), name)
        return torch.from_numpy(_repair(labels, steady))


def fit_labels(labels: Tensor, height: int, width: int) -> Tensor:
    """Scale (H, W) labels to (height, width): each pixel's centre takes the label that lies there."""
    rows, columns = (
        torch.div((2 * torch.arange(to, device=labels.device) + 1) * side, 2 * to, rounding_mode="floor")
        for side, to in zip(labels.shape, (height, width), strict=True)
    )
    return labels[rows][:, columns]


def _labels(source: ImageFile, name: str) -> _Labels:
    source.load()
    image = upright(source, source)  # of several frames, the first
    if image.mode == "P":
        return _labels_of_palette(image)
    deep = image.mode == "F" or image.mode.startswith("I")
    if not deep and (source.format in _LOSSY or source.info.get("compression") in ("jpeg", "tiff_jpeg", "webp")):
        return _nearest_colour(np.asarray(image.convert("RGB")))
    if deep or image.mode in ("1", "L", "LA"):
        return _labels_of_grey(_whole_numbers(image, name))
    colours = np.asarray(image.convert("RGB"))
    grey = colours[..., 0]
    if (colours == grey[..., None]).all():
        return _labels_of_grey(grey.astype(np.int32))
    return _nearest_colour(colours)


def _whole_numbers(image: Image.Image, name: str) -> np.ndarray:
    """The values of a one-channel picture as int32; bits become 0 and 255."""
    values = np.asarray(image.convert("L") if image.mode in ("1", "LA") else image)
    with np.errstate(invalid="ignore"):
        labels = values.astype(np.int32)
    if not (labels == values).all():
        raise ImageError(f"{name} holds fractions or far too large numbers, but labels are whole: save it as 8-bit")
    return labels


def _labels_of_palette(image: Image.Image) -> _Labels:
    indices = np.asarray(image)
    entries = np.array(image.getpalette() or [], np.uint8).reshape(-1, 3)
    if not len(entries) or any(_starts_with(entries, known) for known in _LABEL_PALETTES.values()):
        return _as_they_are(indices.astype(np.int32))
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(entries)] = entries
    to_corner, to_middle = np.minimum(palette, 255 - palette), np.abs(palette.astype(np.int32) - _MIDDLE)
    unnamed: np.ndarray = (to_corner.max(-1) > _NEAR) & (to_middle.max(-1) > _NEAR)
    if _form_areas(indices, unnamed[indices]):
        return _as_they_are(indices.astype(np.int32))
    return _nearest_colour(palette[indices])


def _starts_with(entries: np.ndarray, known: tuple[tuple[int, int, int], ...]) -> bool:
    return np.array_equal(entries[: len(known)], known)


def _labels_of_grey(values: np.ndarray) -> _Labels:
    unit = 257 if values.max() == 65_535 else 1  # 16-bit files have their white there
    white = 255 * unit
    if _form_areas(values, ~np.isin(values, (0, white // 2, white // 2 + 1, _MIDDLE * unit, white))):
        return _as_they_are(values)
    grey = (values // unit).clip(0, 255).astype(np.uint8)
    return _nearest_colour(np.stack([grey] * 3, -1))


def _form_areas(values: np.ndarray, chosen: np.ndarray) -> bool:
    """Whether the chosen pixels are areas of equal values: labels are, soft edges between labels hardly ever."""
    inside = _is_constant(values, 1) & chosen
    return bool(inside.sum() > 0.25 * chosen.sum())


def _as_they_are(labels: np.ndarray) -> _Labels:
    counts = np.unique(labels, return_counts=True)[1]
    exact = counts.min() >= _LEAST_SHARE * labels.size
    return labels, None if exact else np.ones(labels.shape, bool)


def _nearest_colour(colours: np.ndarray) -> _Labels:
    """Labels of (H, W, 3) uint8 colours by the nearest named one."""
    value = np.arange(256)
    to_corner, to_middle = (
        sum((distance.astype(np.int32) ** 2)[colours[..., channel]] for channel in range(3))
        for distance in (np.minimum(value, 255 - value), value - _MIDDLE)
    )
    labels = _CORNERS[(colours > 127) @ np.array([4, 2, 1], np.uint8)]
    labels[to_middle < to_corner] = NAMED_COLOURS["grey"]
    if (np.minimum(to_corner, to_middle) <= _PURE).all():
        return labels, None
    radius = _radius(labels)
    change = _spread(colours, radius, np.maximum) - _spread(colours, radius, np.minimum)
    return labels, (change <= _STEADY).all(-1)


def _repair(labels: np.ndarray, steady: np.ndarray | None) -> np.ndarray:
    """Give pixels whose label cannot be trusted the label of the nearest that can.

    Halfway between black and white lies grey, and between yellow and blue too: edges that were softened are lined
    with labels that do not belong there. No square fits into the lines (morphological opening), or none in which
    the colour holds. Where a much larger one fits, the colour may change, as in shaded or noisy regions.
    """
    trusted = np.ones(labels.shape, bool) if steady is None else _in_squares(labels, steady, _radius(labels))
    values, counts = np.unique(labels[trusted], return_counts=True)
    specks = values[counts < _LEAST_SHARE * labels.size]
    if len(specks):
        trusted &= ~np.isin(labels, specks)
    return labels if trusted.all() or not trusted.any() else _take_nearest(labels, trusted)


def _radius(labels: np.ndarray) -> int:
    """Of the small square: the longer the sides, the wider the edges of a mask that was enlarged."""
    return max(1, round(_SMALL * float(max(labels.shape))))


def _in_squares(labels: np.ndarray, steady: np.ndarray, radius: int) -> np.ndarray:
    small = _spread(_is_constant(labels, radius) & steady, radius, np.maximum)
    large = _spread(_is_constant(labels, _LARGE * radius), _LARGE * radius, np.maximum)
    both: np.ndarray = small | large
    return both


def _is_constant(values: np.ndarray, radius: int) -> np.ndarray:
    """Whether all values in the square around a pixel, as far as it lies in the picture, are equal."""
    equal: np.ndarray = _spread(values, radius, np.maximum) == _spread(values, radius, np.minimum)
    return equal


def _spread(values: np.ndarray, radius: int, choose: np.ufunc) -> np.ndarray:
    """The maximum or minimum over the (2·radius + 1)² square around each pixel, cut off at the borders."""
    for axis in (0, 1):
        source = values.swapaxes(0, axis)
        reach = 0
        while reach < radius:
            step = min(reach + 1, radius - reach)
            result = source.copy("K")  # not transposed: that alone costs more than the rest
            choose(result[step:], source[:-step], out=result[step:])
            choose(result[:-step], source[step:], out=result[:-step])
            source, reach = result, reach + step
        values = source.swapaxes(0, axis)
    return values


def _take_nearest(labels: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Each pixel's nearest trusted label, by steps along rows and columns (|Δx| + |Δy|).

    That distance is the one whose nearest pixel two sweeps along the columns and two along the rows find.
    """
    height, width = labels.shape
    far = height + width
    integer = np.min_scalar_type(-(far + width) * far)  # the smallest that holds what follows
    rows, columns = np.arange(height, dtype=integer)[:, None], np.arange(width, dtype=integer)
    above = np.maximum.accumulate(np.where(trusted, rows, integer.type(-far)), 0)
    below = np.minimum.accumulate(np.where(trusted, rows, integer.type(height + far))[::-1], 0)[::-1]
    nearer = np.where(rows - above <= below - rows, above, below)
    distance = np.abs(nearer - rows).clip(max=far)
    # The least of distance + |Δx| to the left and to the right; the column rides along in the lower digits.
    left = np.minimum.accumulate((distance + width - columns) * width + columns, 1)
    right = np.minimum.accumulate(((distance + columns) * width + columns)[:, ::-1], 1)[:, ::-1]
    is_left = left // width - width + columns <= right // width - columns
    column = np.where(is_left, left, right) % width
    row = np.take_along_axis(nearer, column, 1)
    nearest: np.ndarray = labels[row, column]
    return nearest
