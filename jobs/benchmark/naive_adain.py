"""AdaIN one picture at a time, as scripts for whole datasets have it: `python -m jobs.benchmark.naive_adain`.

Both pictures are opened, scaled and encoded for every pair, in float32 and PyTorch's default memory format. It runs in
a process of its own, whose allocator is PyTorch's: nothing tells it to keep its memory.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torch import Tensor

from jobs.benchmark.networks import Networks

_LEVELS = (1, 2, 3, 4)


def main(
    contents: Annotated[Path, typer.Argument(help="Folder of JPEGs.")],
    styles: Annotated[Path, typer.Argument(help="Folder of JPEGs.")],
    output: Annotated[Path, typer.Argument(help="Folder for the results.")],
    pairs: Annotated[int, typer.Option(help="Pictures to make.")] = 24,
    resolution: Annotated[int, typer.Option(help="Longer side in pixels, a multiple of 8.")] = 512,
    device: Annotated[str, typer.Option(help="Where to compute.")] = "cpu",
) -> None:
    """Stylizes contents × styles, and prints the seconds of each pair as JSON."""
    networks = Networks.load(device)
    output.mkdir(parents=True, exist_ok=True)
    crossed = [(content, style) for content in sorted(contents.iterdir()) for style in sorted(styles.iterdir())]
    seconds = []
    for content, style in crossed[:pairs]:
        started = time.perf_counter()
        with torch.inference_mode():
            result = adain(networks, _read(content, resolution).to(device), _read(style, resolution).to(device))
        pixels = result[0].permute(1, 2, 0).mul(255).round().byte().cpu().numpy()
        Image.fromarray(pixels).save(output / f"{content.stem}_{style.stem}.jpg", quality=95)
        seconds.append(time.perf_counter() - started)
    typer.echo(json.dumps(seconds))


def adain(networks: Networks, content: Tensor, style: Tensor) -> Tensor:
    """Encodes both, gives the content's channels at relu4_1 the style's mean and deviation, and decodes.

    Args:
        networks: to encode and decode with.
        content: (1, 3, H, W) in [0, 1], H and W multiples of 8.
        style: the same, of any such size.
    """
    for level in _LEVELS:
        content, style = networks.encode(level, content), networks.encode(level, style)
    mean_c, std_c = _statistics(content)
    mean_s, std_s = _statistics(style)
    x = (content - mean_c) / std_c * std_s + mean_s
    for level in reversed(_LEVELS):
        x = networks.decode(level, x)
    return x.clamp(0, 1)


def _statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    return features.mean((2, 3), keepdim=True), (features.var((2, 3), keepdim=True) + 1e-5).sqrt()


def _read(path: Path, resolution: int) -> Tensor:
    with Image.open(path) as file:
        image = file.convert("RGB").resize((resolution, resolution), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float().div(255).unsqueeze(0)


if __name__ == "__main__":
    typer.run(main)
