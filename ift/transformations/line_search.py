"""The exact line search: along −G the objective is a quartic in the step η, minimised in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TINY = 1e-300


def best_step(quartic: Tensor) -> Tensor:
    """The step of least objective.

    Args:
        quartic: (B, 4) float64, c₁ … c₄ of φ(η) = c₁η + c₂η² + c₃η³ + c₄η⁴, with c₁ ≤ 0 ≤ c₄.

    Returns:
        (B,) float64, the global minimiser of φ; 0 where the gradient vanishes.
    """
    c1, c2, _, c4 = quartic.unbind(-1)
    # In units of the Newton-like step s = −c₁/c₂ (or of the pure quartic's) the coefficients are near 1.
    scale = torch.where(c2 > 0, -c1 / c2.clamp_min(_TINY), (-c1 / c4.clamp_min(_TINY)).clamp_min(0) ** (1 / 3))
    scale = torch.where(torch.isfinite(scale) & (scale > 0), scale, torch.ones_like(scale))
    powers = torch.stack([scale, scale**2, scale**3, scale**4], dim=-1)
    scaled = quartic * powers
    scaled = scaled / scaled.abs().amax(-1, keepdim=True).clamp_min(_TINY)
    near = _real_roots(4 * scaled[:, 3], 3 * scaled[:, 2], 2 * scaled[:, 1], scaled[:, 0]) * scale.unsqueeze(-1)
    candidates = _polish(torch.cat([near, _far_points(quartic)], dim=-1), quartic)
    values = _quartic(candidates, quartic)
    values = torch.where(torch.isfinite(values), values, torch.full_like(values, math.inf))
    step = candidates.gather(-1, values.argmin(-1, keepdim=True)).squeeze(-1)
    # No candidate may be worse than not to move.
    return torch.where(values.amin(-1) < 0, step, torch.zeros_like(step))


def _far_points(quartic: Tensor) -> Tensor:
    """Stationary points so far away that c₁ does not matter and that near units cannot resolve, (B, 2)."""
    _, c2, c3, c4 = quartic.unbind(-1)
    root = (9 * c3**2 - 32 * c2 * c4).clamp_min(0).sqrt()
    # The larger root first and the smaller from their product, so that nothing cancels.
    larger = -3 * c3 - torch.where(c3 < 0, -root, root)
    first = larger / (8 * c4).clamp_min(_TINY)
    second = 4 * c2 / torch.where(larger == 0, torch.ones_like(larger), larger)
    return torch.stack([first, second], dim=-1)


def _quartic(eta: Tensor, c: Tensor) -> Tensor:
    c1, c2, c3, c4 = (x.unsqueeze(-1) for x in c.unbind(-1))
    return eta * (c1 + eta * (c2 + eta * (c3 + eta * c4)))


def _polish(eta: Tensor, c: Tensor) -> Tensor:
    """Two Newton steps on φ′, where φ″ allows: they repair what cancellation cost the closed form."""
    c1, c2, c3, c4 = (x.unsqueeze(-1) for x in c.unbind(-1))
    for _ in range(2):
        slope = c1 + eta * (2 * c2 + eta * (3 * c3 + eta * 4 * c4))
        curvature = 2 * c2 + eta * (6 * c3 + eta * 12 * c4)
        eta = torch.where(curvature > 0, eta - slope / curvature.clamp_min(_TINY), eta)
    return eta


def _real_roots(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The roots of aη³ + bη² + cη + d, (B,) each to (B, 4).

    Three by the cubic formula (a pair of complex roots gives its real part, harmless as a candidate) and that of
    the lower-degree equation, for a ≈ 0.
    """
    cubic = a.abs() > 1e-14
    safe = torch.where(cubic, a, torch.ones_like(a))
    shift = b / (3 * safe)
    p = c / safe - 3 * shift**2
    q = 2 * shift**3 - shift * c / safe + d / safe
    discriminant = q**2 / 4 + p**3 / 27
    # One real root (Cardano), written so that the two cube roots never cancel.
    radical = discriminant.clamp_min(0).sqrt()
    u = _cube_root(-q / 2 - torch.where(q < 0, -radical, radical))
    single = u - torch.where(u != 0, p / (3 * torch.where(u != 0, u, torch.ones_like(u))), torch.zeros_like(u))
    # Three real roots (Viète).
    radius = 2 * (-p.clamp_max(0) / 3).sqrt()
    cosine = torch.where(p < 0, 3 * q / (p.clamp_max(-_TINY) * radius.clamp_min(_TINY)), torch.zeros_like(q))
    angle = torch.arccos(cosine.clamp(-1, 1)) / 3
    turns = torch.arange(3, dtype=a.dtype, device=a.device) * (2 * math.pi / 3)
    triple = radius.unsqueeze(-1) * torch.cos(angle.unsqueeze(-1) - turns)
    roots = torch.where((discriminant > 0).unsqueeze(-1), single.unsqueeze(-1), triple) - shift.unsqueeze(-1)
    lower = _quadratic_root(b, c, d)
    roots = torch.where(cubic.unsqueeze(-1), roots, lower.unsqueeze(-1))
    return torch.cat([roots, lower.unsqueeze(-1)], dim=-1)


def _quadratic_root(b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The root of bη² + cη + d at which it rises: a minimum of what it is the slope of."""
    denominator = c + (c**2 - 4 * b * d).clamp_min(0).sqrt()
    return torch.where(denominator > 0, -2 * d / denominator.clamp_min(_TINY), torch.zeros_like(d))


def _cube_root(x: Tensor) -> Tensor:
    return x.sign() * x.abs() ** (1 / 3)
