"""The baselines do what they are said to do: they are compared with the model, whose own tests are elsewhere."""

import pytest
import torch

from jobs.benchmark.model_keys import PUBLISHED, psnr
from jobs.benchmark.naive_adain import adain
from jobs.benchmark.published import authors_cascade, authors_way

SIDE = 64


@pytest.fixture(scope="module")
def pictures(bench):
    return bench.content(SIDE).unsqueeze(0), bench.style_picture(SIDE).unsqueeze(0)


@pytest.mark.parametrize(("theirs", "form"), [(authors_way, "single_pass"), (authors_cascade, "cascade")])
def test_the_authors_way_gives_the_picture_of_the_published_settings(bench, pictures, theirs, form):
    content, style = pictures
    with torch.inference_mode():
        found = theirs(bench.plain, content, style)
        expected = bench.float32.stylize(content, bench.float32.style(style[0]), form=form, **PUBLISHED)
        assert found.shape == content.shape
        assert (found - expected).abs().max() < 2e-3
        assert (found - content).abs().mean() > 0.02  # it is no copy of the content


def test_the_script_gives_relu4_1_the_statistics_of_adain(bench, pictures):
    content, style = pictures
    with torch.inference_mode():
        found = adain(bench.plain, content, style)
        only_the_deepest = {"method": "adain", "alpha": (0, 0, 0, 1), "centred": False, "gate": 0}
        expected = bench.float32.stylize(content, bench.float32.style(style[0]), **only_the_deepest)
        # Ours has a floor under variances, which moves the picture a little.
        assert psnr(found, expected) > 25 > psnr(found, content)


def test_both_baselines_stay_in_the_default_memory_format(bench):
    for weight in bench.plain.weights.values():
        assert weight.dtype == torch.float32 and weight.is_contiguous()
