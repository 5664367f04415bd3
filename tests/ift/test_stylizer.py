import copy
import itertools

import pytest
import torch

from ift import OPTIONS, PRESETS, Settings, SettingsError, Stylizer, mix_styles
from ift.moments import Moments, mix
from ift.padding import crop, pad_to_multiple
from ift.style import Style, StylePicture
from ift.stylizer import fastest_dtype
from ift.transformations.iterative import ift_map

BRIEF = (3, 3, 3, 2)
"""Enough updates for all but the question how good the result is."""

ORDERS = [(form, way) for form in ("single_pass", "cascade") for way in ("coarse_to_fine", "fine_to_coarse")]


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def blots(height, width, seed=0):
    """Large soft patches of colour."""
    small = noise(1, 3, height // 8, width // 8, seed=seed)
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic")[0].clamp(0, 1)


@pytest.fixture(scope="module")
def content(photo):
    return photo("skimage", "chelsea.png", 64, 80)


@pytest.fixture(scope="module")
def painting(photo):
    """A picture of texture and strong colour."""
    return photo("skimage", "ihc.png", 96, 96)


@pytest.fixture(scope="module")
def style(model, painting):
    return model.style(painting)


def features(model, image):
    """At relu1_1 to relu4_1, (1, C, H, W) each."""
    x, levels = pad_to_multiple(image.unsqueeze(0)), []
    for level in (1, 2, 3, 4):
        x, _ = model.encoder.stage(level, x)
        levels.append(x)
    return levels


def moments(style):
    """Of a style of one picture, at relu1_1 to relu4_1."""
    (picture,) = style.pictures
    return picture.moments


def psnr(image, reference):
    return -10 * float(((image - reference) ** 2).mean().log10())


# Sizes and batches


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (2, 1), (3, 3), (7, 8), (8, 7), (15, 16), (16, 16), (17, 31), (40, 23), (5, 64)]
)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_size_is_kept(model, style, size, preset):
    result = model.stylize(noise(3, *size), style, preset, n_upd=BRIEF)
    assert result.shape == (3, *size)
    assert result.dtype == torch.float32
    assert torch.isfinite(result).all()
    assert result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (3, 2), (9, 40)])
def test_styles_of_every_size(model, content, size):
    result = model.stylize(content, model.style(noise(3, *size)), n_upd=BRIEF)
    assert result.shape == content.shape and torch.isfinite(result).all()


def test_the_content_stays_as_it_was(model, content, style):
    before = content.clone()
    model.stylize(content, style, gate=0.5, form="cascade", n_upd=BRIEF)
    assert torch.equal(content, before)


@pytest.mark.parametrize(("form", "direction"), ORDERS)
def test_a_batch_equals_its_pictures_one_by_one(model, content, style, form, direction):
    contents = torch.stack([content, blots(64, 80)])
    options = {"form": form, "direction": direction, "gate": 0.5, "n_upd": BRIEF}
    together = model.stylize(contents, style, **options)
    assert together.shape == contents.shape
    for result, one in zip(together, contents, strict=True):
        torch.testing.assert_close(result, model.stylize(one, style, **options), rtol=0, atol=1e-4)


def test_a_batch_of_styles_gives_each_content_its_own(model, content, style):
    other = model.style(blots(48, 48))
    contents = torch.stack([content, noise(3, 64, 80)])
    together = model.stylize(contents, [style, other], n_upd=BRIEF)
    for result, one, its_style in zip(together, contents, (style, other), strict=True):
        torch.testing.assert_close(result, model.stylize(one, its_style, n_upd=BRIEF), rtol=0, atol=1e-4)


# What is composed of what


@pytest.mark.parametrize("off", [{"strength": 0}, {"lambda_": 0}, {"n_upd": 0}], ids=repr)
@pytest.mark.parametrize("gate", [0.0, 0.5])
@pytest.mark.parametrize("direction", ["coarse_to_fine", "fine_to_coarse"])
def test_without_strength_or_updates_the_picture_is_only_coded(model, content, style, off, gate, direction):
    x, skips = content.unsqueeze(0), []
    for level in (1, 2, 3, 4):
        x, skip = model.encoder.stage(level, x, with_skip=True)
        skips.append(skip)
    for level in (4, 3, 2, 1):
        x = model.decoder.block(level, x, skips[level - 1], gate)
    result = model.stylize(content, style, gate=gate, direction=direction, **off)
    torch.testing.assert_close(result, x[0].clamp(0, 1), rtol=0, atol=1e-4)


def transformed(x, style, level, settings):
    mapped = ift_map(Moments.of(x), moments(style)[level - 1], level, settings)(x)
    return mapped.relu() if settings.centred else mapped


@pytest.mark.parametrize("size", [(64, 80), (21, 50)])
@pytest.mark.parametrize("centred", [True, False])
def test_single_pass_coarse_to_fine_transforms_before_each_block(model, style, size, centred):
    image, settings = (
        blots(64, 80)[:, : size[0], : size[1]],
        Settings(gate=0.4, strength=(4, 3, 2, 1), n_upd=BRIEF, centred=centred),
    )
    x, skips = pad_to_multiple(image.unsqueeze(0)), []
    for level in (1, 2, 3, 4):
        x, skip = model.encoder.stage(level, x, with_skip=True)
        skips.append(skip)
    for level in (4, 3, 2, 1):
        x = model.decoder.block(level, transformed(x, style, level, settings), skips[level - 1], settings.gate)
    result = model.stylize(image, style, settings=settings)
    torch.testing.assert_close(result, crop(x, size)[0].clamp(0, 1), rtol=0, atol=3e-5)


def test_single_pass_fine_to_coarse_transforms_after_each_stage(model, content, style):
    settings = Settings(gate=0.4, strength=(4, 3, 2, 1), n_upd=BRIEF, direction="fine_to_coarse")
    x, skips = content.unsqueeze(0), []
    for level in (1, 2, 3, 4):
        x, skip = model.encoder.stage(level, x, with_skip=True)
        x = transformed(x, style, level, settings)
        skips.append(skip)
    for level in (4, 3, 2, 1):
        x = model.decoder.block(level, x, skips[level - 1], settings.gate)
    result = model.stylize(content, style, settings=settings)
    torch.testing.assert_close(result, x[0].clamp(0, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("n_upd", "direction", "order"),
    [
        ((15, 0, 0, 0), "coarse_to_fine", [1]),
        ((15, 0, 0, 0), "fine_to_coarse", [1]),
        ((5, 0, 5, 0), "coarse_to_fine", [3, 1]),
        ((5, 0, 5, 0), "fine_to_coarse", [1, 3]),
        ((0, 0, 0, 0), "coarse_to_fine", []),
    ],
)
def test_cascade_runs_one_autoencoder_for_each_level_with_updates(model, content, style, n_upd, direction, order):
    settings = Settings(n_upd=n_upd, direction=direction, form="cascade", gate=0.4)
    image = content.unsqueeze(0)
    for deepest in order:
        x, skips = image, []
        for level in range(1, deepest + 1):
            x, skip = model.encoder.stage(level, x, with_skip=True)
            skips.append(skip)
        x = transformed(x, style, deepest, settings)
        for level in range(deepest, 0, -1):
            x = model.decoder.block(level, x, skips[level - 1], settings.gate)
        image = x.clamp(0, 1)
    result = model.stylize(content, style, settings=settings)
    torch.testing.assert_close(result, image[0], rtol=0, atol=1e-5)


def test_forms_and_directions_differ(model, content, style):
    results = [model.stylize(content, style, form=form, direction=direction, n_upd=BRIEF) for form, direction in ORDERS]
    for k, one in enumerate(results):
        assert all((one - other).abs().mean() > 1e-3 for other in results[:k])


@pytest.mark.parametrize("form", ["single_pass", "cascade"])
def test_iterating_the_pass_stylizes_the_result_again(model, content, style, form):
    options = {"form": form, "n_upd": BRIEF}
    twice = model.stylize(model.stylize(content, style, **options), style, **options)
    assert torch.equal(model.stylize(content, style, n_iter=2, **options), twice)
    per_level = model.stylize(content, style, n_iter=2, iterate="level", **options)
    assert (per_level - twice).abs().mean() > 1e-3


def test_settings_equal_their_options(model, content, style):
    options = {"strength": "3,2,1,1", "gate": 0.7, "n_upd": BRIEF, "solver": "line_search"}
    settings = Settings.from_options("photo", **options)
    by_options = model.stylize(content, style, "photo", **options)
    assert torch.equal(model.stylize(content, style, settings=settings), by_options)
    assert not torch.equal(model.stylize(content, style, n_upd=BRIEF), by_options)


# Styles


def test_a_style_is_the_moments_of_the_normalised_features(model, painting, style):
    for of_level, x in zip(moments(style), features(model, painting), strict=True):
        pixels = x[0].flatten(1).double()
        torch.testing.assert_close(of_level.mean[0].double(), pixels.mean(1), rtol=1e-4, atol=1e-5)
        expected = pixels @ pixels.T / pixels.shape[1]
        torch.testing.assert_close(of_level.second_moment[0].double(), expected, rtol=1e-4, atol=1e-4)
        assert of_level.count == pixels.shape[1]


def test_several_pictures_are_one_target_by_their_weights(model, content, painting):
    pictures = [painting, blots(40, 64), noise(3, 24, 24)]
    singles = [model.style(picture) for picture in pictures]
    mixed = tuple(mix(level, torch.tensor([0.5, 0.125, 0.375])) for level in zip(*map(moments, singles), strict=True))
    expected = model.stylize(content, Style((StylePicture(mixed),)), n_upd=BRIEF)
    torch.testing.assert_close(
        model.stylize(content, model.style(pictures, [2, 0.5, 1.5]), n_upd=BRIEF), expected, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("method", ["ift", "wct", "ost", "adain", "avatar"])
def test_equal_styles_are_one(model, content, painting, method):
    one, three = model.style(painting, patches=True), model.style([painting] * 3, [1, 2, 5], patches=True)
    options = {"method": method, "n_upd": BRIEF}
    torch.testing.assert_close(
        model.stylize(content, three, **options), model.stylize(content, one, **options), rtol=0, atol=1e-4
    )


def test_weights_of_styles_become_shares(style):
    for weights, shares in (
        (None, [0.5, 0.5]), ([3, 3], [0.5, 0.5]), ([2, 6], [0.25, 0.75]), ([1, 0], [1, 0]), ([0, 1e-300], [0, 1])
    ):  # fmt: skip
        assert mix_styles([style, style], weights).weights == pytest.approx(shares)
    nested = mix_styles([mix_styles([style, style], [1, 3]), style], [2, 2])
    assert nested.weights == pytest.approx([0.125, 0.375, 0.5])


def test_weights_decide_what_the_result_is_like(model, content, style):
    other = model.style(blots(40, 64))
    styles = [mix_styles([other, style], [1 - share, share]) for share in (0, 0.2, 0.8, 1)]
    results = [model.stylize(content, mixed, n_upd=BRIEF) for mixed in styles]
    distances = [float((result - results[0]).norm()) for result in results]
    assert 0 == distances[0] < distances[1] < distances[2] < distances[3]


def mismatches(model, image, style):
    """Relative distance of the covariances from the style's, per level."""
    pairs = zip(moments(model.style(image)), moments(style), strict=True)
    return [float((own.covariance - target.covariance).norm() / target.covariance.norm()) for own, target in pairs]


@pytest.mark.parametrize("preset", PRESETS)
def test_results_are_nearer_to_the_style_than_the_content_was(model, photo, style, preset):
    content = photo("skimage", "astronaut.png")
    before = mismatches(model, content, style)
    after = mismatches(model, model.stylize(content, style, preset), style)
    assert all(a < 0.8 * b for b, a in zip(before, after, strict=True))


def test_more_strength_gives_more_style(model, content, style):
    results = [model.stylize(content, style, strength=strength, n_upd=(20, 20, 20, 5)) for strength in (0.1, 1, 10)]
    distances = [sum(mismatches(model, result, style)) for result in results]
    assert distances[0] > distances[1] > distances[2]


def test_a_higher_gate_gives_more_detail(model, content, style):
    results = [model.stylize(content, style, gate=gate, n_upd=BRIEF) for gate in (0.0, 0.5, 1.0)]
    sharpness = [float(result.diff(dim=2).abs().mean()) for result in results]
    assert sharpness[0] < sharpness[1] < sharpness[2]


# Awkward pictures

FLAT = {
    "black": torch.zeros(3, 24, 32),
    "white": torch.ones(3, 24, 32),
    "one pixel": torch.nn.functional.pad(torch.ones(3, 1, 1), (9, 22, 9, 14)),
    "noise": noise(3, 24, 32),
}


@pytest.mark.parametrize(
    "options",
    [{}, {"preset": "photo", "direction": "fine_to_coarse"}, {"centred": False, "lambda_": "1e4,1e4,1e3,1e2"}],
    ids=repr,
)
def test_flat_pictures_never_give_nan(model, options):
    pairs = list(itertools.permutations(FLAT.values(), 2))
    contents = torch.stack([content for content, _ in pairs])
    styles = [model.style(style) for _, style in pairs]
    assert torch.isfinite(model.stylize(contents, styles, n_upd=(30, 20, 10, 4), **options)).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_black_and_white_become_each_other(model, preset):
    """The mean goes κ/(1 + κ) of the way."""
    black, white = model.style(FLAT["black"]), model.style(FLAT["white"])
    least = {"artistic": 0.6, "photo": 0.2}[preset]
    a, b = model.stylize(FLAT["black"], white, preset).mean(), model.stylize(FLAT["white"], black, preset).mean()
    assert a > least and b < 1 - least


# Precision and devices


def test_bfloat16_is_nearly_float32(model, content, painting, style):
    networks = copy.deepcopy(model.encoder), copy.deepcopy(model.decoder)
    half = Stylizer(*networks, device="cpu", dtype=torch.bfloat16)
    for preset in PRESETS:
        result = half.stylize(content, half.style(painting), preset)
        assert result.dtype == torch.float32
        assert psnr(result, model.stylize(content, style, preset)) > 40


def test_the_fastest_precision_is_one_that_the_networks_run_in(model, content):
    dtype = fastest_dtype(torch.device("cpu"))
    assert dtype in (torch.bfloat16, torch.float32)
    half = Stylizer(copy.deepcopy(model.encoder), copy.deepcopy(model.decoder))
    assert half.dtype == dtype and next(half.encoder.parameters()).dtype == dtype
    assert torch.isfinite(half.stylize(content, half.style(content))).all()


def test_double_precision_pictures_are_taken(model, content, style):
    torch.testing.assert_close(model.stylize(content.double(), style), model.stylize(content, style))


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(SettingsError, match=f"the device {device} cannot be used .*: name another, or leave it out"):
        Stylizer.from_pretrained(device=device)


# Refusals


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(8, 8),
        torch.zeros(1, 8, 8),
        torch.zeros(4, 8, 8),
        torch.zeros(8, 8, 3),
        torch.zeros(3, 0, 8),
        torch.zeros(1, 1, 3, 8, 8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
    ],
    ids=lambda image: f"{tuple(image.shape)} {image.dtype}",
)
def test_tensors_that_are_no_pictures(model, style, image):
    with pytest.raises(SettingsError, match=r"the content is \(.*: give \(3, H, W\) or \(B, 3, H, W\)"):
        model.stylize(image, style)
    with pytest.raises(SettingsError, match=r"a style is \(.*: give \(3, H, W\), floating point"):
        model.style(image)
    with pytest.raises(SettingsError, match="a style is"):
        model.style([noise(3, 8, 8), image])


def test_a_style_is_no_batch(model):
    with pytest.raises(SettingsError, match=r"a style is \(2, 3, 8, 8\)"):
        model.style(noise(2, 3, 8, 8))


@pytest.mark.parametrize("number", [1, 3])
def test_styles_that_do_not_fit_the_contents(model, style, number):
    with pytest.raises(SettingsError, match=f"2 styles do not fit {number} contents"):
        model.stylize(noise(number, 3, 8, 8), [style] * 2)


def test_no_styles_and_wrong_weights(model, painting, style):
    with pytest.raises(SettingsError, match="at least one picture"):
        model.style([])
    nan, inf = float("nan"), float("inf")
    for weights in ([], [1], [1, 1, 1], [0, 0], [1, -1], [1, nan], [1, inf]):
        with pytest.raises(SettingsError, match="2 styles need as many weights"):
            mix_styles([style, style], weights)
    with pytest.raises(SettingsError, match="1 styles need as many weights"):
        model.style(painting, [1, 2])


def test_wrong_options(model, content, style):
    with pytest.raises(SettingsError, match=f"unknown option beta: the options are {', '.join(OPTIONS)}"):
        model.stylize(content, style, beta=1)
    with pytest.raises(SettingsError, match="no preset is named 'cubist'"):
        model.stylize(content, style, "cubist")
    with pytest.raises(SettingsError, match=r"either settings or options \(gate\), not both"):
        model.stylize(content, style, settings=Settings(), gate=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [1.0, 0.5, 0.0])
def test_a_picture_of_one_colour_takes_the_mean_colour_of_the_style(dtype, value, photo):
    """Its features have no covariance but rounding, which must not be blown up into some other colour."""
    style = photo("skimage", "coffee.png")
    some = Stylizer.from_pretrained(dtype=dtype)
    result = some.stylize(torch.full((3, 128, 128), value), some.style(style))
    assert float(result.std(dim=(1, 2)).max()) < 0.02
    assert float((result.mean((1, 2)) - style.mean((1, 2))).abs().max()) < 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nst_does_not_quantise_the_content(content, painting, dtype):
    model = Stylizer.from_pretrained(device="cpu", dtype=dtype)
    result = model.stylize(content, model.style(painting), method="nst", strength=0)
    torch.testing.assert_close(result, content, rtol=0, atol=1e-6)


def test_what_is_done_to_the_finished_picture(model, content, style):
    plain = model.stylize(content, style, n_upd=BRIEF)
    coloured = model.stylize(content, style, n_upd=BRIEF, keep_colours=True)
    ratio = [(picture - picture.mean(0)).norm() / picture.norm() for picture in (content, coloured, plain)]
    assert abs(ratio[1] - ratio[0]) < abs(ratio[2] - ratio[0])
    smooth = model.stylize(content, style, n_upd=BRIEF, guided_radius=4)
    rough = [picture.diff(dim=-1).abs().mean() for picture in (plain, smooth)]
    assert rough[1] < rough[0]


def test_avatar_says_what_it_needs(model, content, style):
    with pytest.raises(SettingsError, match=r"style\(…, patches=True\)"):
        model.stylize(content, style, method="avatar")
