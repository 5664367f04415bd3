"""The pictures of an experiment: the user's own, or those of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.demo.__main__ import ours, pictures_in
from jobs.demo.contents import write_contents
from jobs.demo.styles import write_styles
from jobs.experiments.pairs import Pair, among, crossed, matched
from jobs.experiments.run import MANIFEST


@dataclass(frozen=True)
class Inputs:
    """Where the pictures of an experiment come from.

    Attributes:
        output: folder of the experiment; the demo's pictures are written below it.
        contents: folder of photos; the demo's if None.
        styles: folder of styles; the demo's if None.
        photo_pairs: folder with `content/` and `style/`; pairs among the contents if None.
    """

    output: Path
    contents: Path | None = None
    styles: Path | None = None
    photo_pairs: Path | None = None

    def content_pictures(self) -> list[Path]:
        """The contents; `JobError` if there are none."""
        if self.contents:
            return pictures_in(self.contents)
        return ours(self.output.absolute() / "inputs/contents", write_contents, self._begun)

    def style_pictures(self) -> list[Path]:
        """The styles; `JobError` if there are none."""
        if self.styles:
            return pictures_in(self.styles)
        return ours(self.output.absolute() / "inputs/styles", write_styles, self._begun)

    def artistic(self, most: int, seed: int) -> list[Pair]:
        """Photos with styles."""
        return crossed(self.content_pictures(), self.style_pictures(), most, seed)

    def photographic(self, most: int, seed: int) -> list[Pair]:
        """Photos with photos."""
        return matched(self.photo_pairs, most, seed) if self.photo_pairs else among(self.content_pictures(), most, seed)

    @property
    def _begun(self) -> bool:
        """Whether the demo's pictures were written, whole, by an earlier run of the experiment."""
        return (self.output / MANIFEST).exists()
