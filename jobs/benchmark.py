"""Measurements on the machine at hand, as ratios in one run: the transformation's two forms, and the methods."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ift import Settings, Stylizer
from ift.moments import Moments
from ift.settings import LEVELS, METHODS
from ift.stopwatch import Stopwatch
from ift.transformations.iterative import ift_map
from jobs.demo.styles import STYLES

N_UPD = 15
LAMBDA = 1.0
ETA = 0.01
"""λ and η at which the published loop does not diverge; how long an update takes does not depend on them."""


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.command()
def transform(
    resolution: Annotated[int, typer.Option(help="Side of the square picture in pixels, a multiple of 8.")] = 1024,
    repetitions: Annotated[int, typer.Option(help="Alternations; medians are printed.")] = 5,
) -> None:
    """Times 15 updates at each level, by the published loop and in C×C space, on the same features."""
    model = Stylizer.from_pretrained(dtype=torch.float32)
    settings = Settings(strength=None, lambda_=(LAMBDA,) * 4, solver="fixed_step", eta=ETA, centred=False)
    content, style = (_painted(name, resolution) for name in ("blue_hour", "starry"))
    target = model.style(style)
    table = Table(title=f"{N_UPD} updates at {resolution}×{resolution}, float32, {torch.get_num_threads()} CPU threads")
    for column in ("level", "loop on features, s", "C×C, s", "ratio", "relative difference"):
        table.add_column(column, justify="right")
    x, sums = content.unsqueeze(0).to(model.device), [0.0, 0.0]
    with torch.inference_mode():
        for level, name in enumerate(LEVELS, 1):
            x, _ = model.encoder.stage(level, x)
            S, features = target.pictures[0].moments[level - 1], x
            direct, ours = _alternate(
                lambda: _published_loop(features, S.second_moment[0]),  # noqa: B023 (called at once)
                lambda: ift_map(Moments.of(features), S, level, settings)(features),  # noqa: B023
                repetitions,
            )
            difference = _relative(
                ift_map(Moments.of(x), S, level, settings)(x), _published_loop(x, S.second_moment[0])
            )
            table.add_row(name, f"{direct:.3f}", f"{ours:.3f}", f"{direct / ours:.1f}", f"{difference:.0e}")
            sums = [sums[0] + direct, sums[1] + ours]
    table.add_section()
    table.add_row("all", f"{sums[0]:.3f}", f"{sums[1]:.3f}", f"{sums[0] / sums[1]:.1f}", "")
    Console().print(table)


@app.command()
def methods(
    resolution: Annotated[int, typer.Option(help="Side of the square picture in pixels.")] = 512,
    repetitions: Annotated[int, typer.Option(help="Alternations; medians are printed.")] = 5,
    nst_steps: Annotated[int, typer.Option(help="Steps of NST, which is timed once; 0 to leave it out.")] = 5,
) -> None:
    """Times the stylization of a picture by every method, its style known, as ratios to IFT."""
    model = Stylizer.from_pretrained()
    content, picture = (_painted(name, resolution) for name in ("blue_hour", "starry"))
    style = model.style(picture, patches=True)
    clocks = {name: Stopwatch(model.device) for name in METHODS if name != "nst"}
    totals: dict[str, list[float]] = {name: [] for name in clocks}
    for repetition in range(repetitions + 1):
        for name, clock in clocks.items():
            started = time.perf_counter()
            model.stylize(content, style, method=name, stopwatch=clock if repetition else None)
            totals[name].append(time.perf_counter() - started)
    seconds = {name: statistics.median(times[1:]) for name, times in totals.items()}
    if nst_steps:
        started = time.perf_counter()
        model.stylize(content, style, method="nst", nst_steps=nst_steps)
        seconds["nst"] = time.perf_counter() - started
    table = Table(title=f"{resolution}×{resolution}, {model.dtype}, {torch.get_num_threads()} CPU threads")
    for column in ("method", "picture, s", "ratio to ift", "transformation, s", "ratio to ift"):
        table.add_column(column, justify="right")
    inside = {name: clock.seconds["transform"] / repetitions for name, clock in clocks.items()}
    for name, total in seconds.items():
        label = f"nst, {nst_steps} steps" if name == "nst" else name
        within = [f"{inside[name]:.3f}", f"{inside[name] / inside['ift']:.2f}"] if name in inside else ["", ""]
        table.add_row(label, f"{total:.3f}", f"{total / seconds['ift']:.2f}", *within)
    Console().print(table)


def _painted(name: str, size: int) -> Tensor:
    return torch.from_numpy(STYLES[name](size)).permute(2, 0, 1).float() / 255


def _published_loop(features: Tensor, style: Tensor) -> Tensor:
    """F ← F − η dl/dF on the features themselves (eq. 2)."""
    X = features[0].flatten(1)
    n, F = X.shape[1], X.clone()
    for _ in range(N_UPD):
        F = F - ETA * (2 * (F - X) + (4 * LAMBDA / n) * (F @ F.mT / n - style) @ F)
    return F.reshape_as(features)


def _alternate(a: Callable[[], object], b: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Median seconds of each, measured in turn after a warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repetitions + 1):
        for call, seconds in zip((a, b), times, strict=True):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def _relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


if __name__ == "__main__":
    app()
