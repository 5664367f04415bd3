"""The figures of the model: against the authors' way, against AdaIN, and against what the hardware can do."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from ift import PRESETS, Settings, Stylizer
from ift.moments import Moments
from ift.settings import LEVELS
from ift.transformations.iterative import ift_map
from jobs.benchmark.bench import Bench
from jobs.benchmark.convolutions import BareConvolutions, MatrixProducts
from jobs.benchmark.deviations import by_deviations, deviations
from jobs.benchmark.figure import Figure, Grid, NotMeasurableError, Timed, timed
from jobs.benchmark.networks import Networks
from jobs.benchmark.pictures import painted, photos
from jobs.benchmark.published import ETA, GATE, LAMBDA, N_UPD, authors_cascade, authors_way, direct_loop

PUBLISHED: dict[str, Any] = {
    "strength": None,
    "lambda_": (LAMBDA,) * 4,
    "n_upd": N_UPD,
    "solver": "fixed_step",
    "eta": ETA,
    "centred": False,
    "gate": GATE,
}
"""Options with which the model does what `published` does."""

MATRIX_SIDES = (2048, 4096)

_PAINTINGS = ("starry", "stained_glass", "watercolour")


def transform_speedup(bench: Bench, resolution: int) -> Figure:
    """15 fixed steps at each level, in float32, by the loop on the features and in C×C space, on the same features."""
    model, settings = bench.float32, Settings.from_options(**PUBLISHED)
    target = model.style(bench.style_picture(resolution))
    x = bench.content(resolution).unsqueeze(0)
    rows: list[tuple[str, ...]] = []
    found: list[Timed] = []
    for level, name in enumerate(LEVELS, 1):
        with torch.inference_mode():
            x, _ = model.encoder.stage(level, x)
        style = target.pictures[0].moments[level - 1]
        # Each as it would have them: the model keeps channels last, the loop wants them first.
        direct = partial(direct_loop, x.contiguous(), style.second_moment[0])
        ours = partial(_through_the_matrix, x, style, level, settings)
        times = bench.alternate({f"loop, {name}": direct, f"C×C, {name}": ours}, part=(level - 1, 4))
        found += timed(times, resolution)
        with torch.inference_mode():
            difference = _relative(ours(), direct())
        slow, fast = (each.median for each in times.values())
        rows.append((name, f"{slow:.3f}", f"{fast:.4f}", f"{slow / fast:.1f}", f"{difference:.0e}"))
    slow, fast = (sum(each.times.median for each in found[start::2]) for start in (0, 1))
    rows.append(("all", f"{slow:.3f}", f"{fast:.4f}", f"{slow / fast:.1f}", ""))
    columns = ("level", "loop on features, s", "C×C, s", "ratio", "relative difference")
    title = f"{N_UPD} fixed steps at {resolution}×{resolution}, float32"
    return Figure(slow / fast, tuple(found), grids=(Grid(title, columns, tuple(rows)),))


def many_updates(bench: Bench, resolution: int) -> Figure:
    """150 updates over 15; beside it, 150 that are all carried out, as far as rounding lets them."""
    times = bench.alternate(
        {
            "15 updates": bench.ours(resolution),
            "150 updates": bench.ours(resolution, n_upd=150),
            "150 updates, tolerance 0": bench.ours(resolution, n_upd=150, tolerance=0.0),
        }
    )
    few, many, all_of_them = (each.median for each in times.values())
    extra = {f"updates_150_over_15_{resolution}_tolerance_0": all_of_them / few}
    return Figure(many / few, timed(times, resolution), extra)


def over_authors_way(bench: Bench, resolution: int) -> Figure:
    """The whole picture as the authors have it, single pass, the style encoded each time."""
    return _over(bench, resolution, "the authors' way", authors_way)


def over_authors_cascade(bench: Bench, resolution: int) -> Figure:
    """The four autoencoders the authors' way, over the model's own default form."""
    return _over(bench, resolution, "the authors' cascade", authors_cascade)


def over_bare_convolutions(bench: Bench, resolution: int) -> Figure:
    """The whole picture over its convolutions alone, in the same precision and memory format."""
    bare = BareConvolutions(bench.fast, resolution)
    times = bench.alternate({"ours": bench.ours(resolution), "convolutions": bare})
    return Figure(times["ours"].median / times["convolutions"].median, timed(times, resolution))


def convolutions_of_matmul_peak(bench: Bench, resolution: int, sides: Sequence[int] = MATRIX_SIDES) -> Figure:
    """FLOP/s of the bare convolutions over those of the best square matrix product of the same precision."""
    bare = BareConvolutions(bench.fast, resolution)
    products = {
        f"{side}×{side} products": MatrixProducts(side, bare.flop, bench.model.dtype, bench.device) for side in sides
    }
    times = bench.alternate({"convolutions": bare, **products})
    rate = bare.flop / times["convolutions"].median
    best = max(product.flop / times[name].median for name, product in products.items())
    extra = {"convolutions_tflop_per_s": rate / 1e12, "matmul_peak_tflop_per_s": best / 1e12}
    return Figure(rate / best, timed(times, resolution), extra)


def over_adain(bench: Bench, resolution: int, also: int) -> Figure:
    """15 updates over AdaIN; beside it, at another resolution, and over AdaIN by deviations alone.

    The model's own AdaIN takes the second moments that all methods take, of which it needs but the diagonal.
    """
    found: list[Timed] = []
    extra: dict[str, float] = {}
    for index, side in enumerate((resolution, also)):
        picture = bench.style_picture(side)
        bare = partial(by_deviations, bench.model, bench.content(side), deviations(bench.model, picture))
        calls: dict[str, Callable[[], object]] = {
            "ours": bench.ours(side),
            "adain": bench.ours(side, method="adain"),
            "adain, deviations alone": bare,
        }
        times = bench.alternate(calls, part=(index, 2))
        found += timed(times, side)
        ours, adain, alone = (each.median for each in times.values())
        extra |= {f"over_adain_{side}": ours / adain, f"over_adain_{side}_deviations_alone": ours / alone}
    return Figure(extra.pop(f"over_adain_{resolution}"), tuple(found), extra)


def psnr_of_bfloat16(bench: Bench, resolution: int, *, forced: bool) -> Figure:
    """Decibels between the pictures of the bfloat16 and of the float32 model: the mean over photos, the worse preset.

    Args:
        bench: see `Bench`.
        resolution: side of the photos in pixels.
        forced: also where the model does not use bfloat16 of its own accord.

    Raises:
        NotMeasurableError: it does not, and is not forced.
    """
    if bench.model.dtype != torch.bfloat16 and not forced:
        raise NotMeasurableError(
            f"the model runs in {str(bench.model.dtype).removeprefix('torch.')} here, so there is nothing to compare; "
            "--only psnr_bf16 compares all the same"
        )
    low = Stylizer.from_pretrained(device=bench.device, dtype=torch.bfloat16)
    contents = photos(resolution)
    works = [
        (preset, name, painting)
        for preset in PRESETS
        for name, painting in zip(contents, cycle(_PAINTINGS), strict=False)
    ]
    found: dict[str, list[float]] = {preset: [] for preset in PRESETS}
    for number, (preset, name, painting) in enumerate(works):
        bench.begin(f"{name}, {preset}", number / len(works))
        picture = painted(painting, resolution)
        results = [model.stylize(contents[name], model.style(picture), preset) for model in (low, bench.float32)]
        found[preset].append(psnr(*results))
    means = {preset: statistics.mean(values) for preset, values in found.items()}
    extra = {f"psnr_bf16_{preset}": mean for preset, mean in means.items()}
    return Figure(min(means.values()), extra=extra | {"psnr_bf16_worst_picture": min(map(min, found.values()))})


def psnr(one: Tensor, other: Tensor) -> float:
    """Decibels between two pictures in [0, 1]."""
    return float(-10 * torch.log10((one.double() - other.double()).square().mean()))


def _through_the_matrix(features: Tensor, style: Moments, level: int, settings: Settings) -> Tensor:
    return ift_map(Moments.of(features), style, level, settings)(features)


def _over(bench: Bench, resolution: int, name: str, theirs: Callable[[Networks, Tensor, Tensor], Tensor]) -> Figure:
    """How many times longer than ours theirs takes."""
    pictures = (bench.content(resolution).unsqueeze(0), bench.style_picture(resolution).unsqueeze(0))
    calls: dict[str, Callable[[], object]] = {name: partial(theirs, bench.plain, *pictures)}
    calls["ours"] = bench.ours(resolution)
    times = bench.alternate(calls)
    return Figure(times[name].median / times["ours"].median, timed(times, resolution))


def _relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())
