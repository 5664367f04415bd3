"""What a user asks `python -m ift` for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ift.settings import Settings


@dataclass(frozen=True)
class Request:
    """Flags, read.

    Attributes:
        content: a picture, a folder of pictures or a video.
        styles: pictures.
        output: a picture, a folder or a video.
        settings: how to stylize.
        resolution: longer side of contents in pixels; None for their own.
        style_resolution: longer side of styles; None for their own.
        shares: of several styles; None for equal ones.
        content_mask: a label image.
        style_masks: of each style a label image or a label; None without masks.
        quality: of lossy formats.
        memory: bytes that the whole process may take.
        tile: longest side of a part; None for what the memory allows.
        sample: number of parts whose statistics stand for all; None for exact ones.
        scratch: folder where a broken-off run goes on; None for one of its own.
        preview: small picture to write as well.
        deep_zoom: folder for tiles and a viewer to write as well.
        group: whether frames share their statistics.
        window: over how many frames; None for all of them.
        phases: in how many phases of the networks' lattice each frame is stylized.
        rate: frames a second of a video made from pictures.
        weights: identity of the model, for scratch folders.
    """

    content: Path
    styles: tuple[Path, ...]
    output: Path
    settings: Settings
    resolution: int | None
    style_resolution: int | None
    shares: tuple[float, ...] | None
    content_mask: Path | None
    style_masks: tuple[str, ...] | None
    quality: int
    memory: int
    tile: int | None
    sample: int | None
    scratch: Path | None
    preview: Path | None
    deep_zoom: Path | None
    group: bool
    window: int | None
    phases: int
    rate: float | None
    weights: tuple[str | None, str | None]
