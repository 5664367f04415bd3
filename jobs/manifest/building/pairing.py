"""What a manifest is to be built of, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.errors import ManifestError
from jobs.plan.outputs import SUFFIXES

MODES = ("cross", "paired", "random")


@dataclass(frozen=True)
class Pairing:
    """Which contents get which styles.

    Attributes:
        contents: folders or s3:// prefixes, walked recursively; the first folder below one is the label.
        styles: the same of the styles.
        mode: `cross`: each content with each style; `paired`: by name; `random`: with some that a hash chooses.
        styles_per_content: of mode `random`.
        seed: of mode `random`.
        content_masks: folder or prefix whose tree mirrors that of the contents, but for the suffixes.
        style_masks: the same for the styles.
        min_side: pixels; pictures whose shorter side is below it are passed over.
        max_side: pixels; pictures whose longer side is above it are passed over.
        unique: of byte-identical pictures only the first is taken.
        image_format: of the outputs, a name in `jobs.plan.outputs.SUFFIXES`.
    """

    contents: tuple[str, ...]
    styles: tuple[str, ...]
    mode: str = "random"
    styles_per_content: int = 1
    seed: int = 0
    content_masks: str | None = None
    style_masks: str | None = None
    min_side: int | None = None
    max_side: int | None = None
    unique: bool = False
    image_format: str = "jpeg"

    def check(self) -> None:
        """Raises ManifestError if it contradicts itself."""
        problem = None
        if not self.contents or not self.styles:
            problem = f"no {'styles' if self.contents else 'contents'}: give a folder or an s3:// prefix of pictures"
        elif self.mode not in MODES:
            problem = f"mode {self.mode!r}: choose one of {', '.join(MODES)}"
        elif self.styles_per_content < 1:
            problem = f"{self.styles_per_content} styles per content: give 1 or more"
        elif self.style_masks is not None and self.content_masks is None:
            problem = "style masks mean nothing without content masks: give both, or neither"
        elif self.image_format not in SUFFIXES:
            problem = f"image format {self.image_format!r}: choose one of {', '.join(SUFFIXES)}"
        elif self.min_side is not None and self.max_side is not None and self.min_side > self.max_side:
            problem = f"no picture has sides of at least {self.min_side} and at most {self.max_side} pixels"
        if problem:
            raise ManifestError(problem)


@dataclass(frozen=True)
class Built:
    """What a manifest holds.

    Attributes:
        rows: pairs in all.
        added: pairs that the previous manifest did not have; all of them if there was none.
        contents: pictures that could be used now.
        styles: the same of the styles.
        passed_over: how many files and objects were not used, or not as asked, by the reason.
    """

    rows: int
    added: int
    contents: int
    styles: int
    passed_over: Mapping[str, int]
