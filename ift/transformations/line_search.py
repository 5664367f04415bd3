"""The exact line search: along −G the objective is a quartic in the step η, minimised in closed form."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TINY = 1e-300

Array = NDArray[np.float64]


def best_step(quartic: Tensor) -> Tensor:
    """The step of least objective.

    Args:
        quartic: (B, 4) float64, c₁ … c₄ of φ(η) = c₁η + c₂η² + c₃η³ + c₄η⁴, with c₁ ≤ 0 ≤ c₄.

    Returns:
        (B,) float64, the global minimiser of φ; 0 where the gradient vanishes.
    """
    # In NumPy: for a handful of numbers, a hundred small operations cost a fifth of what they cost in PyTorch.
    with np.errstate(all="ignore"):
        step = _best_step(quartic.cpu().numpy())
    return torch.from_numpy(step).to(quartic.device)


def _best_step(quartic: Array) -> Array:
    c1, c2, _, c4 = quartic.T
    # In units of the Newton-like step s = −c₁/c₂ (or of the pure quartic's) the coefficients are near 1.
    scale = np.where(c2 > 0, -c1 / _positive(c2), np.cbrt(np.maximum(-c1 / _positive(c4), 0)))
    scale = np.where(np.isfinite(scale) & (scale > 0), scale, 1)
    scaled = quartic * scale[:, None] ** np.arange(1, 5)
    scaled /= _positive(np.abs(scaled).max(-1, keepdims=True))
    near = _real_roots(4 * scaled[:, 3], 3 * scaled[:, 2], 2 * scaled[:, 1], scaled[:, 0]) * scale[:, None]
    candidates = _polish(np.concatenate([near, _far_points(quartic)], axis=-1), quartic)
    values = _quartic(candidates, quartic)
    values = np.where(np.isfinite(values), values, np.inf)
    best = values.argmin(-1, keepdims=True)
    step: Array = np.take_along_axis(candidates, best, -1)[:, 0]
    # No candidate may be worse than not to move.
    return np.where(values.min(-1) < 0, step, 0)


def _far_points(quartic: Array) -> Array:
    """Stationary points so far away that c₁ does not matter and that near units cannot resolve, (B, 2)."""
    _, c2, c3, c4 = quartic.T
    root = np.sqrt(np.maximum(9 * c3**2 - 32 * c2 * c4, 0))
    # The larger root first and the smaller from their product, so that nothing cancels.
    larger = -3 * c3 - np.where(c3 < 0, -root, root)
    return np.stack([larger / _positive(8 * c4), 4 * c2 / np.where(larger == 0, 1, larger)], axis=-1)


def _quartic(eta: Array, c: Array) -> Array:
    c1, c2, c3, c4 = c.T[..., None]
    value: Array = eta * (c1 + eta * (c2 + eta * (c3 + eta * c4)))
    return value


def _polish(eta: Array, c: Array) -> Array:
    """Two Newton steps on φ′, where φ″ allows: they repair what cancellation cost the closed form."""
    c1, c2, c3, c4 = c.T[..., None]
    for _ in range(2):
        slope = c1 + eta * (2 * c2 + eta * (3 * c3 + eta * 4 * c4))
        curvature = 2 * c2 + eta * (6 * c3 + eta * 12 * c4)
        eta = np.where(curvature > 0, eta - slope / _positive(curvature), eta)
    return eta


def _real_roots(a: Array, b: Array, c: Array, d: Array) -> Array:
    """The roots of aη³ + bη² + cη + d, (B,) each to (B, 4).

    Three by the cubic formula (a pair of complex roots gives its real part, harmless as a candidate) and that of
    the lower-degree equation, for a ≈ 0.
    """
    cubic = np.abs(a) > 1e-14
    safe = np.where(cubic, a, 1)
    shift = b / (3 * safe)
    p = c / safe - 3 * shift**2
    q = 2 * shift**3 - shift * c / safe + d / safe
    discriminant = q**2 / 4 + p**3 / 27
    # One real root (Cardano), written so that the two cube roots never cancel.
    radical = np.sqrt(np.maximum(discriminant, 0))
    u = np.cbrt(-q / 2 - np.where(q < 0, -radical, radical))
    single = u - np.where(u != 0, p / (3 * np.where(u != 0, u, 1)), 0)
    # Three real roots (Viète).
    radius = 2 * np.sqrt(np.maximum(-p, 0) / 3)
    cosine = np.where(p < 0, 3 * q / (np.minimum(p, -_TINY) * _positive(radius)), 0)
    angle = np.arccos(np.clip(cosine, -1, 1)) / 3
    triple = radius[:, None] * np.cos(angle[:, None] - np.arange(3) * (2 * math.pi / 3))
    roots = np.where((discriminant > 0)[:, None], single[:, None], triple) - shift[:, None]
    lower = _quadratic_root(b, c, d)[:, None]
    return np.concatenate([np.where(cubic[:, None], roots, lower), lower], axis=-1)


def _quadratic_root(b: Array, c: Array, d: Array) -> Array:
    """The root of bη² + cη + d at which it rises: a minimum of what it is the slope of."""
    denominator = c + np.sqrt(np.maximum(c**2 - 4 * b * d, 0))
    return np.where(denominator > 0, -2 * d / _positive(denominator), 0)


def _positive(x: Array) -> Array:
    positive: Array = np.maximum(x, _TINY)
    return positive
