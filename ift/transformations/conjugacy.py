"""How much of the last direction goes into the next, from a few inner products that M measures."""

from __future__ import annotations


def polak_ribiere(norm: float, kept: float, along: float, last_norm: float) -> float:
    """β, of Z + β last D; 0 where the gradient is to be begun with again.

    Args:
        norm: ⟨G, M Z⟩.
        kept: ⟨last G, M Z⟩.
        along: ⟨last D, M G⟩.
        last_norm: `norm` of the last direction; 0 if there is none.
    """
    if not (last_norm > 0 and norm > kept):
        return 0.0
    beta = (norm - kept) / last_norm
    # A direction that does not descend is given up for the gradient.
    return beta if norm + beta * along > 0 else 0.0
