"""The supplement's Table 1: seconds of a picture by resolution, n_upd 15, n_iter 1."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from jobs.benchmark.bench import Bench
from jobs.benchmark.figure import Figure, Grid, Table1Row, Timed, timed
from jobs.benchmark.published import GATE, N_UPD
from jobs.benchmark.timing import Stages

PAPER_SECONDS = {256: 0.13, 512: 0.31, 768: 0.62, 1024: 0.92}
"""The paper's, on a GPU, by resolution."""

STAGES = ("encoder", "transform", "decoder")


def table1(bench: Bench, paper: Mapping[int, float] = PAPER_SECONDS) -> Figure:
    """Ours over the paper's at its worst resolution, the style known; with the style encoded too beside it."""
    rows: list[Table1Row] = []
    found: list[Timed] = []
    for index, (resolution, seconds) in enumerate(paper.items()):
        row, times = _row(bench, resolution, seconds, (index, len(paper)))
        rows.append(row)
        found += times
    with_style = max(row.with_style / row.paper for row in rows)
    return Figure(
        max(row.ours / row.paper for row in rows),
        tuple(found),
        {"table1_worst_ratio_with_style": with_style},
        (_grid(rows),),
        tuple(rows),
    )


def _row(bench: Bench, resolution: int, paper: float, part: tuple[int, int]) -> tuple[Table1Row, tuple[Timed, ...]]:
    content, picture = bench.content(resolution), bench.style_picture(resolution)
    stages = Stages(bench.device)

    def with_style() -> Tensor:
        return bench.model.stylize(content, bench.model.style(picture), n_upd=N_UPD, n_iter=1, gate=GATE)

    style = bench.style(resolution)

    def in_stages() -> Tensor:
        return bench.model.stylize(content, style, n_upd=N_UPD, n_iter=1, gate=GATE, stopwatch=stages.stopwatch())

    calls = {
        "style known": bench.ours(resolution, n_iter=1),
        "style encoded too": with_style,
        "style known, in stages": in_stages,
    }
    times = bench.alternate(calls, part=part)
    inside = stages.medians()
    other = max(0.0, times["style known, in stages"].median - sum(inside.values()))
    row = Table1Row(
        resolution, paper, times["style known"].median, times["style encoded too"].median, other=other, **inside
    )
    return row, timed(times, resolution)


def _grid(rows: list[Table1Row]) -> Grid:
    columns = ("resolution", "paper, GPU, s", "ours, s", "ours / paper", "with the style, s", "ours / paper", *STAGES)
    return Grid(
        f"Table 1 of the supplement: n_upd {N_UPD}, n_iter 1, {torch.get_num_threads()} CPU threads",
        (*columns, "other"),
        tuple(
            (
                f"{row.resolution}×{row.resolution}",
                f"{row.paper:.2f}",
                f"{row.ours:.3f}",
                f"{row.ours / row.paper:.2f}",
                f"{row.with_style:.3f}",
                f"{row.with_style / row.paper:.2f}",
                *(f"{part:.3f}" for part in (row.encoder, row.transform, row.decoder, row.other)),
            )
            for row in rows
        ),
    )
