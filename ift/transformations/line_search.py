"""The exact line search: along −G the objective is a quartic in the step η, minimised in closed form."""

from __future__ import annotations

import math


def quartic(
    mu: float, slope: float, length: float, crosses: float, mismatched: float, mixed: float, squares: float
) -> tuple[float, float, float, float]:
    """c₁ … c₄ of the objective along −D, given T ← T − η C + η² Q.

    Args:
        mu: μ.
        slope: ⟨D, M G⟩.
        length: ⟨D, M D⟩.
        crosses: ⟨C, C⟩.
        mismatched: ⟨T − S, Q⟩.
        mixed: ⟨C, Q⟩.
        squares: ⟨Q, Q⟩.
    """
    return -slope, length + mu * (crosses + 2 * mismatched), -2 * mu * mixed, mu * squares


def best_step(c1: float, c2: float, c3: float, c4: float) -> tuple[float, float]:
    """The step of least objective, and by how much the objective changes.

    In plain floats: a hundred operations on a handful of numbers cost a tenth of what tensors would.

    Args:
        c1: of φ(η) = c₁η + c₂η² + c₃η³ + c₄η⁴, not positive.
        c2: the same of η².
        c3: of η³.
        c4: of η⁴, not negative.

    Returns:
        The global minimiser η of φ, and φ(η) ≤ 0; both 0 where the gradient vanishes or a coefficient is not finite.
    """
    if not all(map(math.isfinite, (c1, c2, c3, c4))):
        return 0.0, 0.0
    # In units of the Newton-like step s = −c₁/c₂ (or of the pure quartic's) the coefficients are near 1.
    s = -c1 / c2 if c2 > 0 else max(-c1 / c4, 0.0) ** (1 / 3) if c4 > 0 else 1.0
    if not 0 < s < math.inf:
        s = 1.0
    slope = (4 * c4 * s * s * s * s, 3 * c3 * s * s * s, 2 * c2 * s * s, c1 * s)
    largest = max(map(abs, slope)) or 1.0
    near = [s * root for root in _real_roots(*(term / largest for term in slope))]
    candidates = [_polished(step, c1, c2, c3, c4) for step in (*near, *_far_points(c2, c3, c4))]
    values = [(step * (c1 + step * (c2 + step * (c3 + step * c4))), step) for step in candidates]
    # No candidate may be worse than not to move, and what has left the range of numbers is none (NaN compares false).
    change, step = min((pair for pair in values if -math.inf < pair[0] < 0), default=(0.0, 0.0))
    return step, change


def _far_points(c2: float, c3: float, c4: float) -> list[float]:
    """Stationary points so far away that c₁ does not matter and that near units cannot resolve."""
    if c4 <= 0:
        return []
    root = math.sqrt(max(9 * c3 * c3 - 32 * c2 * c4, 0.0))
    # The larger root first and the smaller from their product, so that nothing cancels.
    larger = -3 * c3 - math.copysign(root, c3)
    return [larger / (8 * c4), 4 * c2 / larger] if larger else []


def _polished(step: float, c1: float, c2: float, c3: float, c4: float) -> float:
    """Two Newton steps on φ′, where φ″ allows: they repair what cancellation cost the closed form."""
    for _ in range(2):
        curvature = 2 * c2 + step * (6 * c3 + step * 12 * c4)
        if curvature > 0:
            step -= (c1 + step * (2 * c2 + step * (3 * c3 + step * 4 * c4))) / curvature
    return step


def _real_roots(a: float, b: float, c: float, d: float) -> list[float]:
    """The real roots of aη³ + bη² + cη + d, and that of bη² + cη + d where it rises, for a ≈ 0."""
    lower = _rising_root(b, c, d)
    if not abs(a) > 1e-14:
        return [lower]
    shift = b / (3 * a)
    p = c / a - 3 * shift * shift
    q = 2 * shift * shift * shift - shift * c / a + d / a
    discriminant = q * q / 4 + p * p * p / 27
    if discriminant > 0:
        # One real root (Cardano), written so that the two cube roots never cancel.
        u = _cube_root(-q / 2 - math.copysign(math.sqrt(discriminant), q))
        roots = [u - p / (3 * u) if u else 0.0]
    elif p < 0:
        # Three real roots (Viète).
        radius = 2 * math.sqrt(-p / 3)
        angle = math.acos(max(-1.0, min(1.0, 3 * q / (p * radius)))) / 3
        roots = [radius * math.cos(angle - turn * 2 * math.pi / 3) for turn in range(3)]
    else:
        roots = [0.0]
    return [root - shift for root in roots] + [lower]


def _rising_root(b: float, c: float, d: float) -> float:
    """The root of bη² + cη + d at which it rises: a minimum of what it is the slope of."""
    denominator = c + math.sqrt(max(c * c - 4 * b * d, 0.0))
    return -2 * d / denominator if denominator > 0 else 0.0


def _cube_root(x: float) -> float:
    return math.copysign(abs(x) ** (1 / 3), x)
