"""The updates of IFT (eqs. 1 and 2) along the gradient or conjugate directions, as a few products of C×C matrices.

As features lie in memory, pixel by pixel, they are Xᵀ, and an iterate is Xᵀ B with B = Aᵀ. Beside it there are M B and
T = A M Aᵀ = BᵀMB. An update along D then takes, whatever the number of pixels:

    G = 2(B − I) + B W,  W = 4μ(T − S)
    Z = P G,  D = Z + β last D                B ← B − ηD        T ← T − η(DᵀMB + BᵀMD) + η² DᵀMD

These are four products, B W, M G, DᵀMB and DᵀMD, and two from B = I. How far to go is decided elsewhere: an update
says what the objective will be, as a quartic in η, and is told η.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ift.transformations.objective import gradient, inner
from ift.transformations.preconditioner import Preconditioner, preconditioner


class Problem(NamedTuple):
    """What eq. 1 is about, and how to get there.

    Attributes:
        content: (B, C, C), M.
        style: (B, C, C), S.
        mu: (B, 1, 1), μ = λ/n.
        conjugate: along conjugate directions (Polak–Ribière, restarted) instead of −G.
        preconditioner: P of these; −G where it is None.
    """

    content: Tensor
    style: Tensor
    mu: Tensor
    conjugate: bool = False
    preconditioner: Preconditioner | None = None

    @classmethod
    def of(cls, content: Tensor, style: Tensor, mu: Tensor, *, conjugate: bool) -> Problem:
        """With a preconditioner for conjugate directions."""
        return cls(content, style, mu, conjugate, preconditioner(content, mu) if conjugate else None)


class Iterate(NamedTuple):
    """Where the updates have come to, and where they go next.

    Attributes:
        b: (B, C, C), the transpose of A.
        mb: M B.
        t: BᵀMB.
        direction: D.
        m_direction: M D.
        cross: DᵀMB + BᵀMD, by which T changes at first.
        square: DᵀMD, by which that changes.
        gradient: G, float64.
        norm: (B,) ⟨G, M Z⟩, float64; without P the squared length of dl/dF per pixel.
        length: (B,) ⟨D, M D⟩, float64: the squared length of the direction.
    """

    b: Tensor
    mb: Tensor
    t: Tensor
    direction: Tensor
    m_direction: Tensor
    cross: Tensor
    square: Tensor
    gradient: Tensor
    norm: Tensor
    length: Tensor

    def matrix(self, eta: Tensor) -> Tensor:
        """A of B − ηD, η as (B, 1, 1)."""
        return torch.addcmul(self.b, self.direction, eta, value=-1).mT.contiguous()


def start(problem: Problem) -> tuple[Iterate, Tensor]:
    """B = I, and where to go from it.

    Returns:
        The iterate, and (B, 5) float64: c₁ … c₄ of the objective's change c₁η + c₂η² + c₃η³ + c₄η⁴, and its value.
    """
    content, style, mu, *_ = problem
    mismatch = content - style
    g = 4 * mu * mismatch
    z, mz = _preconditioned(problem, g)
    wide, wide_mz, wide_mismatch = g.double(), mz.double(), mismatch.double()
    norm = inner(wide, wide_mz)
    length = norm if z is g else inner(z.double(), wide_mz)
    b = _identity_like(content)
    iterate = Iterate(b, content, content, z, mz, mz + mz.mT, z.mT @ mz, wide, norm, length)
    value = mu.reshape(-1).double() * inner(wide_mismatch, wide_mismatch)  # nothing has changed yet
    return iterate, torch.cat([_quartic(mu, iterate, norm, wide_mismatch), value.unsqueeze(-1)], -1)


def advance(problem: Problem, last: Iterate, eta: Tensor) -> tuple[Iterate, Tensor]:
    """Goes on by η, and says where to go from there.

    Args:
        problem: that `last` belongs to.
        last: where the updates are.
        eta: (B, 1, 1) how far to go along its direction.

    Returns:
        The iterate, and (B, 4) float64: c₁ … c₄ of the objective's change.
    """
    _, style, mu, conjugate, _ = problem
    b, mb = (
        torch.addcmul(each, moved, eta, value=-1)
        for each, moved in ((last.b, last.direction), (last.mb, last.m_direction))
    )
    t = torch.addcmul(torch.addcmul(last.t, last.cross, eta, value=-1), last.square, eta**2)
    mismatch = t - style
    g = gradient(b, mismatch, mu)
    d, md = z, mz = _preconditioned(problem, g)
    # Each matrix is widened once for all its inner products: that takes longer than they do.
    wide, wide_mz = g.double(), mz.double()
    wide_z = wide if z is g else z.double()
    norm = slope = inner(wide, wide_mz)
    length = norm if z is g else inner(wide_z, wide_mz)
    if conjugate:
        wide_last = last.m_direction.double()
        along = inner(wide_last, wide)  # ⟨D, M G⟩ of the last direction
        beta = ((norm - inner(last.gradient, wide_mz)) / last.norm).clamp_min(0).nan_to_num(0, 0, 0)
        # A direction that does not descend is given up for the gradient.
        beta = torch.where(norm + beta * along > 0, beta, 0).to(g.dtype)
        across = along if z is g else inner(wide_last, wide_z)  # ⟨D, M Z⟩ of the same
        slope, length = norm + beta * along, length + beta * (2 * across + beta * last.length)
        beta = beta.reshape(-1, 1, 1)
        d, md = torch.addcmul(z, last.direction, beta), torch.addcmul(mz, last.m_direction, beta)
    dmb = d.mT @ mb
    iterate = Iterate(b, mb, t, d, md, dmb + dmb.mT, d.mT @ md, wide, norm, length)
    return iterate, _quartic(mu, iterate, slope, mismatch.double())


def _preconditioned(problem: Problem, g: Tensor) -> tuple[Tensor, Tensor]:
    """Z = P G and M Z, with one product of C×C matrices."""
    mg = problem.content @ g
    if problem.preconditioner is None:
        return g, mg
    y, my, k = problem.preconditioner
    h = (k @ (y.mT @ g).double()).to(g.dtype)
    return torch.baddbmm(g, y, h, alpha=-1), torch.baddbmm(mg, my, h, alpha=-1)


def _quartic(mu: Tensor, iterate: Iterate, slope: Tensor, mismatch: Tensor) -> Tensor:
    """(B, 4) of the objective along −D, given (B,) ⟨D, M G⟩ and T − S in float64."""
    mu = mu.reshape(-1).double()
    cross, square = iterate.cross.double(), iterate.square.double()
    return torch.stack(
        [
            -slope,
            iterate.length + mu * (inner(cross, cross) + 2 * inner(mismatch, square)),
            -2 * mu * inner(cross, square),
            mu * inner(square, square),
        ],
        dim=-1,
    )


def _identity_like(matrix: Tensor) -> Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
