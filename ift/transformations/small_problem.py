"""Eq. 1 for r×r matrices in float64, where M is diagonal and B is symmetric, as the best one is.

Near B = I a symmetric change of the entry (i, j) bends the objective by w_i + w_j times 1 + 2μ(w_i + w_j), so that
conjugate gradients along

    Z = Π∘G + (Π∘G)ᵀ,  Π_ij = w_i / ((w_i + w_j) (1 + 2μ(w_i + w_j)))

(G is projected on symmetric matrices, as M measures them, and evened out) need three or four updates.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ift.transformations.conjugacy import polak_ribiere
from ift.transformations.line_search import best_step, quartic


class Solution(NamedTuple):
    """What updates have come to.

    Attributes:
        b: (r, r), B.
        decrease: of the objective, from B = I on.
        converged: whether the last update lowered the objective by less than the tolerance.
    """

    b: Tensor
    decrease: float
    converged: bool


def solve_small(w: Tensor, style: Tensor, mu: float, n_upd: int, tolerance: float) -> Solution:
    """Conjugate gradients (Polak–Ribière, restarted) with exact steps from B = I.

    Args:
        w: (r), the diagonal of M, positive.
        style: (r, r), S.
        mu: μ.
        n_upd: updates at most.
        tolerance: stop when an update lowers the objective by less than this share of it.
    """
    rows = w.unsqueeze(-1)
    sums = w + rows
    evened = rows / (sums * (1 + 2 * mu * sums))
    b, mb, t = torch.eye(len(w), dtype=w.dtype), torch.diag(w), torch.diag(w)
    mismatch = t - style
    first = value = mu * float((mismatch * mismatch).sum())
    gradient = 4 * mu * mismatch
    last_gradient = direction = m_direction = torch.zeros_like(b)
    last_norm = 0.0
    for _ in range(n_upd):
        z = evened * gradient
        z = z + z.mT
        mz = rows * z
        norm, kept = (float((each * mz).sum()) for each in (gradient, last_gradient))
        beta = polak_ribiere(norm, kept, float((gradient * m_direction).sum()), last_norm)
        last_gradient, last_norm = gradient, norm
        direction, m_direction = torch.add(z, direction, alpha=beta), torch.add(mz, m_direction, alpha=beta)
        cross = direction @ mb
        cross = cross + cross.mT
        square = direction @ m_direction
        along = torch.stack([cross, square, mismatch]).flatten(1)
        (crosses, mixed, _), (_, squares, mismatched), _ = (along @ along.mT).tolist()
        slope, length = torch.stack([(gradient * m_direction).sum(), (direction * m_direction).sum()]).tolist()
        eta, change = best_step(*quartic(mu, slope, length, crosses, mismatched, mixed, squares))
        b, mb = torch.sub(b, direction, alpha=eta), torch.sub(mb, m_direction, alpha=eta)
        t = t - eta * cross + eta**2 * square
        mismatch = t - style
        moving = -change > tolerance * value
        value += change
        if not moving:
            return Solution(b, first - value, True)
        gradient = torch.addmm(b, b, mismatch, beta=2, alpha=4 * mu)
        gradient.diagonal().sub_(2)
    return Solution(b, first - value, False)
