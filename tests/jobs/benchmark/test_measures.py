"""Every measurement, on pictures of 64 pixels: what it gives hangs together, whatever the ratios are."""

from functools import partial

import pytest
import torch

from jobs.benchmark import model_keys
from jobs.benchmark.bench import Bench
from jobs.benchmark.deviations import by_deviations, deviations
from jobs.benchmark.figure import NotMeasurableError
from jobs.benchmark.job_keys import JobBench
from jobs.benchmark.keys import KEYS
from jobs.benchmark.measure import measures
from jobs.benchmark.profile import profile_picture
from jobs.benchmark.table1 import STAGES, table1

SIDE = 64

MODEL = {
    "transform": (partial(model_keys.transform_speedup, resolution=SIDE), 8),
    "updates": (partial(model_keys.many_updates, resolution=SIDE), 3),
    "way": (partial(model_keys.over_authors_way, resolution=SIDE), 2),
    "cascade": (partial(model_keys.over_authors_cascade, resolution=SIDE), 2),
    "bare": (partial(model_keys.over_bare_convolutions, resolution=SIDE), 2),
    "peak": (partial(model_keys.convolutions_of_matmul_peak, resolution=SIDE, sides=(64, 128)), 3),
    "adain": (partial(model_keys.over_adain, resolution=SIDE, also=72), 6),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL)
def test_a_ratio_and_what_it_was_made_of(bench, name):
    measure, timed = MODEL[name]
    shares = []
    bench.begin = lambda what, share: shares.append(share)
    figure = measure(bench)
    assert figure.value > 0 and len(figure.timed) == timed
    assert all(len(each.times.seconds) == 1 and each.times.median > 0 for each in figure.timed)
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] < 1


@pytest.mark.slow
def test_the_two_forms_of_the_updates_agree_at_every_level(bench):
    (grid,) = model_keys.transform_speedup(bench, SIDE).grids
    levels = {row[0]: row[-1] for row in grid.rows}
    assert all(float(levels[f"relu{level}_1"]) < 1e-4 for level in (1, 2, 3, 4))
    fast, slow = (sum(float(row[column]) for row in grid.rows[:4]) for column in (2, 1))
    assert float(grid.rows[4][3]) == pytest.approx(slow / fast, rel=0.2, abs=0.1)


def test_adain_by_deviations_alone_is_the_models_adain(bench):
    model, content, picture = bench.float32, bench.content(SIDE), bench.style_picture(SIDE)
    with torch.inference_mode():
        (result,) = by_deviations(model, content, deviations(model, picture))
    expected = model.stylize(content, model.style(picture), method="adain", gate=0)
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-3)


def test_a_profile_adds_up(bench):
    stages, operators = profile_picture(bench, SIDE, "photo")
    assert {row[0] for row in stages.rows} == {*STAGES, "all"}
    assert any("conv" in row[0] for row in operators.rows)
    for grid in (stages, operators):
        *rows, total = grid.rows
        assert sum(float(row[1]) for row in rows) == pytest.approx(float(total[1]), abs=0.1 * len(rows))


@pytest.mark.slow
def test_table1_is_ours_over_the_papers_at_its_worst(bench):
    figure = table1(bench, {SIDE: 0.1, 96: 1e-3})
    assert [row.resolution for row in figure.table1] == [SIDE, 96]
    assert figure.value == pytest.approx(figure.table1[1].ours / 1e-3)
    assert figure.extra["table1_worst_ratio_with_style"] == pytest.approx(figure.table1[1].with_style / 1e-3)
    assert all(getattr(row, stage) > 0 for row in figure.table1 for stage in STAGES)


@pytest.mark.slow
def test_bfloat16_is_compared_with_float32(bench):
    figure = model_keys.psnr_of_bfloat16(bench, SIDE, forced=True)
    assert figure.value == min(figure.extra["psnr_bf16_artistic"], figure.extra["psnr_bf16_photo"])
    assert figure.extra["psnr_bf16_worst_picture"] <= figure.value
    assert 20 < figure.value < 100


def test_where_float32_is_used_anyway_there_is_nothing_to_compare():
    session = Bench("cpu", 1, 2)
    session.model = session.float32
    with pytest.raises(NotMeasurableError, match="--only psnr_bf16"):
        model_keys.psnr_of_bfloat16(session, SIDE, forced=False)


def test_psnr_of_a_known_error():
    picture = torch.full((3, 8, 8), 0.5)
    assert model_keys.psnr(picture, picture + 0.01) == pytest.approx(40, abs=1e-3)


def test_every_key_is_measured_by_something(bench):
    with measures(bench) as by_name:
        assert list(by_name) == [key.name for key in KEYS]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_job_locally_and_on_s3_and_the_script(bench, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    job = JobBench(bench, tmp_path, SIDE)
    local, s3, naive = job.local(), job.s3(), job.over_naive_adain(pairs=3)
    for place, figure in (("local", local), ("s3", s3)):
        bare, steady, whole = figure.timed
        assert figure.value == pytest.approx(bare.times.median / steady.times.median)
        assert 0 < steady.times.median < whole.times.median
        assert figure.extra[f"job_{place}_steady_pairs_per_s"] == pytest.approx(1 / steady.times.median)
    assert naive.timed[:3] == local.timed  # of one run
    script = naive.timed[-1].times
    assert len(script.seconds) == 3 and naive.value == pytest.approx(script.median / local.timed[1].times.median)
    assert len(list((tmp_path / "run" / "images").rglob("*.jpg"))) == bench.pairs
    assert len(list((tmp_path / "naive").glob("*.jpg"))) == 3
