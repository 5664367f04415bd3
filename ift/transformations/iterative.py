"""The IFT transformation: from the moments of content and style to the matrix A of F = A X.

Beside A the solvers keep T = A M Aᵀ. An update along D then takes a few products of C×C matrices, whatever the
number of pixels:

    G = 2(A − I) + W A,  W = 4μ(T − S)        A ← A − ηD        T ← T − η(D M Aᵀ + A M Dᵀ) + η² D M Dᵀ

These are four, W A, D M, D M Aᵀ and D M Dᵀ, and two from A = I. A step that is known beforehand needs but three, for
T is then the product of A M and Aᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ift.affine import AffineMap
from ift.errors import DivergenceError
from ift.moments import Moments
from ift.settings import LEVELS, Settings
from ift.transformations.line_search import best_step
from ift.transformations.objective import inner, objective
from ift.transformations.rounding import is_flat, natural_scale


def ift_map(
    content: Moments, style: Moments, level: int, settings: Settings, pixels: Tensor | None = None
) -> AffineMap:
    """The map that `settings` asks for at one level.

    Args:
        content: moments of the content features, batch B.
        style: moments of the style target, batch B or 1.
        level: N, 1 to 4.
        settings: strength or λ, updates, solver, centring; with `iterate="level"` also n_iter.
        pixels: (B,) the n of λ/n; the content's count if not given. A region of a picture takes the whole picture's,
            which scales the paper's λ by the region's share, λ_r = λ·n_r/n, as the authors' code does.

    Raises:
        DivergenceError: the fixed step did not lower the objective.
    """
    update = _centred if settings.centred else _raw
    pixels = content.count if pixels is None else pixels
    step = total = update(content, style, pixels, level, settings)
    for _ in range(settings.n_iter - 1 if settings.iterate == "level" else 0):
        content = step.of_moments(content)
        step = update(content, style, pixels, level, settings)
        total = step.after(total)
    return total


def _raw(content: Moments, style: Moments, pixels: Tensor, level: int, settings: Settings) -> AffineMap:
    """The paper's form: second moments about zero, F = A X."""
    moment = content.second_moment
    mu = _penalty(pixels, natural_scale(content, style, moment), level, settings)
    return AffineMap(_solve(moment, style.second_moment, mu, level, settings))


def _centred(content: Moments, style: Moments, pixels: Tensor, level: int, settings: Settings) -> AffineMap:
    """The mean apart from the rest: F = A (X − μ_c) + m, with A from the covariances and m between the means.

    About nine tenths of a second moment is the mean direction, which hides the others: on contents that lack what
    the style has (a grey photo, a colourful painting) the raw form fills it in from noise long before this one.
    m minimises ‖m − μ_c‖² + κ‖m − μ_s‖².
    """
    # A picture of one colour: what is left is rounding, and A would blow it up a thousandfold.
    covariance = content.covariance.masked_fill(is_flat(content).reshape(-1, 1, 1), 0)
    scale = natural_scale(content, style, covariance)
    mu = _penalty(pixels, scale, level, settings)
    a = _solve(covariance, style.covariance, mu, level, settings)
    kappa = mu.squeeze(-1) * scale.unsqueeze(-1)
    mean = content.mean + kappa / (1 + kappa) * (style.mean - content.mean)
    return AffineMap.about(a, content.mean, mean)


def _penalty(pixels: Tensor, scale: Tensor, level: int, settings: Settings) -> Tensor:
    """μ = λ/n as (B, 1, 1): from the paper's λ, or from κ by λ = κ·n/g with g the trace of the moment to be changed.

    The content term of eq. 1 grows with n and the style term does not, so a fixed λ fades as the resolution
    grows; κ does not. The trace is the natural scale (of a raw moment, its top eigenvalue is about 90 %).
    """
    if settings.lambda_ is not None:
        mu = settings.lambda_[level - 1] / pixels
    else:
        assert settings.strength is not None
        mu = settings.strength[level - 1] / scale.double()
    return mu.to(scale.dtype).reshape(-1, 1, 1)


def _solve(content: Tensor, style: Tensor, mu: Tensor, level: int, settings: Settings) -> Tensor:
    index = level - 1
    style = style.expand_as(content)
    if settings.solver == "fixed_step":
        return _fixed_step(content, style, mu, settings.n_upd[index], settings.eta, LEVELS[index])
    conjugate = settings.solver == "conjugate_gradient"
    return _line_search(content, style, mu, settings.n_upd[index], conjugate=conjugate, tolerance=settings.tolerance)


@dataclass
class _State:
    """An iterate A with T = A M Aᵀ, each (B, C, C); None for A = I."""

    a: Tensor | None
    t: Tensor

    @property
    def matrix(self) -> Tensor:
        """A."""
        return _identity_like(self.t) if self.a is None else self.a

    def gradient(self, style: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
        """G, and T − S."""
        mismatch = self.t - style
        w = 4 * mu * mismatch
        if self.a is None:
            return w, mismatch
        g = torch.baddbmm(self.a, w, self.a, beta=2)
        g.diagonal(dim1=-1, dim2=-2).sub_(2)
        return g, mismatch

    def changes(self, d: Tensor, dm: Tensor) -> tuple[Tensor, Tensor]:
        """D M Aᵀ + A M Dᵀ and D M Dᵀ, given D and D M: T′(η) and T″(η)/2 but for the sign of the first."""
        dma = dm if self.a is None else dm @ self.a.mT
        return dma + dma.mT, dm @ d.mT

    def move(self, eta: Tensor, d: Tensor, cross: Tensor, square: Tensor) -> None:
        """A ← A − ηD; η as (B, 1, 1)."""
        self.a = torch.addcmul(self.matrix, d, eta, value=-1)
        self.t = torch.addcmul(torch.addcmul(self.t, cross, eta, value=-1), square, eta**2)


def _fixed_step(content: Tensor, style: Tensor, mu: Tensor, n_upd: int, eta: float, level: str) -> Tensor:
    """The published update F ← F − η dl/dF, n_upd times."""
    state, am = _State(None, content), content
    for _ in range(n_upd):
        g, _ = state.gradient(style, mu)
        a, am = torch.sub(state.matrix, g, alpha=eta), torch.sub(am, g @ content, alpha=eta)
        state = _State(a, am @ a.mT)
    a = state.matrix
    before = objective(_identity_like(content), content, style, mu)
    after = objective(a, content, style, mu)
    # Negated so that NaN counts as divergence.
    if not bool((after <= before * (1 + 1e-5)).all()):
        raise DivergenceError(
            f"the fixed step η = {eta:g} diverged at {level} (objective {float(before.max()):.3g} -> "
            f"{float(after.max()):.3g} after {n_upd} updates): use the solver conjugate_gradient or line_search, "
            "or lower eta, lambda_ or strength"
        )
    return a


def _line_search(
    content: Tensor, style: Tensor, mu: Tensor, n_upd: int, *, conjugate: bool, tolerance: float
) -> Tensor:
    """Updates with the exact best step along −G, or along conjugate directions (Polak–Ribière, restarted)."""
    state = _State(None, content)
    scalar_mu = mu.reshape(-1).double()
    value = scalar_mu * inner(content - style, content - style)  # at A = I nothing has changed yet
    moving = torch.ones_like(value, dtype=torch.bool)
    last: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
    for _ in range(n_upd):
        g, mismatch = state.gradient(style, mu)
        gm = g @ content
        norm = inner(g, gm)
        if not conjugate or last is None:
            d, dm = g, gm
        else:
            last_d, last_dm, last_g, last_norm = last
            beta = ((norm - inner(last_g, gm)) / last_norm).clamp_min(0).nan_to_num(0, 0, 0)
            # A direction that does not descend is given up for the gradient.
            beta = torch.where(norm + beta * inner(last_dm, g) > 0, beta, 0).reshape(-1, 1, 1)
            beta = beta.to(g.dtype)
            d, dm = torch.addcmul(g, last_d, beta), torch.addcmul(gm, last_dm, beta)
        last = (d, dm, g, norm)
        cross, square = state.changes(d, dm)
        quartic = torch.stack(
            [
                -inner(d, gm),
                inner(d, dm) + scalar_mu * (inner(cross, cross) + 2 * inner(mismatch, square)),
                -2 * scalar_mu * inner(cross, square),
                scalar_mu * inner(square, square),
            ],
            dim=-1,
        )
        eta = torch.where(moving, best_step(quartic), 0)
        decrease = -(eta.unsqueeze(-1) ** torch.arange(1, 5, device=eta.device) * quartic).sum(-1)
        state.move(eta.to(mu.dtype).reshape(-1, 1, 1), d, cross, square)
        # Each picture of a batch stops by itself, so that its result does not depend on its neighbours.
        # What is left at a decrease below rounding is noise, and a step along noise leads anywhere.
        moving = moving & (decrease > max(tolerance, 4 * torch.finfo(mu.dtype).eps) * value)
        value = value - decrease
        if not bool(moving.any()):
            break
    return state.matrix


def _identity_like(matrix: Tensor) -> Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
