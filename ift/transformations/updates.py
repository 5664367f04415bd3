"""The updates of IFT (eqs. 1 and 2) along the gradient or conjugate directions, as a few products of C×C matrices.

An iterate is A, with T = A M Aᵀ beside it. An update along D then takes, whatever the number of pixels:

    G = 2(A − I) + W A,  W = 4μ(T − S)        A ← A − ηD        T ← T − η(D M Aᵀ + A M Dᵀ) + η² D M Dᵀ

These are four products, W A, G M, D M Aᵀ and D M Dᵀ, and two from A = I. How far to go is decided elsewhere: an
update says what the objective will be, as a quartic in η, and is told η.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ift.transformations.objective import gradient, inner


class Problem(NamedTuple):
    """What eq. 1 is about: (B, C, C) M of the content, (B, C, C) S of the style, (B, 1, 1) μ = λ/n."""

    content: Tensor
    style: Tensor
    mu: Tensor


class Iterate(NamedTuple):
    """Where the updates have come to, and where they go next.

    Attributes:
        a: (B, C, C) A.
        t: A M Aᵀ.
        direction: D.
        direction_m: D M.
        cross: D M Aᵀ + A M Dᵀ, by which T changes at first.
        square: D M Dᵀ, by which that changes.
        gradient: G, float64.
        norm: (B,) ⟨G, G M⟩, float64: the squared length of dl/dF per pixel.
        length: (B,) ⟨D, D M⟩, float64: the same of the direction.
    """

    a: Tensor
    t: Tensor
    direction: Tensor
    direction_m: Tensor
    cross: Tensor
    square: Tensor
    gradient: Tensor
    norm: Tensor
    length: Tensor

    def matrix(self, eta: Tensor) -> Tensor:
        """A − ηD, η as (B, 1, 1)."""
        return torch.addcmul(self.a, self.direction, eta, value=-1)


def start(problem: Problem) -> tuple[Iterate, Tensor]:
    """A = I, and where to go from it.

    Returns:
        The iterate, and (B, 5) float64: c₁ … c₄ of the objective's change c₁η + c₂η² + c₃η³ + c₄η⁴, and its value.
    """
    content, style, mu = problem
    mismatch = content - style
    g = 4 * mu * mismatch
    gm = g @ content
    wide, wide_mismatch = g.double(), mismatch.double()
    norm = inner(wide, gm.double())
    iterate = Iterate(_identity_like(content), content, g, gm, gm + gm.mT, gm @ g.mT, wide, norm, norm)
    value = mu.reshape(-1).double() * inner(wide_mismatch, wide_mismatch)  # nothing has changed yet
    return iterate, torch.cat([_quartic(mu, iterate, norm, wide_mismatch), value.unsqueeze(-1)], -1)


def advance(problem: Problem, last: Iterate, eta: Tensor, *, conjugate: bool) -> tuple[Iterate, Tensor]:
    """Goes on by η, and says where to go from there.

    Args:
        problem: that `last` belongs to.
        last: where the updates are.
        eta: (B, 1, 1) how far to go along its direction.
        conjugate: along conjugate directions (Polak–Ribière, restarted) instead of −G.

    Returns:
        The iterate, and (B, 4) float64: c₁ … c₄ of the objective's change.
    """
    content, style, mu = problem
    a = last.matrix(eta)
    t = torch.addcmul(torch.addcmul(last.t, last.cross, eta, value=-1), last.square, eta**2)
    mismatch = t - style
    g = gradient(a, mismatch, mu)
    gm = g @ content
    # Each matrix is widened once for all its inner products: that takes longer than they do.
    wide, wide_gm = g.double(), gm.double()
    norm = slope = length = inner(wide, wide_gm)
    d, dm = g, gm
    if conjugate:
        along = inner(last.direction_m.double(), wide)  # ⟨D, G M⟩ of the last direction
        beta = ((norm - inner(last.gradient, wide_gm)) / last.norm).clamp_min(0).nan_to_num(0, 0, 0)
        # A direction that does not descend is given up for the gradient.
        beta = torch.where(norm + beta * along > 0, beta, 0).to(g.dtype)
        slope, length = norm + beta * along, norm + beta * (2 * along + beta * last.length)
        beta = beta.reshape(-1, 1, 1)
        d, dm = torch.addcmul(g, last.direction, beta), torch.addcmul(gm, last.direction_m, beta)
    dma = dm @ a.mT
    iterate = Iterate(a, t, d, dm, dma + dma.mT, dm @ d.mT, wide, norm, length)
    return iterate, _quartic(mu, iterate, slope, mismatch.double())


def _quartic(mu: Tensor, iterate: Iterate, slope: Tensor, mismatch: Tensor) -> Tensor:
    """(B, 4) of the objective along −D, given (B,) ⟨D, G M⟩ and T − S in float64."""
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
