"""IFT as the paper writes it, on features, for comparison: no second-moment shortcuts."""

import torch
from torch import Tensor


def loss(F: Tensor, X: Tensor, S: Tensor, lambda_: float) -> Tensor:
    """Eq. 1 for features (C, n) and a style moment (C, C)."""
    n = X.shape[1]
    return ((F - X) ** 2).sum() + lambda_ * ((F @ F.T / n - S) ** 2).sum()


def gradient(F: Tensor, X: Tensor, S: Tensor, lambda_: float) -> Tensor:
    """Eq. 2."""
    n = X.shape[1]
    return 2 * (F - X) + (4 * lambda_ / n) * (F @ F.T / n - S) @ F


def fixed_step(X: Tensor, S: Tensor, lambda_: float, eta: float, n_upd: int) -> Tensor:
    """The published loop."""
    F = X.clone()
    for _ in range(n_upd):
        F = F - eta * gradient(F, X, S, lambda_)
    return F


def best_fixed(F: Tensor, D: Tensor, X: Tensor, S: Tensor, lambda_: float) -> Tensor:
    """The step along −D of least loss: φ is a quartic, so five samples give it exactly, in float64."""
    scale = 1e-30 + (D**2).sum().sqrt()
    etas = torch.linspace(0, 1, 5, dtype=torch.float64) * float((F**2).sum().sqrt() / scale)
    values = torch.stack([loss((F - e * D).double(), X.double(), S.double(), lambda_) for e in etas])
    unit = etas[-1]
    powers = torch.stack([(etas / unit) ** k for k in range(5)], dim=1)
    c = torch.linalg.solve(powers, values)
    slope = torch.stack([c[1], 2 * c[2], 3 * c[3], 4 * c[4]])
    companion = torch.diag(torch.ones(2, dtype=torch.float64), -1)
    companion[:, -1] = -slope[:3] / slope[3]
    roots = torch.linalg.eigvals(companion)
    real = roots[roots.imag.abs() < 1e-6].real
    best = min(real, key=lambda r: sum(c[k] * r**k for k in range(5)))
    return best * unit


def line_search(X: Tensor, S: Tensor, lambda_: float, n_upd: int) -> Tensor:
    """Steepest descent on the features with the exact step."""
    F = X.clone()
    for _ in range(n_upd):
        D = gradient(F, X, S, lambda_)
        F = F - best_fixed(F, D, X, S, lambda_).to(F.dtype) * D
    return F
