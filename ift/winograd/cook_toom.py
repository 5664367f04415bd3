"""The matrices of minimal filtering, F(m, 3): m outputs of a filter of three taps from m + 2 products.

Winograd, "Arithmetic Complexity of Computations", 1980, constructs them from the Cook-Toom theorem; Lavin and Gray,
"Fast Algorithms for Convolutional Neural Networks", 2016, nest them for pictures: Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

Matrix = tuple[tuple[Fraction, ...], ...]

TAPS = 3
"""Of a filter in each direction."""


@dataclass(frozen=True)
class CookToom:
    """F(m, 3) in exact numbers, for n = m + 2.

    Attributes:
        output: (m, n), Aᵀ, from products to outputs.
        filter: (n, 3), G, from a filter to what is multiplied.
        input: (n, n), Bᵀ, from inputs to what it is multiplied with.
    """

    output: Matrix
    filter: Matrix
    input: Matrix

    @property
    def results(self) -> int:
        """How many outputs: m."""
        return len(self.output)

    @property
    def products(self) -> int:
        """How many products, and inputs: n."""
        return len(self.input)


@dataclass(frozen=True)
class Nested:
    """F(m×m', 3×3) for tiles of m rows and m' columns, by n×n' products: Y = Aᵀ [(G g G'ᵀ) ⊙ (Bᵀ d B')] A'.

    Its matrices are for tiles and filters row by row, one number after the other.

    Attributes:
        down: F(m, 3), for columns.
        across: F(m', 3), for rows.
    """

    down: CookToom
    across: CookToom

    @property
    def output(self) -> Matrix:
        """(m m', n n')."""
        return _kronecker(self.down.output, self.across.output)

    @property
    def filter(self) -> Matrix:
        """(n n', 9)."""
        return _kronecker(self.down.filter, self.across.filter)

    @property
    def input(self) -> Matrix:
        """(n n', n n')."""
        return _kronecker(self.down.input, self.across.input)

    @property
    def results(self) -> int:
        """Of a tile, m m'."""
        return self.down.results * self.across.results

    @property
    def products(self) -> int:
        """For a tile, n n'."""
        return self.down.products * self.across.products


def cook_toom(points: Sequence[Fraction | int]) -> CookToom:
    """F(m, 3) by evaluation at m + 1 different points and at infinity.

    The transposed algorithm of polynomial products: Aᵀ and G evaluate, Bᵀ interpolates, the Lagrange denominators are
    taken into G. Rows of Bᵀ and columns of Aᵀ that belong to ±p differ in signs only, if p and −p follow each other.

    Args:
        points: small numbers, for rounding grows with their powers.
    """
    exact = [Fraction(point) for point in points]
    tile = len(exact) - TAPS + 2
    filter_rows, input_rows = [], []
    for index, point in enumerate(exact):
        others = exact[:index] + exact[index + 1 :]
        denominator = Fraction(1)
        for other in others:
            denominator *= point - other
        filter_rows.append(tuple(point**power / denominator for power in range(TAPS)))
        input_rows.append((*_with_roots(others), Fraction(0)))
    filter_rows.append(tuple(Fraction(power == TAPS - 1) for power in range(TAPS)))
    input_rows.append(_with_roots(exact))
    output = tuple((*(point**power for point in exact), Fraction(power == tile - 1)) for power in range(tile))
    return CookToom(output, tuple(filter_rows), tuple(input_rows))


def as_tensor(matrix: Matrix) -> Tensor:
    """The numbers in float64."""
    return torch.tensor([[float(each) for each in row] for row in matrix], dtype=torch.float64)


def _kronecker(down: Matrix, across: Matrix) -> Matrix:
    return tuple(tuple(a * b for a in above for b in beside) for above in down for beside in across)


def _with_roots(roots: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The coefficients of Π (x − root), that of 1 first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [*(root * each for each in coefficients), Fraction(0)]
        coefficients = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return tuple(coefficients)
