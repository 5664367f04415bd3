"""A picture that fits no memory, in parts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from ift.allocator import MemoryLimit, resident_bytes
from ift.command_line.extras import save_extras
from ift.command_line.request import Request
from ift.command_line.scratch_folder import scratch_folder
from ift.command_line.styles import load_styles
from ift.content_mask import Mask
from ift.images import format_of
from ift.label_mask import load_labels
from ift.large.laying import lay_down
from ift.large.saving import save_large
from ift.large.vips import Progress as Rows
from ift.parts import Picture
from ift.parts.in_parts import journey_of, stylize_in_parts
from ift.parts.memory import tile_within
from ift.parts.scratch import Scratch
from ift.parts.tour import Progress
from ift.raw_picture import RawPicture
from ift.stylizer import Stylizer


def stylize_large(request: Request, model: Stylizer) -> str:
    """Stylizes it; returns what to tell of it.

    Raises:
        IftError: something is wrong with the request or its files.
    """
    format_of(request.output.name)
    with scratch_folder(request.scratch, request.output) as folder:
        started = time.perf_counter()
        style = load_styles(request, model, folder)
        with _bar("reading", " rows") as bar:
            content = lay_down(request.content, folder / "content.raw", request.resolution, progress=_rows(bar))
        mask = None
        if request.content_mask is not None:
            mask = Mask(load_labels(request.content_mask), content.height, content.width)
        result = RawPicture(folder / "result.raw", content.height, content.width).create()
        picture = Picture(content, result.write, mask)
        halo = journey_of(model, [picture], style, request.settings).halo
        tile = request.tile or tile_within(request.memory, model, request.settings, halo)
        with megapixels(content.height * content.width) as progress:
            errors = stylize_in_parts(
                model, [picture], style, request.settings, Scratch(folder / "tour"),
                tile=tile, sample=request.sample, identity=_identity(request), progress=progress,
                memory=MemoryLimit(max(request.memory - resident_bytes(), 0) // 2),
            )  # fmt: skip
        with _bar("writing", " rows") as bar:
            save_large(result, request.output, request.quality, progress=_rows(bar))
        save_extras(result, request)
    seconds = time.perf_counter() - started
    told = f"{request.output}: {content.width}×{content.height} in tiles of {tile} in {seconds:.0f} s on {model.device}"
    if errors:
        told += "; statistics off by " + ", ".join(f"{error:.2%} at {name}" for name, error in errors.items())
    return told


@contextmanager
def megapixels(pixels: int) -> Iterator[Progress]:
    """A bar of the work on so many pixels, with its rate and the time left."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} MP [{elapsed}<{remaining}, {rate_fmt}]"
    with tqdm(total=pixels / 1e6, unit="MP", desc="stylizing", bar_format=form, smoothing=0.05) as bar:

        def show(done: float) -> None:
            bar.update(min(done, bar.total - bar.n))

        yield show


@contextmanager
def _bar(what: str, unit: str) -> Iterator[tqdm]:
    with tqdm(desc=what, unit=unit, leave=False) as bar:
        yield bar


def _rows(bar: tqdm) -> Rows:
    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show


def _identity(request: Request) -> str:
    """All that decides the result beside settings and parts: the files, as they are now."""
    masks = [Path(mask) for mask in request.style_masks or ()]
    files = [request.content, *request.styles, *([request.content_mask] if request.content_mask else []), *masks]
    stats = [(str(path.resolve()), path.stat() if path.exists() else None) for path in files]
    known = [(name, stat and (stat.st_size, stat.st_mtime_ns)) for name, stat in stats]
    return json.dumps([known, request.resolution, request.style_resolution, request.shares, request.weights])
