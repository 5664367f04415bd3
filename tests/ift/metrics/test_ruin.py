from itertools import cycle

import pytest
import torch
from torch.nn import functional

from ift.metrics.ruin import Appearance, flat, ruin, saturated, sharpness


def _noise(picture, scale):
    return (picture + scale * torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def _blurred(picture, side=15):
    kernel = torch.ones(3, 1, side, side) / side**2
    return functional.conv2d(functional.pad(picture[None], (side // 2,) * 4, mode="reflect"), kernel, groups=3)[0]


def _contrast(picture, factor):
    return ((picture - picture.mean()) * factor + picture.mean()).clamp(0, 1)


DAMAGE = {
    "black": [torch.zeros_like, lambda x: 0.03 * x],
    "white": [torch.ones_like, lambda x: 1 - 0.03 * (1 - x)],
    "flat": [lambda x: torch.full_like(x, 0.5), lambda x: _contrast(x, 0.02)],
    "saturated": [lambda x: _contrast(x, 20), lambda x: torch.cat([torch.ones_like(x[:1]), x[1:]])],
    "noise": [lambda x: _noise(x, 0.25), lambda x: torch.rand(x.shape, generator=torch.Generator().manual_seed(0))],
    "blurred": [_blurred],
}


@pytest.fixture(scope="module")
def pairs(model, photo):
    """Contents, styles and results: two photos; a night photo; black and white style; a line drawing both ways."""
    cat, coffee = photo("skimage", "chelsea.png"), photo("skimage", "coffee.png")
    night = 0.08 * coffee
    text = photo("skimage", "page.png").mean(0, keepdim=True).expand(3, -1, -1)
    ink = (text > 0.5).float()
    choices = [(cat, coffee), (night, cat), (cat, night), (coffee, ink), (ink, coffee), (cat, text)]
    return [
        (content, style, model.stylize(content, model.style(style), preset))
        for (content, style), preset in zip(choices, cycle(("artistic", "photo")), strict=False)
    ]


def _verdict(result, content, *styles):
    return ruin(Appearance.of(result), Appearance.of(content), [Appearance.of(style) for style in styles])


def test_good_results_are_not_called_ruined_nor_are_the_content_and_the_style(pairs):
    for content, style, result in pairs:
        assert [_verdict(picture, content, style) for picture in (result, content, style)] == [None] * 3


@pytest.mark.parametrize(("name", "index"), [(name, i) for name, ways in DAMAGE.items() for i in range(len(ways))])
def test_damage_is_called_by_its_name(model, photo, name, index):
    content, style = photo("skimage", "gravel.png"), photo("skimage", "astronaut.png")
    result = model.stylize(content, model.style(style))
    assert _verdict(DAMAGE[name][index](result), content, style) == name


def test_what_one_of_the_styles_is_the_result_may_be(pairs):
    content, style, _ = pairs[0]
    dark = torch.full_like(style, 0.01)
    assert _verdict(dark, content, style) == "black"
    assert _verdict(dark, content, style, dark) is None


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_pictures_of_one_colour_are_as_good_as_their_content_or_style(pairs, value):
    content, style, _ = pairs[0]
    plain = torch.full_like(content, value)
    assert _verdict(plain, plain, style) is None
    assert _verdict(plain, content, plain) is None


def test_sharpness_is_the_ratio_of_mean_absolute_gradients():
    content = torch.zeros(3, 2, 3)
    content[:, :, 2] = 0.6  # two of the seven differences are 0.6
    result = torch.zeros(3, 2, 3)
    result[:, 1] = 0.2  # three are 0.2
    assert Appearance.of(content).gradient == pytest.approx(1.2 / 7)
    assert sharpness(Appearance.of(result), Appearance.of(content)) == pytest.approx(0.5)
    assert sharpness(Appearance.of(content), Appearance.of(torch.full((3, 2, 3), 0.3))) is None


def test_saturated_counts_pixels_with_a_clipped_channel_beyond_the_contents():
    content, result = torch.full((2, 3, 10, 10), 0.5)
    content[0, 0] = 1.0
    result[1, :3] = 1 / 255  # as near to black as JPEG leaves it
    result[2, 2:5] = 1.0
    assert saturated(Appearance.of(result), Appearance.of(content)) == pytest.approx(0.5 - 0.1)
    assert saturated(Appearance.of(content), Appearance.of(result)) == 0


def test_flat_counts_blocks_that_lost_what_the_content_shows():
    content = torch.rand(3, 19, 32, generator=torch.Generator().manual_seed(0))  # 2×4 blocks and a rest
    content[:, :8, :8] = 0.5
    result = content.clone()
    result[:, :8, :16] = 0.25  # flat in the content, and not so
    result[:, 8:16, 8:16] += 3 * (torch.arange(8) % 2) / 255  # still to be seen
    result[0, 8:16, 16:24], result[1:, 8:16, 16:24] = 0.5, content[1:, 8:16, 16:24]  # in two channels
    assert flat(Appearance.of(result), Appearance.of(content)) == 1 / 8
    assert flat(Appearance.of(torch.zeros(3, 3, 5)), Appearance.of(torch.rand(3, 3, 5))) == 1


def test_a_single_pixel_has_figures():
    appearance = Appearance.of(torch.tensor([1.0, 0.5, 0.0]).reshape(3, 1, 1))
    assert appearance.brightness == pytest.approx(0.299 + 0.587 / 2)
    assert (appearance.contrast, appearance.gradient, appearance.clipped) == (0, 0, 1)
