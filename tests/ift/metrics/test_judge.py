import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from ift import SettingsError, Stylizer
from ift.metrics import METRICS, Judge

STYLE = [name for name, metric in METRICS.items() if metric.group == "style"]


@pytest.fixture(scope="module")
def judge(model):
    return Judge(model)


@pytest.fixture(scope="module")
def cat(photo):
    return photo("skimage", "chelsea.png")


@pytest.fixture(scope="module")
def coffee(photo):
    return photo("skimage", "coffee.png", 120, 104)


@pytest.fixture(scope="module")
def flower(photo):
    return photo("sklearn", "flower.jpg", 120, 104)


def _numbers(metrics):
    return {name: value for name, value in metrics.items() if value is not None}


def test_every_metric_has_a_value_in_the_tables_order(judge, model, cat, coffee):
    result = model.stylize(cat, model.style(coffee))
    judgement = judge.judge(judge.describe(cat, content=True), [judge.describe(coffee)], None, result)
    assert list(judgement.metrics) == list(METRICS)
    missing = {name for name, value in judgement.metrics.items() if value is None}
    assert missing == set(judge.missing)
    assert all(math.isfinite(value) for value in judgement.metrics.values() if value is not None)
    assert judgement.ruin is None
    assert (judgement.descriptor.shape, judgement.descriptor.dtype) == ((512,), torch.float32)


def test_the_content_itself_keeps_all_content_and_the_style_itself_all_style(judge, cat, coffee):
    content, style = judge.describe(cat, content=True), judge.describe(coffee)
    same = judge.judge(content, [style], None, cat).metrics
    for name, expected in {"ssim": 1, "ms_ssim": 1, "edge_ssim": 1, "sharpness": 1}.items():
        assert same[name] == pytest.approx(expected, abs=1e-6)
    for name in ("content_distance", "colour_change", "saturated", "flat"):
        assert same[name] == pytest.approx(0, abs=1e-3)
    assert same["gram_distance"] > 0.1
    reached = judge.judge(judge.describe(coffee, content=True), [style], None, coffee)
    for name in [*STYLE, "colour_distance"]:
        assert reached.metrics[name] == pytest.approx(0, abs=1e-3)
    torch.testing.assert_close(reached.descriptor, style.descriptor)


def test_stylizing_trades_content_for_style(judge, model, photo):
    cup, face = photo("skimage", "coffee.png"), photo("skimage", "astronaut.png")
    content, style = judge.describe(cup, content=True), judge.describe(face)
    path = [
        judge.judge(content, [style], None, model.stylize(cup, model.style(face), strength=strength)).metrics
        for strength in (0.01, 0.3, 10)
    ]
    for name in ("gram_distance", "mean_std_distance", "feature_frechet", "colour_distance"):
        assert path[0][name] > path[1][name] > path[2][name]
    for name in ("ssim", "ms_ssim"):
        assert path[0][name] > path[1][name] > path[2][name]
    assert path[0]["content_distance"] < path[1]["content_distance"] < path[2]["content_distance"]


def _features(model, picture):
    x, features = picture[None], []
    for level in (1, 2, 3, 4):
        x, _ = model.encoder.stage(level, x)
        features.append(x[0].flatten(1).double().numpy())
    return features


def test_style_metrics_are_what_numpy_makes_of_the_features(judge, model, cat, coffee):
    metrics = judge.judge(judge.describe(cat, content=True), [judge.describe(coffee)], None, cat.flip(-1)).metrics
    grams, mean_stds = [], []
    for ours, wanted in zip(_features(model, cat.flip(-1)), _features(model, coffee), strict=True):
        gram, wanted_gram = (x @ x.T / x.shape[1] for x in (ours, wanted))
        grams.append(np.linalg.norm(gram - wanted_gram) / np.linalg.norm(wanted_gram))
        stds, wanted_stds = (np.concatenate([x.mean(1), x.std(1)]) for x in (ours, wanted))
        mean_stds.append(np.linalg.norm(stds - wanted_stds) / np.linalg.norm(wanted_stds))
    assert [metrics[f"gram_relu{level}_1"] for level in (1, 2, 3, 4)] == pytest.approx(grams, rel=1e-3)
    assert metrics["gram_distance"] == pytest.approx(np.mean(grams), rel=1e-3)
    assert metrics["mean_std_distance"] == pytest.approx(np.mean(mean_stds), rel=1e-3)


def test_several_styles_are_the_mixture_of_their_pixels(judge, model, cat, coffee, flower):
    content = judge.describe(cat, content=True)
    styles = [judge.describe(coffee), judge.describe(flower)]
    both = judge.judge(content, styles, [3, 1], cat).metrics
    grams = []
    for ours, first, second in zip(*(_features(model, picture) for picture in (cat, coffee, flower)), strict=True):
        wanted = np.concatenate([first, first, first, second], 1)  # the two have one size
        gram, wanted_gram = (x @ x.T / x.shape[1] for x in (ours, wanted))
        grams.append(np.linalg.norm(gram - wanted_gram) / np.linalg.norm(wanted_gram))
    assert both["gram_distance"] == pytest.approx(np.mean(grams), rel=1e-3)
    alone = judge.judge(content, styles[:1], None, cat).metrics
    first = judge.judge(content, styles, [2, 0], cat).metrics
    assert _numbers(first) == pytest.approx(_numbers(alone), rel=1e-4)
    assert judge.judge(content, styles, None, cat).metrics == judge.judge(content, styles, [0.2, 0.2], cat).metrics


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (7, 9), (33, 500)])
def test_any_size_goes(judge, coffee, size):
    content, result = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    judgement = judge.judge(judge.describe(content, content=True), [judge.describe(coffee)], None, result)
    undefined = {"sharpness"} if size == (1, 1) else set()
    missing = {name for name, value in judgement.metrics.items() if value is None}
    assert missing - {"lpips"} == undefined


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_result_that_is_not_finite_has_no_metrics(judge, cat, coffee, bad):
    result = cat.clone()
    result[1, 5, 7] = bad
    judgement = judge.judge(judge.describe(cat, content=True), [judge.describe(coffee)], None, result)
    assert judgement.ruin == "not finite"
    assert judgement.metrics == dict.fromkeys(METRICS)
    assert judgement.descriptor is None
    with pytest.raises(SettingsError, match="NaN or infinity"):
        judge.describe(result)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_pictures_of_one_colour_give_finite_figures_or_none(judge, coffee, value):
    plain = judge.describe(torch.full((3, 64, 64), value), content=True)
    for content, style, picture in [
        (plain, judge.describe(coffee), coffee[:, :64, :64]),
        (plain, plain, plain.picture),
    ]:
        metrics = judge.judge(content, [style], None, picture).metrics
        assert all(value is None or math.isfinite(value) for value in metrics.values())
        assert metrics["sharpness"] is None


def test_a_black_result_is_called_so_and_still_measured(judge, cat, coffee):
    judgement = judge.judge(judge.describe(cat, content=True), [judge.describe(coffee)], None, torch.zeros_like(cat))
    assert judgement.ruin == "black"
    assert judgement.metrics["saturated"] > 0.9
    assert judgement.metrics["brightness"] == 0
    assert judgement.metrics["ssim"] < 0.2


def test_what_does_not_fit_is_refused_with_the_way_out(judge, cat, coffee):
    content, style = judge.describe(cat, content=True), judge.describe(coffee)
    with pytest.raises(SettingsError, match="104×120, its content 128×96: resize the content"):
        judge.judge(content, [style], None, coffee)
    with pytest.raises(SettingsError, match="content=True"):
        judge.judge(style, [style], None, coffee)
    for styles, weights in [([], None), ([style], [1, 2]), ([style, style], [0, 0]), ([style], [math.nan])]:
        with pytest.raises(SettingsError, match="need as many weights"):
            judge.judge(content, styles, weights, cat)
    for picture in (torch.rand(1, 3, 8, 8), torch.rand(4, 8, 8), torch.rand(3, 0, 8), torch.ones(3, 8, 8).byte()):
        with pytest.raises(SettingsError, match="give \\(3, H, W\\)"):
            judge.describe(picture)


def test_judging_from_several_threads_gives_the_same(judge, cat, coffee):
    content, style = judge.describe(cat, content=True), judge.describe(coffee)
    results = [cat.roll(shift, -1) for shift in (0, 10, 20, 30)]
    alone = [judge.judge(content, [style], None, result).metrics for result in results]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda result: judge.judge(content, [style], None, result).metrics, results)
        assert list(together) == alone


def test_bfloat16_networks_give_nearly_the_figures_of_float32(judge, model, cat, coffee):
    half = Judge(Stylizer.from_pretrained(device="cpu", dtype=torch.bfloat16))
    result = model.stylize(cat, model.style(coffee))
    exact, rough = (
        each.judge(each.describe(cat, content=True), [each.describe(coffee)], None, result).metrics
        for each in (judge, half)
    )
    assert _numbers(rough) == pytest.approx(_numbers(exact), rel=0.02)


def test_the_table_of_metrics_is_there_without_pytorch():
    code = "import sys, ift.metrics as m; assert 'ssim' in m.METRICS; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
