"""A sheet of reconstructions, to see how a decoder does: photos down, the five reconstructions across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from torch import Tensor

    from ift.decoder import Decoder
    from ift.encoder import Encoder

_MARGIN, _GAP, _TITLE, _HEADING, _CAPTION = 24, 10, 52, 30, 24
_BACKGROUND, _BRIGHT, _DIM = (23, 23, 26), (236, 236, 238), (158, 158, 166)


def sample_sheet(encoder: Encoder, decoder: Decoder, images: Sequence[Tensor], title: str = "") -> Image.Image:
    """Each photo beside what is left of it after encoding and decoding, at its own size, pixel by pixel.

    Args:
        encoder: its precision and device are those of all that is computed.
        decoder: of any precision.
        images: (3, H, W) in [0, 1], at least 16×16; cut at the right and bottom to multiples of 8.
        title: stands above.

    Returns:
        An RGB picture; under each reconstruction stands its PSNR.
    """
    from ift.padding import cut_to_multiple
    from ift.training.quality import RECONSTRUCTIONS, psnr, reconstructions

    rows = []
    for image in images:
        photo = cut_to_multiple(image).detach().float().cpu()
        cells = [("", _picture(photo))]
        for picture in reconstructions(encoder, decoder, photo).values():
            cells.append((f"{psnr(picture.cpu(), photo):.1f} dB", _picture(picture.cpu())))
        rows.append(cells)
    return _sheet(title, ["photo", *map(_heading, RECONSTRUCTIONS)], rows)


def _heading(name: str) -> str:
    return "decoder_4, gate 1" if name == "gate_1" else f"{name}, gate 0"


def _picture(image: Tensor) -> Image.Image:
    # Rounded: torchvision's own conversion of floats cuts off, half a level too dark on average.
    return Image.fromarray(image.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy())


def _sheet(title: str, headings: Sequence[str], rows: Sequence[Sequence[tuple[str, Image.Image]]]) -> Image.Image:
    """Captioned pictures in rows, each row as high as its pictures."""
    across = max((picture.width for row in rows for _, picture in row), default=0)
    across = max(across, *(round(_font(15).getlength(heading)) + _GAP for heading in headings))
    width = 2 * _MARGIN + len(headings) * (across + _GAP) - _GAP
    above = _MARGIN // 2 + (_TITLE if title else 0) + _HEADING
    height = above + sum(row[0][1].height + _CAPTION + _GAP for row in rows) + _MARGIN // 2
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((_MARGIN, _MARGIN // 2 + _TITLE // 2), title, _BRIGHT, _font(20), "lm")
    lefts = [_MARGIN + column * (across + _GAP) for column in range(len(headings))]
    for left, heading in zip(lefts, headings, strict=True):
        draw.text((left + across // 2, above - _HEADING // 2), heading, _BRIGHT, _font(15), "mm")
    top = above
    for row in rows:
        for left, (caption, picture) in zip(lefts, row, strict=True):
            sheet.paste(picture, (left + (across - picture.width) // 2, top))
            draw.text((left + across // 2, top + picture.height + _CAPTION // 2), caption, _DIM, _font(13), "mm")
        top += row[0][1].height + _CAPTION + _GAP
    return sheet


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
