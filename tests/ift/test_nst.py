import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ift.errors import SettingsError
from ift.moments import Moments
from ift.nst import Point, StyleTerm, loss, minimise, natural_lambda, nst

STRENGTH = (5.0,) * 4


@pytest.fixture(scope="module")
def encoder(model):
    return model.encoder


@pytest.fixture(scope="module")
def precise(encoder):
    return copy.deepcopy(encoder).double()


@pytest.fixture
def content(photo):
    return photo("skimage", "chelsea.png", 32, 40).unsqueeze(0)


@pytest.fixture
def style(photo):
    return photo("sklearn", "flower.jpg", 40, 48).unsqueeze(0)


@pytest.fixture
def other_style(photo):
    return photo("skimage", "ihc.png", 32, 32).unsqueeze(0)


@torch.no_grad()
def features(encoder, image):
    maps, x = [], image.to(next(encoder.parameters()).dtype)
    for level in range(1, 5):
        x, _ = encoder.stage(level, x)
        maps.append(x)
    return maps


def moments(encoder, image):
    return [Moments.of(x) for x in features(encoder, image)]


def gram(x):
    return torch.einsum("ihw,jhw->ij", x[0], x[0]) / x[0, 0].numel()


def eq_29(encoder, image, content, styles, lambda_):
    """The definition, style by style."""
    ours = features(encoder, image)
    total = (ours[3] - features(encoder, content)[3]).square().sum()
    for style, weights in zip(styles, lambda_, strict=True):
        for weight, x, y in zip(weights, ours, features(encoder, style), strict=True):
            total += weight * (gram(x) - gram(y)).square().sum()
    return float(total)


def terms(encoder, styles, lambda_):
    levels = zip(*(moments(encoder, style) for style in styles), strict=True)
    return [StyleTerm.of(level, weights) for level, weights in zip(levels, lambda_.T, strict=True)]


def natural(encoder, content, style, strength=STRENGTH):
    return natural_lambda(moments(encoder, content), moments(encoder, style), strength)


def run(encoder, content, styles, lambda_, steps):
    """The result and the losses after each step."""
    losses = []
    known = [moments(encoder, style) for style in styles]
    result = nst(encoder, content, known, lambda_, steps, lambda step, value: losses.append((step, value)))
    assert [step for step, _ in losses] == list(range(1, len(losses) + 1))
    return result, [value for _, value in losses]


@pytest.mark.parametrize(
    "lambda_",
    [
        [[40.0, 10.0, 2.0, 0.3]],
        [[0.0, 10.0, 0.0, 0.3]],
        [[40.0, 10.0, 2.0, 0.3], [5.0, 20.0, 0.5, 0.9]],
        [[40.0, 0.0, 2.0, 0.0], [5.0, 20.0, 0.0, 0.0]],
    ],
)
def test_loss_is_the_definition(precise, content, style, other_style, photo, lambda_):
    styles, lambda_ = [style, other_style][: len(lambda_)], torch.tensor(lambda_, dtype=torch.float64)
    image = photo("skimage", "coffee.png", 32, 40).unsqueeze(0).double()
    value = loss(precise, image, features(precise, content)[3], terms(precise, styles, lambda_))
    assert value.dtype == torch.float64
    assert float(value) == pytest.approx(eq_29(precise, image, content, styles, lambda_), rel=1e-9)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 999))
def test_term_is_the_sum_over_styles(count, channels, seed):
    generator = torch.Generator().manual_seed(seed)
    styles = [torch.rand(1, channels, 3, 4, generator=generator, dtype=torch.float64) for _ in range(count)]
    lambda_ = torch.rand(count, generator=generator, dtype=torch.float64)
    ours = gram(torch.rand(1, channels, 5, 2, generator=generator, dtype=torch.float64))
    term = StyleTerm.of([Moments.of(style) for style in styles], lambda_)
    one_by_one = sum(weight * (ours - gram(x)).square().sum() for weight, x in zip(lambda_, styles, strict=True))
    at_once = term.weight * (ours - term.moment).square().sum() + term.constant
    torch.testing.assert_close(at_once, one_by_one)


def test_gradient_is_that_of_finite_differences(precise, content, style, other_style):
    lambda_ = torch.tensor([[40.0, 10.0, 2.0, 0.3], [5.0, 20.0, 0.5, 0.9]], dtype=torch.float64)
    known = terms(precise, [style, other_style], lambda_)
    anchor = features(precise, content[..., :16, :16].flip(-1))[3]
    image = content[..., :16, :16].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(precise, x, anchor, known), image, rtol=1e-4, fast_mode=True)


@pytest.mark.parametrize("count", [1, 2])
def test_loss_falls_at_every_step_and_is_that_of_the_result(encoder, precise, content, style, other_style, count):
    styles = [style, other_style][:count]
    lambda_ = torch.stack([natural(encoder, content, one) for one in styles])
    result, losses = run(encoder, content, styles, lambda_, 15)
    before = eq_29(precise, content, content, styles, lambda_)
    assert len(losses) == 15
    assert all(np.diff([before, *losses]) < 0)
    assert losses[-1] == pytest.approx(eq_29(precise, result, content, styles, lambda_), rel=1e-4)
    assert result.shape == content.shape
    assert result.min() >= 0 and result.max() <= 1


@pytest.mark.slow
def test_minimum_is_as_low_as_scipys(precise, content, style):
    content = content[..., :16, :16].double()
    lambda_ = natural(precise, content, style).unsqueeze(0)
    known, anchor = terms(precise, [style], lambda_), features(precise, content)[3]

    def value_and_gradient(pixels):
        image = torch.from_numpy(pixels.reshape(content.shape)).requires_grad_()
        value = loss(precise, image, anchor, known)
        (gradient,) = torch.autograd.grad(value, image)
        return value.item(), gradient.numpy().ravel()

    start = content.numpy().ravel()
    theirs = minimize(
        value_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=np.tile([0.0, 1.0], (start.size, 1)),
        options={"maxiter": 100},
    )
    result, losses = run(precise, content, [style], lambda_, 100)
    assert result.dtype == torch.float64
    assert losses[-1] < 1.1 * theirs.fun


def test_result_has_the_styles_moments_more_than_the_content_has(encoder, content, style):
    result, _ = run(encoder, content, [style], natural(encoder, content, style).unsqueeze(0), 20)
    levels = zip(features(encoder, result), features(encoder, content), features(encoder, style), strict=True)
    for ours, before, goal in levels:
        assert (gram(ours) - gram(goal)).norm() < 0.5 * (gram(before) - gram(goal)).norm()


def test_more_strength_means_more_style_and_less_content(encoder, content, style):
    gaps, changes = [], []
    for kappa in (0.3, 30.0):
        result, _ = run(encoder, content, [style], natural(encoder, content, style, (kappa,) * 4).unsqueeze(0), 30)
        ours = features(encoder, result)
        gaps.append((gram(ours[3]) - gram(features(encoder, style)[3])).norm())
        changes.append((ours[3] - features(encoder, content)[3]).norm())
    assert gaps[1] < gaps[0] and changes[1] > changes[0]


def test_equal_styles_that_share_lambda_are_one(precise, content, style):
    lambda_ = natural(precise, content, style)
    one, _ = run(precise, content, [style], lambda_.unsqueeze(0), 5)
    shares = torch.tensor([[0.2], [0.5], [0.3]], dtype=torch.float64)
    three, _ = run(precise, content, [style] * 3, shares * lambda_, 5)
    torch.testing.assert_close(three, one, rtol=0, atol=1e-6)


def test_without_lambda_the_content_is_the_minimum(encoder, content, style):
    result, losses = run(encoder, content, [style], torch.zeros(1, 4), 5)
    assert torch.equal(result, content)
    assert losses == []


def test_it_ends_when_nothing_more_is_gained(encoder, content, style):
    content = content[..., :16, :16]
    lambda_ = natural(encoder, content, style, (1.0,) * 4).unsqueeze(0)
    _, losses = run(encoder, content, [style], lambda_, 2000)
    assert 10 < len(losses) < 2000
    assert losses[-2] - losses[-1] < 1e-5 * losses[-1] < losses[0] - losses[1]


def test_a_loss_whose_gradient_squared_is_beyond_float32_falls(encoder, content, style):
    lambda_ = natural(encoder, content, style).unsqueeze(0)
    _, losses = run(encoder, content, [style], 1e25 * lambda_, 5)
    assert len(losses) == 5
    assert np.isfinite(losses).all() and all(np.diff(losses) < 0)


def test_a_loss_too_large_for_any_number_leaves_the_content(encoder, content, style):
    result, losses = run(encoder, content, [style], torch.full((1, 4), 1e305, dtype=torch.float64), 5)
    assert torch.equal(result, content)
    assert losses == []


def bowl(seed):
    """A quadratic bowl with curvatures from 1 to 1000 and a centre partly outside of [0, 1]; the centre cut off."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(1, 3, 4, 5, generator=generator, dtype=torch.float64) * 2 - 0.5
    curvature = 10 ** (3 * torch.rand(1, 3, 4, 5, generator=generator, dtype=torch.float64))

    def evaluate(x):
        # One more, so that the end is where nothing changes any more.
        return Point(x, 1 + float((curvature * (x - centre).square()).sum()), 2 * curvature * (x - centre))

    return evaluate, centre.clamp(0, 1)


@given(st.integers(0, 999))
def test_least_of_a_bowl_within_bounds(seed):
    evaluate, least = bowl(seed)
    losses = []
    found = minimise(evaluate, torch.full_like(least, 0.5), 500, lambda _, value: losses.append(value))
    assert evaluate(found).value <= evaluate(least).value * (1 + 1e-3)
    assert found.min() >= 0 and found.max() <= 1
    assert all(np.diff(losses) < 0)


@given(st.integers(0, 999), st.floats(0.51, 0.6), st.sampled_from([float("nan"), float("inf")]))
def test_no_step_leads_where_the_loss_is_no_number(seed, wall, nothing):
    evaluate, least = bowl(seed)

    def walled(x):
        point = evaluate(x)
        return point if x.max() < wall else Point(x, nothing, torch.full_like(x, nothing))

    start = torch.full_like(least, 0.5)
    found = minimise(walled, start, 50)
    assert found.max() < wall
    assert evaluate(found).value < evaluate(start).value


def test_it_works_in_inference_mode(encoder, content, style):
    lambda_ = natural(encoder, content, style).unsqueeze(0)
    outside, _ = run(encoder, content, [style], lambda_, 3)
    with torch.inference_mode():
        inside, _ = run(copy.deepcopy(encoder), content.clone(), [style], lambda_.clone(), 3)
    torch.testing.assert_close(inside, outside, atol=1e-4, rtol=0)  # sums are rounded in another order
    assert not torch.equal(inside, content)


def test_the_encoder_stays_as_it_is(encoder, content, style):
    trained = copy.deepcopy(encoder).to(torch.bfloat16).requires_grad_()
    before = copy.deepcopy(trained.state_dict())
    result, losses = run(trained, content, [style], natural(trained, content, style).unsqueeze(0), 3)
    assert result.dtype == torch.float32
    assert len(losses) == 3
    for name, weight in trained.named_parameters():
        assert weight.dtype == torch.bfloat16 and weight.requires_grad and weight.grad is None
        assert torch.equal(weight, before[name])


COLOURS = {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0), "mean": (0.485, 0.458, 0.408), "red": (1.0, 0.0, 0.0)}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("flat", ["content", "style", "both"])
def test_pictures_of_one_colour(encoder, content, style, colour, flat):
    plain = torch.tensor(COLOURS[colour]).view(1, 3, 1, 1).expand_as(content)
    content, style = (plain if flat != "style" else content), (plain if flat != "content" else style)
    lambda_ = natural(encoder, content, style).unsqueeze(0)
    result, losses = run(encoder, content, [style], lambda_, 3)
    assert result.isfinite().all() and result.min() >= 0 and result.max() <= 1
    if flat == "both":
        torch.testing.assert_close(result, content, rtol=0, atol=0.02)
    else:
        assert len(losses) == 3


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-3, 3), min_size=8, max_size=8), st.integers(0, 99))
def test_natural_style_terms_are_bounded_by_strength(exponents, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.rand(1, 6, 4, 5, generator=generator, dtype=torch.float64) * 10**e for e in exponents]
    ours, theirs = drawn[:4], drawn[4:]
    lambda_ = natural_lambda([Moments.of(x) for x in ours], [Moments.of(x) for x in theirs], STRENGTH)
    unit = 20 * float(gram(ours[3]).trace() + gram(theirs[3]).trace()) / 2
    for weight, x, y in zip(lambda_, ours, theirs, strict=True):
        assert 0 < float(weight * (gram(x) - gram(y)).square().sum()) <= 4 * 5 * unit * (1 + 1e-9)


def test_natural_lambda_at_equal_traces_is_that_of_ift(encoder, content):
    lambda_ = natural(encoder, content, content.flip(-1).flip(-1), (1.0, 1.0, 1.0, 3.0))
    maps = features(encoder, content)
    assert float(lambda_[3]) == pytest.approx(3 * 20 / float(gram(maps[3]).trace()))
    share = 20 * float(gram(maps[3]).trace()) / float(gram(maps[0]).trace()) ** 2
    assert float(lambda_[0]) == pytest.approx(share)


@pytest.mark.parametrize(
    "lambda_", [[[1.0] * 4] * 2, [[1.0] * 3], [1.0] * 4, [[1, 1, 1, -1]], [[1, 1, 1, float("nan")]]]
)
def test_lambda_that_does_not_fit(encoder, content, style, lambda_):
    with pytest.raises(SettingsError, match="1 styles at 4 levels need as many λ, finite and 0 or more"):
        nst(encoder, content, [moments(encoder, style)], torch.tensor(lambda_), 1)


def test_no_style_at_all(encoder, content):
    with pytest.raises(SettingsError, match="0 styles"):
        nst(encoder, content, [], torch.ones(0, 4), 1)
