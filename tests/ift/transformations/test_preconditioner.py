import pytest
import torch

from ift.transformations.iterative import _line_search
from ift.transformations.objective import objective
from ift.transformations.preconditioner import RANK, Preconditioner, preconditioner
from ift.transformations.updates import Problem


def content(channels, rank, seed=0, batch=2, noise=0.0):
    """M of a few directions, and of noise if asked for."""
    g = torch.Generator().manual_seed(seed)
    directions = torch.randn(batch, channels, rank, generator=g, dtype=torch.float64)
    directions *= 2.0 ** -torch.arange(rank)
    noisy = noise * torch.randn(batch, channels, 3 * channels, generator=g, dtype=torch.float64)
    return directions @ directions.mT / rank + noisy @ noisy.mT / noisy.shape[-1]


def as_matrix(given: Preconditioner):
    eye = torch.eye(given.y.shape[1], dtype=torch.float64)
    return eye - given.y.double() @ given.k @ given.y.mT.double()


@pytest.mark.parametrize("kappa", [0.1, 5.0, 40.0])
def test_of_few_directions_it_is_the_inverse_of_what_bends_the_objective(kappa):
    m = content(256, RANK - 2)
    mu = (kappa / m.diagonal(dim1=-1, dim2=-2).sum(-1)).reshape(-1, 1, 1)
    found = preconditioner(m, mu)
    exact = torch.linalg.inv(torch.eye(256, dtype=torch.float64) + 2 * mu * m)
    torch.testing.assert_close(as_matrix(found), exact, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.my, m @ found.y)


@pytest.mark.parametrize("kappa", [1e-3, 5.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_positive_and_shortens(kappa, dtype):
    m = content(256, 20, noise=0.3).to(dtype)
    mu = (kappa / m.diagonal(dim1=-1, dim2=-2).sum(-1)).reshape(-1, 1, 1)
    eigenvalues = torch.linalg.eigvalsh(as_matrix(preconditioner(m, mu)))
    assert float(eigenvalues.min()) > 0 and float(eigenvalues.max()) < 1 + 1e-6


def test_a_black_picture_needs_none():
    eye = torch.eye(256, dtype=torch.float64)
    torch.testing.assert_close(as_matrix(preconditioner(torch.zeros(1, 256, 256), torch.ones(1, 1, 1)))[0], eye)


def test_of_few_channels_an_update_is_too_short_for_one():
    assert preconditioner(content(64, 4), torch.ones(2, 1, 1)) is None


def test_fewer_updates_to_the_same_minimum():
    """Of a content with a few strong directions, as features have."""
    m, s = content(256, 12, 1, noise=0.3), content(256, 12, 2, noise=0.3)
    mu = (5.0 / m.diagonal(dim1=-1, dim2=-2).sum(-1)).reshape(-1, 1, 1)
    with_it = Problem.of(m, s, mu, conjugate=True)
    without = with_it._replace(preconditioner=None)

    def reached(problem, n_upd):
        return objective(_line_search(problem, n_upd, 0.0), m, s, mu)

    least = reached(without, 300)
    torch.testing.assert_close(reached(with_it, 300), least, rtol=1e-6, atol=0)
    assert bool((reached(with_it, 4) - least < 0.5 * (reached(without, 4) - least)).all())
