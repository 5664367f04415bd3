"""The objective of IFT (eq. 1) and its gradient (eq. 2) in C×C space.

Every iterate of the updates on features is a matrix times the content, F = A X, so both need only the second
moments M = XXᵀ/n of the content and S of the style, whatever the size of the picture. Throughout, the objective
is divided by the number of pixels n, and μ = λ/n:

    l(F)/n = tr((A − I) M (A − I)ᵀ) + μ‖A M Aᵀ − S‖²          dl/dF = (2(A − I) + 4μ(A M Aᵀ − S) A) X
"""

from __future__ import annotations

import torch
from torch import Tensor


def objective(matrix: Tensor, content: Tensor, style: Tensor, mu: Tensor) -> Tensor:
    """Eq. 1 divided by n.

    Args:
        matrix: (B, C, C), A.
        content: (B, C, C), M.
        style: (B, C, C), S.
        mu: (B, 1, 1), λ/n.

    Returns:
        (B,) the objective per pixel, float64.
    """
    change = matrix - torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    mismatch = matrix @ content @ matrix.mT - style
    return inner(change @ content, change) + mu.reshape(-1).double() * inner(mismatch, mismatch)


def gradient(transposed: Tensor, mismatch: Tensor, mu: Tensor) -> Tensor:
    """Eq. 2 as the matrix with (dl/dF)ᵀ = Xᵀ G, for that is how features lie in memory.

    Args:
        transposed: (B, C, C), B = Aᵀ.
        mismatch: (B, C, C), A M Aᵀ − S.
        mu: (B, 1, 1), λ/n.

    Returns:
        (B, C, C) G = 2(B − I) + 4μ B (A M Aᵀ − S).
    """
    g = torch.baddbmm(transposed, transposed, 4 * mu * mismatch, beta=2)
    g.diagonal(dim1=-1, dim2=-2).sub_(2)
    return g


def inner(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ = tr(a bᵀ) for each matrix of a batch, (B, C, C) twice to (B,) float64: squares may leave float32."""
    a, b = a.flatten(1).double(), b.flatten(1).double()
    if a.device.type == "cpu":
        # Each by itself, without the products in memory that `vecdot` makes: a fifth of the time.
        return torch.stack([torch.dot(mine, other) for mine, other in zip(a, b, strict=True)])
    product: Tensor = torch.linalg.vecdot(a, b)
    return product
