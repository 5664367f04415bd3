"""A stand-in for the model: thousands of pairs in seconds, and rows that raise, hang and kill."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ift import Style
from ift.images import decode_image, encode_image
from ift.moments import Moments
from ift.style import StylePicture
from tests.chaos.pictures import SIDE, Behaviour, Row, content_png, read_row, style_png
from tests.chaos.scratch import Scratch


class StandInStylizer:
    """Moves the content half way to the style's mean colour; cheap, and always to the same bytes."""

    device = torch.device("cpu")

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._pace = scratch.pace

    def style(self, picture: Tensor, labels: object = None, *, patches: bool = False) -> Style:
        """The moments of the pixels are all that is kept."""
        return _style(picture)

    def stylize(self, contents: Tensor, styles: Sequence[Style], **_: Any) -> Tensor:
        """(B, 3, H, W) to the same; each content first does what its row is to do."""
        for content in contents:
            self._behave(content)
        return _mix(contents, styles)

    def _behave(self, content: Tensor) -> None:
        row = read_row(content)
        self._scratch.log(row.content)
        time.sleep(self._pace)
        match row.behaviour:
            case Behaviour.RAISE:
                raise ArithmeticError(f"{row.pair_id} was to raise")
            case Behaviour.KILL:
                _kill_myself()
            case Behaviour.HANG:
                _hang()
            case Behaviour.KILL_ONCE if self._scratch.first(row.content):
                _kill_myself()
            case Behaviour.HANG_ONCE if self._scratch.first(row.content):
                _hang()


def expected_sha256(row: Row) -> str:
    """Of the PNG file that comes of a row, worked out here and now, without the job."""
    content, style = (
        decode_image(data, row.pair_id, None, SIDE * SIDE) for data in (content_png(row), style_png(row.style))
    )
    result = _mix(content.unsqueeze(0), [_style(style)])[0]
    return hashlib.sha256(encode_image(result, "png", 95)).hexdigest()


def _style(picture: Tensor) -> Style:
    return Style((StylePicture((Moments.of(picture.unsqueeze(0)),)),))


def _mix(contents: Tensor, styles: Sequence[Style]) -> Tensor:
    colours = torch.stack([style.pictures[0].moments[0].mean[0] for style in styles])
    return (contents + colours[:, :, None, None]) / 2


def _kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    time.sleep(3600)
