"""The frames of a group: pictures in their order, whatever they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ift.parts import Pixels


@dataclass(frozen=True)
class Frames:
    """Pictures that belong together, in order.

    Attributes:
        source: the folder or video file that they come from.
        pictures: of each frame any rectangle can be read; nothing is decoded before.
        names: of each, for results named after their sources: file names in a folder, numbers in a video.
        times: of each in seconds, rising, in a video; None in a folder.
        rate: frames a second, on average; None in a folder.
    """

    source: Path
    pictures: Sequence[Pixels]
    names: tuple[str, ...]
    times: tuple[Fraction, ...] | None = None
    rate: Fraction | None = None

    def __len__(self) -> int:
        return len(self.pictures)
