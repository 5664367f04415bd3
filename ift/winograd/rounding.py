"""Filters of bfloat16 whose errors make up for each other, as far as a tile's results go.

One factor is rounded after the other, and those that are still to come take up what it is off by, so that the results
are off the least (Hassibi and Stork, "Optimal Brain Surgeon", 1993; Frantar et al., "GPTQ", 2022). Of errors δ of the
factors the results are off by Aᵀ(δ ⊙ v), v = Bᵀd, in the mean square

    δᵀ Q δ,  Q = (A Aᵀ) ∘ E[v vᵀ],  E[v vᵀ] = Bᵀ E[d dᵀ] B

where inputs d resemble each other like pixels of pictures do, and are taken less the one in the middle of two tiles.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ift.winograd.cook_toom import Nested, as_tensor

_ALIKE = 0.8
"""Correlation of features that are neighbours. With 0.5 or 0.9, results are off by up to a tenth more."""

_RIDGE = 1e-9
"""Added to Q, for what is the middle itself is never off."""


def rounded(factors: Tensor, transforms: Nested) -> Tensor:
    """Factors that multiply transformed inputs, as numbers of bfloat16.

    Args:
        factors: (N, …), one for each product of a tile, G g G'ᵀ.
        transforms: with the points that they are meant for.

    Returns:
        (N, …) bfloat16.
    """
    order, spread = _order_and_spread(transforms)
    values = factors.flatten(1).float()
    results = torch.empty_like(values, dtype=torch.bfloat16)
    errors = torch.empty_like(values)
    for number, place in enumerate(order):
        value = values[place] - spread[:number, number] @ errors[:number]
        results[place] = value
        errors[number] = value - results[place]
    return results.view(factors.shape)


def importance(transforms: Nested) -> Tensor:
    """Q, (N, N)."""
    output, input_ = as_tensor(transforms.output), as_tensor(transforms.input)
    return (output.mT @ output) * (input_ @ _inputs(transforms) @ input_.mT)


@lru_cache
def _order_and_spread(transforms: Nested) -> tuple[list[int], Tensor]:
    """Which factor is rounded when, first what matters most; and what of their errors later ones take up."""
    with torch.inference_mode(False):
        matters = importance(transforms)
        matters.diagonal().add_(_RIDGE * float(matters.diagonal().mean()))
        sizes = as_tensor(transforms.filter).square().sum(1)
        order = torch.argsort(matters.diagonal() * sizes, descending=True)
        upper = torch.linalg.cholesky(torch.linalg.inv(matters[order][:, order]), upper=True)
        return order.tolist(), (upper / upper.diagonal().unsqueeze(1)).float()


def _inputs(transforms: Nested) -> Tensor:
    """E[d dᵀ] of a tile, left or right of the middle of two, with n n' inputs."""
    down, across = transforms.down.products, transforms.across.products
    rows, columns = torch.arange(down).repeat_interleave(across), torch.arange(across).repeat(down)

    def alike(row: Tensor, column: Tensor) -> Tensor:
        return _ALIKE ** ((rows - row).abs() + (columns - column).abs()).double()

    each = alike(rows.unsqueeze(1), columns.unsqueeze(1))
    middle_row = torch.tensor(down // 2)
    middles = [alike(middle_row, torch.tensor(column)) for column in (transforms.across.results, 0)]
    both = [each - middle - middle.unsqueeze(1) + 1 for middle in middles]
    return (both[0] + both[1]) / 2
