"""Masks: regions with statistics and maps of their own."""

import pytest
import torch

from ift import SettingsError
from ift.affine import AffineMap
from ift.content_mask import Mask
from ift.moments import Moments
from ift.padding import pad_to_multiple
from ift.regions import Regions
from ift.settings import Settings
from ift.style import Style, Target, mix_styles
from ift.transformations import transformation

METHODS = ["ift", "wct", "ost", "adain"]


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def halves(height, width):
    """Label 3 on the left, 7 on the right; the border between features at every level."""
    labels = torch.full((height, width), 3)
    labels[:, width // 2 :] = 7
    return labels


@pytest.fixture(scope="module")
def content(photo):
    return photo("skimage", "chelsea.png", 64, 96)


@pytest.fixture(scope="module")
def painting(photo):
    return photo("skimage", "ihc.png", 64, 96)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", ["single_pass", "cascade"])
def test_one_label_is_no_mask(model, content, painting, method, form):
    labels = torch.full((64, 96), 5)
    options = {"method": method, "form": form}
    masked = model.stylize(content, model.style(painting, labels=labels), labels=labels, **options)
    plain = model.stylize(content, model.style(painting), **options)
    torch.testing.assert_close(masked, plain, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_two_labels_are_two_runs_on_the_parts(method, level):
    """Away from the soft border, on features."""
    settings, channels = Settings(method=method), 6
    height, width = 64, 256
    size = height >> (level - 1), width >> (level - 1)
    x, y = noise(1, channels, *size, seed=1).double(), noise(1, channels, *size, seed=2).double()
    y[..., size[1] // 2 :] *= 3
    regions = Regions(halves(height, width))
    assert Mask(halves(height, width), height, width).areas() == {3: height * width / 2, 7: height * width / 2}
    content, style = (regions.moments(part, level, (3, 7)) for part in (x, y))
    pixels = torch.full((2,), size[0] * size[1], dtype=torch.float64)
    maps = transformation(content, [style], torch.ones(1, 1), level, settings, pixels)
    together = regions.apply(maps, x, level, (3, 7))
    for left, part in ((True, slice(None, size[1] // 2)), (False, slice(size[1] // 2, None))):
        alone = transformation(
            Moments.of(x[..., part]), [Moments.of(y[..., part])], torch.ones(1, 1), level, settings, pixels[:1]
        )(x[..., part])
        far = slice(None, size[1] // 4) if left else slice(size[1] // 4, None)
        inner = together[..., part][..., far]
        torch.testing.assert_close(inner, alone[..., far], rtol=1e-6, atol=1e-8)


def test_the_maps_of_regions_meet_without_a_step(model):
    regions = Regions(halves(64, 64))
    ones = torch.ones(1, 2, 64, 64)
    scale = torch.tensor([1.0, 5.0]).reshape(2, 1, 1) * torch.eye(2)
    across = regions.apply(AffineMap(scale), ones, 1, (3, 7))[0, 0, 10]
    assert across[0] == 1 and across[-1] == 5
    steps = across.diff()
    assert (steps >= 0).all() and 0 < steps.max() <= 2
    assert steps[31] > 0  # between the halves


def test_a_label_without_partner_stays_as_it_is(model, content):
    x = noise(1, 5, 16, 24)
    regions = Regions(halves(16, 24))
    mapped = regions.apply(AffineMap(torch.zeros(1, 5, 5)), x, 1, (7,))
    assert torch.equal(mapped[..., :9], x[..., :9])
    assert mapped[..., 16:].abs().max() == 0
    nothing = model.style(content, labels=99)
    only_coded = model.stylize(content, nothing, strength=0)
    torch.testing.assert_close(model.stylize(content, nothing, labels=halves(64, 96)), only_coded, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_each_region_takes_the_style_that_is_named_for_it(model, content, painting, method):
    """Far from the border, as if the picture had that style alone with its half's statistics."""
    dark, labels = painting * 0.2, halves(64, 96)
    style = model.style([painting, dark], labels=[3, 7])
    result = model.stylize(content, style, labels=labels, method=method)
    swapped = model.stylize(content, model.style([dark, painting], labels=[3, 7]), labels=labels, method=method)
    assert result[..., :40].mean() > 1.5 * swapped[..., :40].mean()
    assert swapped[..., 56:].mean() > 1.5 * result[..., 56:].mean()


def test_statistics_of_a_region_are_those_of_its_pixels(model, painting):
    labels = halves(64, 96)
    (picture,) = model.style(painting, labels=labels).pictures
    assert picture.labels == (3, 7)
    x = pad_to_multiple(painting.unsqueeze(0))
    for level in (1, 2, 3, 4):
        x, _ = model.encoder.stage(level, x)
        for index, half in enumerate(x.split(x.shape[-1] // 2, dim=-1)):
            expected = Moments.of(half)
            torch.testing.assert_close(picture.moments[level - 1].count[index], expected.count[0])
            torch.testing.assert_close(picture.moments[level - 1].mean[index], expected.mean[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                picture.moments[level - 1].covariance[index], expected.covariance[0], rtol=1e-3, atol=1e-4
            )


def test_regions_that_are_too_small_or_too_different_are_not_matched(model, painting):
    labels = torch.zeros(64, 96, dtype=torch.int32)
    labels[:8, :16] = 1  # 128 pixels
    labels[32:, :] = 2
    style = model.style(painting, labels=labels)
    target, matched = Target.of_regions(style, {0: 2944.0, 1: 400.0, 2: 3072.0})
    assert matched == (0, 2)
    assert target.weights.tolist() == [[1.0, 1.0]]
    assert Target.of_regions(style, {0: 149.0, 2: 307_300.0, 9: 500.0})[1] == ()
    assert Target.of_regions(style, {0: 150.0, 2: 307_200.0})[1] == (0, 2)


def test_several_styles_share_a_region_by_their_weights(model, painting):
    first, second = model.style(painting, labels=halves(64, 96)), model.style(painting, labels=7)
    style = mix_styles([first, second, model.style(painting)], [1, 1, 2])
    target, labels = Target.of_regions(style, {3: 3000.0, 7: 3000.0})
    assert labels == (3, 7)
    torch.testing.assert_close(target.weights.T, torch.tensor([[1 / 3, 0, 2 / 3], [0.25, 0.25, 0.5]]).double())
    assert isinstance(style, Style)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (33, 65)])
@pytest.mark.parametrize("method", METHODS)
def test_slivers_and_tiny_pictures_never_give_nan(model, method, size):
    content = noise(3, *size)
    labels = (torch.arange(size[1]) % 3).expand(size)
    result = model.stylize(content, model.style(content, labels=labels), labels=labels, method=method)
    assert result.shape == content.shape and result.isfinite().all()


def test_masks_that_do_not_fit(model, content, painting):
    style = model.style(painting)
    with pytest.raises(SettingsError, match=r"a mask is \(8, 8\) int64: give integers \(64, 96\)"):
        model.stylize(content, style, labels=torch.zeros(8, 8, dtype=torch.int64))
    with pytest.raises(SettingsError, match=r"a mask is .* float32"):
        model.style(painting, labels=torch.zeros(64, 96))
    with pytest.raises(SettingsError, match="one content, not with 2"):
        model.stylize(torch.stack([content] * 2), style, labels=halves(64, 96))
    with pytest.raises(SettingsError, match="2 style pictures need as many masks: got 1"):
        model.style([painting] * 2, labels=[3])
    divided = model.style(painting, labels=halves(64, 96))
    for method in (*METHODS, "avatar"):
        with pytest.raises(SettingsError, match="style in 2 regions needs the content's mask"):
            model.stylize(content, mix_styles([style, divided]), method=method)
    with pytest.raises(SettingsError, match="nst takes no style in regions"):
        model.stylize(content, mix_styles([style, divided]), method="nst")
    for method in ("avatar", "nst"):
        with pytest.raises(SettingsError, match="take no masks"):
            model.stylize(content, style, labels=halves(64, 96), method=method)
