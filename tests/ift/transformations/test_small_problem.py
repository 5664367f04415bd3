import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ift.transformations.small_problem import solve_small


def random_moment(size, seed):
    x = torch.randn(size, 2 * size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = x * 0.7 ** torch.arange(size, dtype=torch.float64).unsqueeze(-1)
    return x @ x.mT / (2 * size)


def objective(b, m, s, mu):
    change, mismatch = b - torch.eye(len(b), dtype=b.dtype), b.mT @ m @ b - s
    return (change * (m @ change)).sum() + mu * (mismatch * mismatch).sum()


@given(
    w=st.lists(st.floats(1e-3, 10), min_size=1, max_size=8),
    mu=st.floats(1e-2, 10),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_directions_that_do_not_mix_are_numbers(w, mu, seed):
    """w (b − 1)² + μ (w b² − s)² has its least where a cubic vanishes: here by NumPy."""
    s = np.random.default_rng(seed).uniform(0.01, 10, len(w))
    found = solve_small(torch.tensor(w, dtype=torch.float64), torch.diag(torch.tensor(s)), mu, 1000, 1e-15)
    assert found.converged
    for number, (each, wanted) in enumerate(zip(w, s, strict=True)):
        roots = np.roots([2 * mu * each, 0, 1 - 2 * mu * wanted, -1])
        least = max(root.real for root in roots if abs(root.imag) < 1e-9)  # a style that is there is not turned over
        assert float(found.b[number, number]) == pytest.approx(least, rel=1e-4)


@pytest.mark.parametrize("mu", [0.1, 1.0, 30.0])
def test_the_gradient_vanishes_at_a_symmetric_matrix(mu):
    w = 0.6 ** torch.arange(12, dtype=torch.float64)
    s = random_moment(12, 1)
    found = solve_small(w, s, mu, 2000, 1e-16)
    torch.testing.assert_close(found.b, found.b.mT, rtol=0, atol=1e-12)
    b = found.b.clone().requires_grad_()
    before = objective(torch.eye(12, dtype=torch.float64), torch.diag(w), s, mu)
    value = objective(b, torch.diag(w), s, mu)
    value.backward()
    assert float(b.grad.norm()) < 1e-5 * float(before)
    assert found.decrease == pytest.approx(float(before - value.detach()), rel=1e-9)


def test_few_updates_come_near():
    w, s = 0.6 ** torch.arange(40, dtype=torch.float64), random_moment(40, 2)
    least = solve_small(w, s, 3.0, 2000, 1e-16).decrease
    found = solve_small(w, s, 3.0, 20, 1e-3)
    assert found.converged and found.decrease > 0.995 * least
    assert not solve_small(w, s, 3.0, 1, 1e-3).converged


def test_what_is_there_already_stays():
    w = torch.tensor([2.0, 1.0], dtype=torch.float64)
    found = solve_small(w, torch.diag(w), 1.0, 10, 1e-3)
    assert torch.equal(found.b, torch.eye(2, dtype=torch.float64)) and found.decrease == 0
