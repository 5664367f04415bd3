import torch

from ift.transformations.subspace import leading


def moment(channels, eigenvalues, seed):
    """(C, C) float64 with these eigenvalues in random directions, (r, C), which are given too."""
    g = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(channels, len(eigenvalues), generator=g, dtype=torch.float64))
    return q @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ q.mT, q.mT


def test_rows_are_orthonormal_and_the_same_each_time():
    m, _ = moment(64, [2.0**-i for i in range(64)], 0)
    s, _ = moment(64, [3.0**-i for i in range(64)], 1)
    u = leading(m.float(), s.float(), 8)
    assert u.shape == (16, 64) and u.dtype == torch.float64
    torch.testing.assert_close(u @ u.mT, torch.eye(16, dtype=torch.float64), atol=1e-9, rtol=0)
    assert torch.equal(u, leading(m.float(), s.float(), 8))


def test_all_that_moments_of_few_directions_have_is_found():
    """Also where one direction has a million times what the last has, as raw moments do."""
    m, of_m = moment(96, [1.0, 1e-3, 1e-4, 1e-5, 1e-6], 0)
    s, of_s = moment(96, [1.0, 0.9, 0.8, 0.7, 0.6], 1)
    u = leading(m, s, 5)
    for directions in (of_m, of_s):
        torch.testing.assert_close(directions @ u.mT @ u, directions, atol=1e-6, rtol=0)


def test_of_many_directions_the_leading_ones_are_found():
    m, of_m = moment(128, [1.0, 0.5, 0.25, *[1e-2] * 125], 0)
    s, of_s = moment(128, [1.0, 0.5, 0.25, *[1e-2] * 125], 1)
    u = leading(m.float(), s.float(), 16)
    for directions in (of_m[:3], of_s[:3]):
        assert float((directions @ u.mT @ u).norm(dim=-1).min()) > 0.999
