"""A picture that fits no memory, in parts."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from ift.command_line.extras import save_extras
from ift.command_line.request import Request
from ift.command_line.scratch_folder import scratch_folder
from ift.command_line.styles import load_styles
from ift.content_mask import Mask
from ift.errors import ImageError
from ift.images import LONGEST_SIDE, format_of
from ift.label_mask import load_labels
from ift.large.header import size_of
from ift.large.laying import lay_down
from ift.large.saving import save_large
from ift.large.vips import Progress as Rows
from ift.parts import Picture
from ift.parts.in_parts import stylize_in_parts
from ift.parts.memory import tile_within
from ift.parts.scratch import Scratch
from ift.parts.tour import Progress
from ift.raw_picture import RawPicture
from ift.steps import margins, steps_of
from ift.stylizer import Stylizer

_TOUR = "tour"
_TILE = "tile.json"


def stylize_large(request: Request, model: Stylizer) -> str:
    """Stylizes it; returns what to tell of it.

    Raises:
        IftError: something is wrong with the request or its files.
    """
    format_ = format_of(request.output.name)
    longest = LONGEST_SIDE.get(format_)
    if longest and max(size_of(request.content, request.resolution)) > longest:
        raise ImageError(f"{request.output}: {format_} holds at most {longest} pixels a side: use .tif")
    with scratch_folder(request.scratch, request.output) as folder:
        started = time.perf_counter()
        tile = _tile(request, model, folder)
        style = load_styles(request, model, folder)
        with _bar("reading", " rows") as bar:
            content = lay_down(request.content, folder / "content.raw", request.resolution, progress=_rows(bar))
        mask = None
        if request.content_mask is not None:
            mask = Mask(load_labels(request.content_mask).to(model.device), content.height, content.width)
        result = RawPicture(folder / "result.raw", content.height, content.width)
        if not result.path.exists():
            shutil.rmtree(folder / _TOUR, ignore_errors=True)  # what it knows as done is not there
        picture = Picture(content, result.create().write, mask)
        with megapixels(content.height * content.width) as progress:
            errors = stylize_in_parts(
                model, [picture], style, request.settings, Scratch(folder / _TOUR),
                tile=tile, sample=request.sample, identity=_identity(request), progress=progress,
                memory=request.memory,
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


def _tile(request: Request, model: Stylizer, folder: Path) -> int:
    """The side of the tiles; that of an earlier run with as much memory, for other tiles would be another tour.

    Raises:
        SettingsError: the memory is too little.
    """
    if request.tile is not None:
        return request.tile
    halo = margins(steps_of(request.settings), request.settings)[0]
    asked, known = [request.memory, halo, str(model.dtype), request.settings.method], folder / _TILE
    with suppress(OSError, ValueError):
        found = json.loads(known.read_bytes())
        if found["asked"] == json.loads(json.dumps(asked)):
            return int(found["tile"])
    tile = tile_within(request.memory, model, request.settings, halo)
    known.write_text(json.dumps({"asked": asked, "tile": tile}), encoding="utf-8")
    return tile


def _identity(request: Request) -> str:
    """All that decides the result beside settings and parts: the files, as they are now."""
    groups = (
        [request.content],
        request.styles,
        [request.content_mask] if request.content_mask else [],
        [Path(mask) for mask in request.style_masks or ()],
        [Path(file) for file in request.weights if file is not None],
    )
    known = [[_version(path) for path in files] for files in groups]
    return json.dumps([known, request.resolution, request.style_resolution, request.shares, request.weights])


def _version(path: Path) -> tuple[str, int | None, int | None]:
    """Of a file, or of a label that is given in place of one."""
    found = path.stat() if path.exists() else None
    return str(path.resolve()), found and found.st_size, found and found.st_mtime_ns
