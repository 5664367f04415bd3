"""The few directions in which M and S have most of what they have."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_SMALLEST = 1e-30
"""Stands for the length of what is zero."""

_RIDGE = 1e-12
"""Added to the Gram matrix of rows of length 1, some of which may be alike."""


def leading(content: Tensor, style: Tensor, rank: int) -> Tensor:
    """Orthonormal rows among which are the leading directions of M and, apart from those, of S.

    By a randomised subspace iteration of each (Halko, Martinsson and Tropp, "Finding Structure with Randomness", 2011).

    Args:
        content: (C, C), M.
        style: (C, C), S.
        rank: directions of each, at most C / 2.

    Returns:
        (2·rank, C) float64, U.
    """
    found = []
    for number, moment in enumerate((content, style)):
        rows = random_rows(number, rank, moment.shape[-1], moment.dtype, moment.device)
        rows = _orthonormal(rows @ moment).to(moment.dtype)  # else two of them would leave but the first direction
        found.append(rows @ moment)
    return _orthonormal(torch.cat(found))


@lru_cache
def random_rows(seed: int, rank: int, channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(rank, channels) of independent normal numbers, the same ones for a seed."""
    with torch.inference_mode(False):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(rank, channels, generator=generator, dtype=torch.float64).to(device, dtype)


def _orthonormal(rows: Tensor) -> Tensor:
    """Rows in float64 that span the same, by Cholesky's factor of their Gram matrix."""
    rows = rows.double()
    rows = rows / rows.norm(dim=-1, keepdim=True).clamp_min(_SMALLEST)
    gram = rows @ rows.mT
    gram.diagonal().add_(_RIDGE)
    factor, _ = torch.linalg.cholesky_ex(gram)
    basis: Tensor = torch.linalg.solve_triangular(factor, rows, upper=False)
    return basis
