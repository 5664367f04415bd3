"""Products with small constant matrices, written out: what signs have in common is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from llvmlite import ir

from ift.native.code import Code
from ift.winograd.cook_toom import Matrix


def product_by_rows(code: Code, matrix: Matrix, vectors: Sequence[ir.Value]) -> list[ir.Value]:
    """M v, where rows that follow each other and differ in signs only are E + O and E − O."""
    results: list[ir.Value] = []
    while len(results) < len(matrix):
        row, *below = matrix[len(results) : len(results) + 2]
        if below and _alike(row, below[0]):
            even, odd = _halves(row, below[0])
            same, opposite = _combined(code, even, vectors), _combined(code, odd, vectors)
            results += [code.builder.fadd(same, opposite), code.builder.fsub(same, opposite)]
        else:
            results.append(_combined(code, row, vectors))
    return results


def product_by_columns(code: Code, matrix: Matrix, vectors: Sequence[ir.Value]) -> list[ir.Value]:
    """M v, where columns that follow each other and differ in signs only take the sum and the difference."""
    columns = list(zip(*matrix, strict=True))
    taken: list[Sequence[Fraction]] = []
    values: list[ir.Value] = []
    while len(values) < len(columns):
        start = len(values)
        column, *beside = columns[start : start + 2]
        if beside and _alike(column, beside[0]):
            taken += _halves(column, beside[0])
            a, b = vectors[start], vectors[start + 1]
            values += [code.builder.fadd(a, b), code.builder.fsub(a, b)]
        else:
            taken.append(column)
            values.append(vectors[start])
    return [_combined(code, row, values) for row in zip(*taken, strict=True)]


def _combined(code: Code, coefficients: Sequence[Fraction], values: Sequence[ir.Value]) -> ir.Value:
    total = code.combine([(float(c), value) for c, value in zip(coefficients, values, strict=True)])
    assert total is not None, "a row of zeros"
    return total


def _alike(a: Sequence[Fraction], b: Sequence[Fraction]) -> bool:
    """Whether they differ in signs only, and both halves have something in them."""
    even, odd = _halves(a, b)
    return all(abs(x) == abs(y) for x, y in zip(a, b, strict=True)) and any(even) and any(odd)


def _halves(a: Sequence[Fraction], b: Sequence[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """The entries that are the same in both, and those that are opposite, zeros elsewhere."""
    nothing = Fraction(0)
    even = [x if x == y else nothing for x, y in zip(a, b, strict=True)]
    odd = [x if x == -y else nothing for x, y in zip(a, b, strict=True)]
    return even, odd
