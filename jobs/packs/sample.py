"""What a pack holds of a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs.errors import JobError
from jobs.manifest import IMAGES
from jobs.plan import PlannedPair


class DamagedPackError(JobError):
    """The bytes of a pack are not what a worker wrote."""


@dataclass(frozen=True)
class Sample:
    """A picture in a pack, and what is told with it.

    Attributes:
        pair_id: by which it is found.
        path: its name in the tree of the outputs, such as class/name.jpg.
        picture: the bytes of the image file.
        label: the class of the content; None if it has none.
        content: URI of the content.
        styles: URIs of the styles.
        method: of the settings in short.
        preset: that the settings started from.
    """

    pair_id: str
    path: str
    picture: bytes
    label: str | None
    content: str
    styles: tuple[str, ...]
    method: str
    preset: str

    @classmethod
    def of(cls, pair: PlannedPair, picture: bytes) -> Sample:
        """The sample of a pair."""
        path = pair.output.removeprefix(IMAGES)
        return cls(pair.pair_id, path, picture, pair.label, pair.content, pair.styles, pair.method, pair.preset)

    @property
    def facts(self) -> dict[str, Any]:
        """All but the picture."""
        return {
            "pair_id": self.pair_id,
            "path": self.path,
            "label": self.label,
            "content": self.content,
            "styles": list(self.styles),
            "method": self.method,
            "preset": self.preset,
        }
