import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.moments import Moments
from ift.transformations.objective import gradient, objective
from tests import reference

problems = st.tuples(st.integers(1, 6), st.integers(1, 12), st.floats(1e-3, 1e3), st.integers(0, 999))


def problem(channels, pixels, lambda_, seed):
    g = torch.Generator().manual_seed(seed)
    X, style, A = (torch.randn(channels, k, generator=g, dtype=torch.float64) for k in (pixels, pixels + 3, channels))
    M = Moments.of(X.reshape(1, channels, 1, pixels)).second_moment
    S = style @ style.T / style.shape[1]
    return X, S, A, M, torch.tensor(lambda_ / pixels, dtype=torch.float64).reshape(1, 1, 1)


@given(problems)
def test_objective_is_eq_1(parameters):
    X, S, A, M, mu = problem(*parameters)
    expected = reference.loss(A @ X, X, S, parameters[2]) / X.shape[1]
    torch.testing.assert_close(objective(A[None], M, S[None], mu)[0], expected)


@given(problems)
def test_gradient_is_eq_2_and_autograd_agrees(parameters):
    X, S, A, M, mu = problem(*parameters)
    F = (A @ X).requires_grad_()
    (automatic,) = torch.autograd.grad(reference.loss(F, X, S, parameters[2]), F)
    ours = gradient(A.T[None], A @ M @ A.T - S, mu)[0].T @ X
    torch.testing.assert_close(ours, automatic, rtol=1e-9, atol=1e-9 * float(automatic.abs().max()))
    torch.testing.assert_close(reference.gradient(A @ X, X, S, parameters[2]), automatic, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("channels", [64, 128, 256, 512])
def test_gradient_against_autograd_at_every_level_s_size(channels):
    X, S, A, M, mu = problem(channels, 300, 1e3, channels)
    F = (A @ X).requires_grad_()
    (automatic,) = torch.autograd.grad(reference.loss(F, X, S, 1e3), F)
    ours = gradient(A.T[None], A @ M @ A.T - S, mu)[0].T @ X
    assert (ours - automatic).norm() / automatic.norm() < 1e-12
