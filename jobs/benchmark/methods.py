"""Seconds of a picture by every method, as ratios to IFT."""

from __future__ import annotations

import time
from functools import partial

import torch

from ift import METHODS, Stylizer
from jobs.benchmark.figure import Grid
from jobs.benchmark.pictures import painted
from jobs.benchmark.timing import Stages, alternate


def compare_methods(resolution: int, repetitions: int, nst_steps: int) -> Grid:
    """Times the stylization of a picture by every method, its style known.

    Args:
        resolution: side of the square picture in pixels.
        repetitions: alternations; medians are given.
        nst_steps: of NST, which is timed once; 0 to leave it out.
    """
    model = Stylizer.from_pretrained()
    content = painted("blue_hour", resolution)
    style = model.style(painted("starry", resolution), patches=True)
    stages = {name: Stages(model.device) for name in METHODS if name != "nst"}

    def stylize(name: str) -> None:
        model.stylize(content, style, method=name, stopwatch=stages[name].stopwatch())

    times = alternate({name: partial(stylize, name) for name in stages}, repetitions, model.device)
    whole = {name: each.median for name, each in times.items()}
    inside = {name: each.medians()["transform"] for name, each in stages.items()}
    if nst_steps:
        started = time.perf_counter()
        model.stylize(content, style, method="nst", nst_steps=nst_steps)
        whole["nst"] = time.perf_counter() - started
    rows = []
    for name, total in whole.items():
        label = f"nst, {nst_steps} steps" if name == "nst" else name
        within = (f"{inside[name]:.3f}", f"{inside[name] / inside['ift']:.2f}") if name in inside else ("", "")
        rows.append((label, f"{total:.3f}", f"{total / whole['ift']:.2f}", *within))
    return Grid(
        f"{resolution}×{resolution}, {model.dtype}, {torch.get_num_threads()} CPU threads",
        ("method", "picture, s", "ratio to ift", "transformation, s", "ratio to ift"),
        tuple(rows),
    )
