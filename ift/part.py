"""A part of a picture: a tile with its halo, or a whole picture."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ift.box import Box
from ift.network_shape import padded_size


@dataclass(frozen=True)
class Part:
    """A part of a picture; boxes are those of the picture as padded to multiples of 8, and have such sides.

    Attributes:
        size: (H, W) of the picture in pixels.
        core: what the part stands for; the cores of all parts cover the picture once.
        window: the core with its halo, as far as there is a picture: what the core's result depends on.
    """

    size: tuple[int, int]
    core: Box
    window: Box

    @classmethod
    def all_of(cls, height: int, width: int) -> Part:
        """A whole picture."""
        whole = Box(0, 0, *padded_size(height, width))
        return cls((height, width), whole, whole)

    @property
    def padded(self) -> Box:
        """The whole picture as padded."""
        return Box(0, 0, *padded_size(*self.size))

    @property
    def whole(self) -> bool:
        """Whether it is all of the picture."""
        return self.core == self.padded

    @property
    def real(self) -> Box:
        """The whole picture without padding."""
        return Box(0, 0, *self.size)

    @property
    def inside(self) -> Box:
        """The pixels of the picture that the core stands for."""
        return self.core.within(self.real)

    def extent(self, margin: int) -> Box:
        """The core and so much around it, as far as there is a picture."""
        return self.core.grown(margin).within(self.padded)

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Part:
        """From what `to_json` wrote."""
        fields = json.loads(text)
        height, width = fields["size"]
        return cls((height, width), Box(**fields["core"]), Box(**fields["window"]))
