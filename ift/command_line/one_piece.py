"""A picture in one piece."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from ift.box import Box
from ift.command_line.extras import save_extras
from ift.command_line.request import Request
from ift.command_line.styles import load_styles
from ift.images import format_of, load_image, save_image
from ift.label_mask import fit_labels, load_labels
from ift.nst import Progress
from ift.raw_picture import RawPicture
from ift.settings import Settings
from ift.stylizer import Stylizer


def stylize_picture(request: Request, model: Stylizer) -> str:
    """Stylizes it; returns what to tell of it.

    Raises:
        IftError: something is wrong with the request or its files.
    """
    format_of(request.output.name)
    picture = load_image(request.content, request.resolution)
    height, width = picture.shape[-2:]
    labels = None if request.content_mask is None else fit_labels(load_labels(request.content_mask), height, width)
    with TemporaryDirectory(prefix="ift-") as scratch:
        started = time.perf_counter()
        style = load_styles(request, model, Path(scratch))
        with _progress(request.settings) as progress:
            result = model.stylize(picture, style, settings=request.settings, labels=labels, progress=progress)
        save_image(result, request.output, request.quality)
        seconds = time.perf_counter() - started
        if request.preview or request.deep_zoom:
            raw = RawPicture(Path(scratch) / "result.raw", height, width).create()
            raw.write(Box(0, 0, height, width), result)
            save_extras(raw, request)
    return f"{request.output}: {width}×{height} in {seconds:.2f} s on {model.device}"


@contextmanager
def _progress(settings: Settings) -> Iterator[Progress | None]:
    """A bar for what takes minutes."""
    if "nst" not in settings.method:
        yield None
        return
    with tqdm(total=settings.nst_steps, unit=" steps") as bar:

        def show(step: int, objective: float) -> None:
            bar.set_postfix(objective=f"{objective:.4g}", refresh=False)
            bar.update(step - bar.n)

        yield show
