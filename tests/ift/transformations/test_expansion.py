import itertools

import pytest
import torch

from ift.moments import Moments
from ift.settings import Settings
from ift.transformations import iterative
from ift.transformations.expansion import _expansion, expansion
from ift.transformations.iterative import _line_search, ift_map
from ift.transformations.objective import objective
from ift.transformations.updates import Problem
from tests.layers import random


def moment(channels, seed, outside=1.0, strong=6):
    """(C, C) float64: a few strong directions, and noise."""
    g = torch.Generator().manual_seed(seed)
    few = torch.randn(channels, strong, generator=g, dtype=torch.float64) * 0.7 ** torch.arange(strong)
    noise = torch.randn(channels, 3 * channels, generator=g, dtype=torch.float64)
    return few @ few.mT + 0.02 * outside * noise @ noise.mT / channels


def converged(m, s, mu):
    """By updates of all of it, in float64."""
    problem = Problem.of(m[None], s[None], torch.full((1, 1, 1), mu, dtype=torch.float64), conjugate=True)
    return _line_search(problem, 3000, 1e-15)[0]


def reached(matrix, m, s, mu):
    return float(objective(matrix[None].double(), m[None], s[None], torch.full((1, 1, 1), mu, dtype=torch.float64)))


def per_trace(kappa, m):
    return kappa / float(m.trace())


@pytest.mark.parametrize("kappa", [1.0, 3.0])
@pytest.mark.parametrize("channels", [64, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_matrix_that_updates_converge_to(channels, kappa, dtype):
    m, s = moment(channels, 1), moment(channels, 2)
    mu = per_trace(kappa, m)
    found, best = expansion(m.to(dtype), s.to(dtype), mu, 20, 1e-3), converged(m, s, mu)
    assert found is not None and found.dtype == dtype
    least, most = reached(best, m, s, mu), reached(torch.eye(channels), m, s, mu)
    assert least <= reached(found, m, s, mu) < least + 1e-3 * most
    torch.testing.assert_close(found, found.mT, rtol=0, atol=1e-4)
    off = found.double() - best
    assert float((off @ m * off).sum()) < 2e-3 * float((best @ m * best).sum())


def exact(start, m, s, mu):
    """Where B (I + 2μ(BMB − S)) = I: by Newton's method, for all entries of B at once."""

    def residual(b):
        return b @ (torch.eye(len(b), dtype=b.dtype) + 2 * mu * (b @ m @ b - s)) - torch.eye(len(b), dtype=b.dtype)

    b = start
    for _ in range(8):
        jacobian = torch.func.jacrev(residual)(b).reshape(b.numel(), b.numel())
        b = b - torch.linalg.solve(jacobian, residual(b).flatten()).view_as(b)
    assert float(residual(b).norm()) < 1e-11
    return b


def test_what_is_left_out_is_of_second_order():
    """Half as much beside the few directions: a quarter of the error."""
    errors = []
    for outside in (0.2, 0.1, 0.05):
        m, s = moment(24, 1, outside), moment(24, 2, outside)
        found = _expansion(m, s, 0.02, 6, 5000, 1e-15)
        assert found is not None
        errors.append(float((found.matrix - exact(found.matrix, m, s, 0.02)).norm()))
    for more, less in itertools.pairwise(errors):
        assert 3.5 < more / less < 5


@pytest.mark.parametrize(
    ("name", "m", "kappa"),
    [
        ("black", torch.zeros(64, 64, dtype=torch.float64), 5.0),
        ("one colour", torch.ones(64, 64, dtype=torch.float64), 5.0),
        ("fewer pixels than directions", moment(64, 3, outside=0.0, strong=5), 5.0),
        ("the style counts for nearly all", moment(64, 1), 1e6),
        ("not a number", torch.full((64, 64), torch.nan, dtype=torch.float64), 5.0),
    ],
)
def test_what_it_cannot_do_it_leaves_to_updates(name, m, kappa):
    mu = kappa / max(float(m.trace()), 1e-3)
    assert expansion(m.float(), moment(64, 2).float(), mu, 20, 1e-3) is None


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 7, 12, 16])
def test_of_few_channels_it_is_all_of_them_or_left_to_updates(channels):
    m, s = moment(channels, 1), moment(channels, 2)
    found = expansion(m, s, per_trace(2.0, m), 100, 1e-3)
    if found is not None:
        least = reached(converged(m, s, per_trace(2.0, m)), m, s, per_trace(2.0, m))
        assert reached(found, m, s, per_trace(2.0, m)) <= least * (1 + 3e-3) + 1e-9


def test_a_few_updates_are_no_reason_to_go_all_the_way():
    m, s = moment(64, 1), moment(64, 2)
    assert expansion(m, s, per_trace(5.0, m), 1, 1e-3) is None


def features(seed, size=40, channels=64):
    mixed = torch.einsum("oc,bchw->bohw", random(channels, channels, seed=seed) / 8, random(2, channels, size, size))
    return (mixed * 0.8 ** torch.arange(channels).view(-1, 1, 1) + 1).relu()


def test_maps_are_made_in_this_way_each_for_itself(monkeypatch):
    content, style = Moments.of(features(1)), Moments.of(features(2))
    settings = Settings(strength=(5.0,) * 4)
    found = ift_map(content, style, 1, settings)
    alone = ift_map(content[[1]], style[[1]], 1, settings)
    torch.testing.assert_close(found.matrix[1], alone.matrix[0], rtol=0, atol=1e-6)

    scale = content.covariance.diagonal(dim1=-1, dim2=-2).sum(-1).double()
    mu = (5.0 / scale).reshape(-1, 1, 1)
    terms = content.covariance.double(), style.covariance.double(), mu
    calls = []

    def refused_for_the_first(*arguments):
        calls.append(arguments)
        return None if len(calls) == 1 else expansion(*arguments)

    monkeypatch.setattr(iterative, "expansion", refused_for_the_first)
    mixed = ift_map(content, style, 1, settings)
    assert len(calls) == 2
    assert torch.equal(mixed.matrix[1], found.matrix[1]) and not torch.equal(mixed.matrix[0], found.matrix[0])
    both = objective(found.matrix.double(), *terms), objective(mixed.matrix.double(), *terms)
    torch.testing.assert_close(*both, rtol=3e-3, atol=0)


@pytest.mark.parametrize("changes", [{"solver": "line_search"}, {"tolerance": 0.0}, {"solver": "fixed_step"}])
def test_other_ways_to_go_do_not_take_it(monkeypatch, changes):
    monkeypatch.setattr(iterative, "expansion", lambda *_: pytest.fail("asked for"))
    content, style = Moments.of(features(1)), Moments.of(features(2))
    settings = Settings(strength=None, lambda_=(1e-3,) * 4, eta=1e-3, n_upd=(3,) * 4, **changes)
    assert bool(ift_map(content, style, 1, settings).matrix.isfinite().all())
