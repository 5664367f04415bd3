"""The IFT transformation: from the moments of content and style to the matrix A of F = A X."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.affine import AffineMap
from ift.errors import DivergenceError
from ift.moments import Moments
from ift.settings import LEVELS, Settings
from ift.transformations.descent import descent
from ift.transformations.expansion import expansion
from ift.transformations.line_search import best_step
from ift.transformations.objective import gradient, inner
from ift.transformations.rounding import is_flat, natural_scale
from ift.transformations.updates import Problem


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
    covariance, flat = content.covariance, is_flat(content)
    if bool(flat.any()):  # a picture of one colour: what is left is rounding, and A would blow it up a thousandfold
        covariance = covariance.masked_fill(flat.reshape(-1, 1, 1), 0)
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
    style, n_upd = style.expand_as(content), settings.n_upd[index]
    if settings.solver == "fixed_step":
        return _fixed_step(Problem(content, style, mu), n_upd, settings.eta, LEVELS[index])
    conjugate = settings.solver == "conjugate_gradient"
    found: list[Tensor | None] = [None] * len(content)
    if conjugate and settings.tolerance > 0:
        found = [
            expansion(*picture, n_upd, settings.tolerance)
            for picture in zip(content, style, mu.flatten().tolist(), strict=True)
        ]
    left = [number for number, matrix in enumerate(found) if matrix is None]
    if left:
        problem = Problem.of(content[left], style[left], mu[left], conjugate=conjugate)
        for number, matrix in zip(left, _line_search(problem, n_upd, settings.tolerance), strict=True):
            found[number] = matrix
    return torch.stack([matrix for matrix in found if matrix is not None])


def _fixed_step(problem: Problem, n_upd: int, eta: float, level: str) -> Tensor:
    """The published update F ← F − η dl/dF, n_upd times: B ← B − ηG, B = Aᵀ, with M B beside it for T = BᵀMB.

    Three products an update, for the step is known beforehand.
    """
    content, style, mu, *_ = problem
    eye = torch.eye(content.shape[-1], dtype=content.dtype, device=content.device)
    b, mb, t = eye.expand_as(content), content, content
    for update in range(n_upd):
        mismatch = t - style
        g = gradient(b, mismatch, mu) if update else 4 * mu * mismatch  # from B = I
        b, mb = torch.sub(b, g, alpha=eta), torch.sub(mb, content @ g, alpha=eta)
        t = b.mT @ mb
    before = mu.reshape(-1).double() * inner(content - style, content - style)
    after = inner(mb - content, b - eye) + mu.reshape(-1).double() * inner(t - style, t - style)
    # Negated so that NaN counts as divergence.
    if not bool((after <= before * (1 + 1e-5)).all()):
        raise DivergenceError(
            f"the fixed step η = {eta:g} diverged at {level} (objective {float(before.max()):.3g} -> "
            f"{float(after.max()):.3g} after {n_upd} updates): use the solver conjugate_gradient or line_search, "
            "or lower eta, lambda_ or strength"
        )
    return b.mT.contiguous()


def _line_search(problem: Problem, n_upd: int, tolerance: float) -> Tensor:
    """Updates with the exact best step, until the objective no longer moves.

    The few numbers of each picture are plain floats here, wherever the matrices are.
    """
    least = max(tolerance, 4 * torch.finfo(problem.mu.dtype).eps)
    with descent(problem) as updates:
        first = updates.start()
        quartics, values = [numbers[:4] for numbers in first], [numbers[4] for numbers in first]
        moving, steps = [True] * len(first), [0.0] * len(first)
        for update in range(n_upd):
            if update:
                quartics = updates.advance(steps)
            found = [best_step(*each) if moves else (0.0, 0.0) for each, moves in zip(quartics, moving, strict=True)]
            steps, changes = [step for step, _ in found], [change for _, change in found]
            # Each picture of a batch stops by itself, so that its result does not depend on its neighbours.
            # What is left at a decrease below rounding is noise, and a step along noise leads anywhere.
            moving = [
                moves and -change > least * value for moves, change, value in zip(moving, changes, values, strict=True)
            ]
            values = [value + change for value, change in zip(values, changes, strict=True)]
            if not any(moving):
                break
        return updates.matrix(steps)
