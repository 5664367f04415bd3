"""Pictures of growing size by the command line: seconds and memory a megapixel, and whether seams show."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ift.box import Box
from ift.large.header import size_of
from ift.large.laying import lay_down
from ift.large.saving import save_large
from ift.parts.grid import Pixels
from ift.raw_picture import RawPicture
from ift.tiling import parts_of
from jobs.benchmark.figure import Grid
from jobs.benchmark.memory import Sample, watched
from jobs.benchmark.pictures import photo
from jobs.demo.styles import STYLES
from jobs.errors import JobError

_POLL_S = 0.05
_STYLE = 512  # side in pixels
_BAND = 512  # rows that are made or looked at together


@dataclass(frozen=True)
class Run:
    """One picture by the command line.

    Attributes:
        megapixels: of the picture.
        tile: the longest side of its parts; None where it was one piece.
        seconds: of the whole command.
        gigabytes: resident at the most, of all its processes together.
        seams: gradient across the borders of tiles over that beside them, rows and columns together; None without.
    """

    megapixels: float
    tile: int | None
    seconds: float
    gigabytes: float
    seams: float | None

    @property
    def rate(self) -> float:
        """Seconds a megapixel."""
        return self.seconds / self.megapixels


def measure_large(sizes: Sequence[tuple[int, int]], memory: str, preset: str) -> Grid:
    """Stylizes a photo at each of some sizes in tiles within a memory budget, and the first one in one piece as well.

    Args:
        sizes: (width, height) in pixels.
        memory: for the command, such as 2.5GB.
        preset: of the model.

    Raises:
        JobError: a command failed.
    """
    with tempfile.TemporaryDirectory(prefix="ift-large-", dir=Path.cwd()) as name:
        folder = Path(name)
        style = folder / "style.png"
        Image.fromarray(next(iter(STYLES.values()))(_STYLE)).save(style)
        runs = []
        for number, size in enumerate(sizes):
            content = enlarged(folder / "content.tif", *size)
            if number == 0:
                runs.append(_run(content, style, folder, preset, "1TB"))
            runs.append(_run(content, style, folder, preset, memory))
    whole, *tiled = runs
    rows = tuple(
        (
            f"{run.megapixels:.1f} MP",
            "one piece" if run.tile is None else f"{run.tile}",
            f"{run.seconds:.1f}",
            f"{run.rate:.2f}",
            f"{run.rate / whole.rate:.2f}",
            f"{run.rate / tiled[0].rate:.2f}",
            f"{run.gigabytes:.2f}",
            "" if run.seams is None else f"{run.seams:.3f}",
        )
        for run in runs
    )
    heads = ("picture", "tiles", "s", "s/MP", "/ one piece", "/ least tiled", "peak GB", "seams")
    return Grid(f"Large pictures, {preset}, within {memory}", heads, rows)


def seams(result: Pixels, tile: int) -> float:
    """Mean gradient across the borders of tiles, over that a few pixels beside them: 1 where no seam shows.

    Args:
        result: a picture made in tiles.
        tile: their longest side, in pixels.
    """
    parts = parts_of(result.height, result.width, tile, halo=0)
    across, beside = [], []
    for edges, side in (({part.core.left for part in parts}, 1), ({part.core.top for part in parts}, 0)):
        for edge in sorted(edges - {0}):
            for start, length in _bands(result.height if side else result.width):
                at, of = (Box(start, edge - 8, length, 16), 2) if side else (Box(edge - 8, start, 16, length), 1)
                steps = result.read(at).diff(dim=of).abs().mean(dim=(0, 3 - of))
                across.append(float(steps[7]))
                beside.append(float(torch.cat([steps[2:6], steps[9:13]]).mean()))
    return float(np.mean(across) / np.mean(beside))


def _bands(side: int) -> Iterator[tuple[int, int]]:
    for start in range(0, side, _BAND):
        yield start, min(_BAND, side - start)


def enlarged(path: Path, width: int, height: int) -> Path:
    """A photo at this size, with fine grain so that it is as hard as one that is so large by itself; a tiled TIFF."""
    source = photo(1024).unsqueeze(0)
    raw = RawPicture(path.with_suffix(".raw"), height, width).create()
    grain = torch.Generator().manual_seed(0)
    xs = ((torch.arange(width) + 0.5) / width * 2 - 1).expand(1, 1, width)
    for start, length in _bands(height):
        ys = ((torch.arange(start, start + length) + 0.5) / height * 2 - 1).reshape(1, length, 1)
        grid = torch.stack([xs.expand(1, length, width), ys.expand(1, length, width)], -1)
        band = torch.nn.functional.grid_sample(source, grid, mode="bicubic", padding_mode="border", align_corners=False)
        noise = torch.randn((1, 3, length, width), generator=grain)
        raw.write(Box(start, 0, length, width), (band + 0.02 * noise)[0])
    save_large(raw, path)
    raw.path.unlink()
    return path


def _run(content: Path, style: Path, folder: Path, preset: str, memory: str) -> Run:
    output = folder / "result.tif"
    words = [
        sys.executable, "-m", "ift", str(content), str(style), "-o", str(output), "--resolution", "0",
        "--style-resolution", str(_STYLE), "--preset", preset, "--memory", memory,
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 (our own command)
    samples: list[Sample] = []
    with watched(process.pid, _POLL_S, samples.append):
        told, _ = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise JobError(f"the command failed: {' '.join(words)}")
    tile = int(told.split("in tiles of ")[1].split()[0]) if "in tiles of" in told else None
    height, width = size_of(content)
    found = None
    if tile is not None:
        laid = lay_down(output, folder / "result.raw")
        found = seams(laid, tile)
        laid.path.unlink()
    return Run(height * width / 1e6, tile, seconds, max(sample.bytes for sample in samples) / 1e9, found)
