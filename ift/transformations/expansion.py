"""A in closed form: the answer within a few directions, and to first order beside them.

Where the gradient (eq. 2) vanishes, B (I + 2μ(BMB − S)) = I with a symmetric B = A. Of M and S little lies outside of
a few directions. Be those the rows of U, and what is within them the answer of a problem of small matrices,

    B_r (I + 2μ(B_r M_r B_r − S_r)) = I,  M_r = U M Uᵀ,  S_r = U S Uᵀ.

Then all else is small, and follows from linear equations, but for terms of second order: with P = I − UᵀU,

    U B P = X P,  X = 2μ J (U S − B_r U M),  J = (I + 2μ(B_r M_r B_r − S_r + B_r M_r))⁻¹
    P B P = P V P,  V = I + 2μ(S − M)

which is B = V + UᵀN + NᵀU with N = X P − U V + ½ (B_r + U V Uᵀ) U. No product is of C×C matrices only. How much is left
to gain is then sampled: R = (I + 2μ(BMB − S)) B − I is half of the gradient, and tr(R M Rᵀ) the decrease that
it promises where the objective bends as its content term does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ift.transformations.small_problem import solve_small
from ift.transformations.subspace import leading, random_rows

_PROBES = 8
"""Rows that sample what is left: they are off by a factor of 0.4 to 2.6."""

_PROMISED = 3.0
"""How many times the tolerance may be promised: a tenth to a third of it comes true."""

_HOPELESS = 0.1
"""A promise of so much of the objective, and twice as many directions would not do either."""

_FAINTEST = 1e-6
"""How much less M may have in one of the directions than in another. Where it has nothing, B may be anything."""


def expansion(content: Tensor, style: Tensor, mu: float, n_upd: int, tolerance: float) -> Tensor | None:
    """A of eq. 1, or None where it is not to be had in this way.

    Args:
        content: (C, C), M.
        style: (C, C), S.
        mu: μ = λ/n.
        n_upd: updates at most, of the small problem.
        tolerance: what an update may lower the objective by when updates are to end, as a share of it.
    """
    rank = math.isqrt(2 * len(content))
    for directions in (rank, 2 * rank):
        if 2 * directions > len(content):
            break
        found = _expansion(content, style, mu, directions, n_upd, tolerance)
        if found is None:
            break
        if found.promised <= _PROMISED * tolerance * found.objective:
            return found.matrix
        if not found.promised <= _HOPELESS * found.objective:
            break
    return None


class _Candidate(NamedTuple):
    """What may be the answer.

    Attributes:
        matrix: (C, C), A.
        objective: about what it comes to.
        promised: the decrease that may be had beside it; not a number where there is none.
    """

    matrix: Tensor
    objective: float
    promised: float


def _expansion(content: Tensor, style: Tensor, mu: float, rank: int, n_upd: int, tolerance: float) -> _Candidate | None:
    """With so many directions of M and of S; None where M sees too little of them, or they lead nowhere."""
    wide = leading(content, style, rank)
    u = wide.to(content.dtype)
    u_content, u_style = u @ content, u @ style
    small_content, small_style = _symmetric(u_content.double() @ wide.mT), _symmetric(u_style.double() @ wide.mT)
    small_content, small_style = small_content.cpu(), small_style.cpu()
    if not bool(torch.isfinite(small_content).all() & torch.isfinite(small_style).all()):
        return None
    w, turn = torch.linalg.eigh(small_content)
    if not float(w[0]) > _FAINTEST * float(w[-1]):
        return None
    solution = solve_small(w, turn.mT @ small_style @ turn, mu, n_upd, tolerance)
    if not solution.converged or not solution.decrease > 0:
        return None
    b = turn @ solution.b @ turn.mT
    b_content = b @ small_content
    eye = torch.eye(len(b), dtype=b.dtype)
    j, _ = torch.linalg.inv_ex(eye + 2 * mu * (b_content @ b - small_style + b_content))

    b, j = (each.to(u) for each in (b, j))
    mismatch = content - style
    objective = mu * float(torch.linalg.vector_norm(mismatch, dtype=torch.float64)) ** 2 - solution.decrease
    v = mismatch.mul_(-2 * mu)
    v.diagonal().add_(1)
    x = 2 * mu * (j @ (u_style - b @ u_content))
    uv = u + 2 * mu * (u_style - u_content)
    n = x - uv + (0.5 * (b + uv @ u.mT) - x @ u.mT) @ u
    matrix = v.addmm_(torch.cat([u, n]).mT, torch.cat([n, u]))

    probes = random_rows(2, _PROBES, len(content), content.dtype, content.device)
    t = probes @ matrix @ content @ matrix
    r = torch.addmm(-probes, probes + 2 * mu * (t - probes @ style), matrix)
    promised = float((r.double() * (r @ content).double()).sum()) / _PROBES
    return _Candidate(matrix, objective, promised)


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.mT)
