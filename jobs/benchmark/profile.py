"""Where each millisecond of a picture goes: by stage, and by PyTorch's operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from jobs.benchmark.bench import Bench
from jobs.benchmark.figure import Grid
from jobs.benchmark.published import N_UPD
from jobs.benchmark.timing import Stages

_OPERATORS = 14


def profile_picture(bench: Bench, resolution: int, preset: str) -> list[Grid]:
    """Profiles the stylization of a picture, its style known.

    Args:
        bench: see `Bench`.
        resolution: side of the square picture in pixels.
        preset: a name in `ift.PRESETS`.

    Returns:
        Milliseconds and shares by stage, and by operator, of which the smallest are added up.
    """
    stages = Stages(bench.device)
    content, style = bench.content(resolution), bench.style(resolution)

    def picture() -> Tensor:
        return bench.model.stylize(content, style, preset, n_upd=N_UPD, stopwatch=stages.stopwatch())

    bench.alternate({"ours": picture})
    times = [(name, 1000 * seconds) for name, seconds in stages.medians().items()]
    what = f"{preset}, {resolution}×{resolution}, {bench.model.dtype}, {torch.get_num_threads()} CPU threads"
    by_stage = Grid(f"By stage: {what}", ("stage", "ms", "share"), _shared(times))
    return [by_stage, Grid(f"By operator: {what}", ("operator", "ms", "share"), _shared(_operators(bench, picture)))]


def _operators(bench: Bench, picture: Callable[[], Tensor]) -> list[tuple[str, float]]:
    on_gpu = bench.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with torch.inference_mode(), profile(activities=activities) as run:
        for _ in range(bench.repetitions):
            picture()
    times = [
        (f"{event.key} ({event.count / bench.repetitions:.0f}×)", _self_ms(event, on_gpu) / bench.repetitions)
        for event in run.key_averages()
    ]
    times.sort(key=lambda each: -each[1])
    return [*times[:_OPERATORS], ("all others", sum(ms for _, ms in times[_OPERATORS:]))]


def _self_ms(event: object, on_gpu: bool) -> float:
    microseconds: float = getattr(event, "self_device_time_total" if on_gpu else "self_cpu_time_total")
    return microseconds / 1000


def _shared(times: Sequence[tuple[str, float]]) -> tuple[tuple[str, ...], ...]:
    total = sum(ms for _, ms in times)
    rows = [(name, f"{ms:.1f}", f"{100 * ms / total:.1f} %") for name, ms in times]
    return (*rows, ("all", f"{total:.1f}", "100 %"))
