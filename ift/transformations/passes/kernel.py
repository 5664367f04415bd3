"""The programs of an update of IFT beside its two products of matrices: passes over C×C matrices that stay short.

One by one, the forty operations of an update would each read and write a megabyte or two. Here they are four passes:

    move:     B ← B − ηD    MB ← MB − ηMD    T ← T − η cross + η² square    W = 4μ(T − S)
    compare:  ⟨G, MG⟩    ⟨last G, MG⟩    ⟨MD, G⟩    ⟨G, G⟩
    turn:     D ← G − Yh + βD    MD ← MG − MYh + βMD    and with them B + sD, MB + sMD
    spread:   square = DᵀMD    cross = ((B + sD)ᵀM(B + sD) − T)/s − s square    and their inner products

`spread` computes half of its symmetric products, from strips of columns that `turn` has written. Sums are float64.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llvmlite import ir

from ift.native.code import FLOAT, begin, index
from ift.native.processor import Blocking

_FLOATS, _DOUBLES = FLOAT.as_pointer(), ir.DoubleType().as_pointer()

SUMS = 4
"""Inner products at a time, at most."""


_MATRICES = (
    "b",
    "mb",
    "t",
    "style",
    "w",
    "gradient",
    "m_gradient",
    "last_gradient",
    "direction",
    "m_direction",
    "cross",
    "square",
)
"""Of an order: (size, size) float32."""


class Order(ctypes.Structure):
    """Addresses, and counts. `next` and `next_thread` are 0 when a program begins."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in _MATRICES),
        ("y", ctypes.c_int64),  # (size, rank) float32
        ("my", ctypes.c_int64),  # the same
        ("h", ctypes.c_int64),  # (rank, size) float32
        ("strips", ctypes.c_int64),  # (4, size / S, size, S) float32: D, MD, B + sD, MB + sMD
        ("numbers", ctypes.c_int64),  # `Numbers`
        ("sums", ctypes.c_int64),  # (threads, SUMS, lanes) float64, to be added to
        ("size", ctypes.c_int64),
        ("next", ctypes.c_int64),
        ("next_thread", ctypes.c_int64),
    ]


class Numbers(ctypes.Structure):
    """Factors of the programs."""

    _fields_ = [
        ("eta", ctypes.c_float),
        ("eta_squared", ctypes.c_float),
        ("four_mu", ctypes.c_float),
        ("beta", ctypes.c_float),
        ("s", ctypes.c_float),
        ("one_over_s", ctypes.c_float),
    ]


def write_move(name: str, blocking: Blocking) -> ir.Module:
    """`void name(Order *)`, to be called by any number of threads, as are all of these."""
    each = _Pass(name, blocking)
    code = each.code
    eta, eta_squared, four_mu = (each.number(name) for name in ("eta", "eta_squared", "four_mu"))
    with each.vectors() as at:
        b, mb, t, style, d, md, cross, square = (
            code.load(at(name)) for name in ("b", "mb", "t", "style", "direction", "m_direction", "cross", "square")
        )
        code.store(each.less(b, eta, d), at("b"))
        code.store(each.less(mb, eta, md), at("mb"))
        moved = code.multiply_add(eta_squared, square, each.less(t, eta, cross))
        code.store(moved, at("t"))
        code.store(code.builder.fmul(four_mu, code.builder.fsub(moved, style)), at("w"))
    return each.done()


def write_compare(name: str, blocking: Blocking) -> ir.Module:
    """The inner products that say how long G is, and how much of the last direction to keep."""
    each = _Pass(name, blocking)
    with each.vectors() as at:
        g, mg, last, md = (
            each.code.load(at(name)) for name in ("gradient", "m_gradient", "last_gradient", "m_direction")
        )
        for number, (one, other) in enumerate(((g, mg), (last, mg), (md, g), (g, g))):
            each.add_product(number, one, other)
    return each.done()


def write_turn(name: str, blocking: Blocking, rank: int) -> ir.Module:
    """The next direction, and what `spread` wants in strips."""
    each = _Pass(name, blocking)
    code, build = each.code, each.code.builder
    beta, s = each.number("beta"), each.number("s")
    strips, h = each.fields.pointer("strips", _FLOATS), each.fields.pointer("h", _FLOATS)
    width = index(blocking.columns)
    area, strip = build.mul(each.size, each.size), build.mul(each.size, width)
    parts = (("gradient", "direction", "b", "y"), ("m_gradient", "m_direction", "mb", "my"))
    sketches = [each.fields.pointer(sketch, _FLOATS) for *_, sketch in parts]
    with each.rows() as row:
        factors = [[code.broadcast(code.at(code.at(sketch, row, rank), k)) for k in range(rank)] for sketch in sketches]
        with code.loop(each.size, blocking.columns) as (column, _):
            there = code.at(code.at(strips, build.sdiv(column, width), strip), row, width)
            for v in range(blocking.vectors):
                beside = build.add(column, index(v * code.lanes))
                place = build.add(build.mul(row, each.size), beside)
                taken = [code.load(code.at(code.at(h, each.size, k), beside)) for k in range(rank)]
                for number, (gradient, direction, base, _) in enumerate(parts):
                    turned = code.load(each.at(gradient, place))
                    for factor, vector in zip(factors[number], taken, strict=True):
                        turned = each.less(turned, factor, vector)
                    target = each.at(direction, place)
                    turned = code.multiply_add(beta, code.load(target), turned)
                    code.store(turned, target)
                    to = code.at(there, v * code.lanes)
                    code.store(turned, code.at(to, area, number))
                    longer = code.multiply_add(s, turned, code.load(each.at(base, place)))
                    code.store(longer, code.at(to, area, 2 + number))
    return each.done()


def write_spread(name: str, blocking: Blocking) -> ir.Module:
    """The symmetric products, and four inner products: cross with itself, T − S and cross with square, and square."""
    each = _Pass(name, blocking)
    code, build, width = each.code, each.code.builder, blocking.columns
    s, one_over_s = each.number("s"), each.number("one_over_s")
    strips = each.fields.pointer("strips", _FLOATS)
    area, strip = build.mul(each.size, each.size), build.mul(each.size, index(width))
    count = build.sdiv(each.size, index(width))

    def product(which: int, top: ir.Value, beside: ir.Value, row: ir.Value) -> list[ir.Value]:
        pair = code.at(strips, area, which)
        left, right = code.at(pair, top, strip), code.at(code.at(pair, area), beside, strip)
        return [total for _, totals in code.strips_product(left, right, each.size, row) for total in totals]

    with code.until_taken(each.fields, "next", index(1), build.mul(count, count)) as (number, _):
        top, beside = build.sdiv(number, count), build.srem(number, count)
        off_diagonal = build.icmp_signed("<", top, beside)
        times = build.select(off_diagonal, code.wide_constant(2), code.wide_constant(1))
        with build.if_then(build.icmp_signed("<=", top, beside)), code.loop(index(width), blocking.rows) as (row, _):
            line, column = build.add(build.mul(top, index(width)), row), build.mul(beside, index(width))
            places = [
                build.add(build.add(build.mul(build.add(line, index(r)), each.size), column), index(v * code.lanes))
                for r in range(blocking.rows)
                for v in range(blocking.vectors)
            ]
            for place, total in zip(places, product(0, top, beside, row), strict=True):
                code.store(total, each.at("square", place))
            moved = product(2, top, beside, row)
            for element, (place, total) in enumerate(zip(places, moved, strict=True)):
                square, t = code.load(each.at("square", place)), code.load(each.at("t", place))
                mismatch = build.fsub(t, code.load(each.at("style", place)))
                cross = each.less(build.fmul(build.fsub(total, t), one_over_s), s, square)
                code.store(cross, each.at("cross", place))
                for which, (one, other) in enumerate(
                    ((cross, cross), (mismatch, square), (cross, square), (square, square))
                ):
                    each.add_product(which, one, other, times)
                with build.if_then(off_diagonal):
                    r, v = divmod(element, blocking.vectors)
                    for lane in range(code.lanes):
                        across = build.add(column, index(v * code.lanes + lane))
                        mirrored = build.add(build.mul(across, each.size), build.add(line, index(r)))
                        code.store_lane(cross, lane, each.at("cross", mirrored))
                        code.store_lane(square, lane, each.at("square", mirrored))
    return each.done()


class _Pass:
    """What all four have in common.

    Args:
        name: of the program.
        blocking: of vectors and products.

    Attributes:
        code: where it goes.
        fields: of the order.
        size: of the matrices.
    """

    def __init__(self, name: str, blocking: Blocking) -> None:
        self._module = ir.Module()
        self.code, self.fields = begin(self._module, name, blocking, Order)
        self.size = self.fields.number("size")
        self._starts = {each: self.fields.pointer(each, _FLOATS) for each in _MATRICES}
        self._numbers = self.fields.pointer("numbers", _FLOATS)
        own = self.fields.take("next_thread", index(1))
        self._sums = self.code.at(self.fields.pointer("sums", _DOUBLES), own, SUMS * blocking.lanes)

    def at(self, name: str, place: ir.Value) -> ir.Value:
        """The address of a number of a matrix."""
        return self.code.at(self._starts[name], place)

    def number(self, name: str) -> ir.Value:
        """One of `Numbers`, in each lane."""
        place = [field[0] for field in Numbers._fields_].index(name)
        return self.code.broadcast(self.code.at(self._numbers, place))

    def less(self, value: ir.Value, factor: ir.Value, other: ir.Value) -> ir.Value:
        """The value − factor · other."""
        return self.code.multiply_add(self.code.builder.fneg(factor), other, value)

    def add_product(self, number: int, a: ir.Value, b: ir.Value, times: ir.Value | None = None) -> None:
        """Adds a·b, times a float64 vector, to one of the sums."""
        self.code.add_product_to(self.code.at(self._sums, number * self.code.lanes), a, b, times)

    @contextmanager
    def rows(self) -> Iterator[ir.Value]:
        """Row by row."""
        with self.code.until_taken(self.fields, "next", index(1), self.size) as (row, _):
            yield row

    @contextmanager
    def vectors(self) -> Iterator[Callable[[str], ir.Value]]:
        """Vector by vector: where each is in the matrix of a name."""
        with self.rows() as row, self.code.loop(self.size, self.code.lanes) as (column, _):
            place = self.code.builder.add(self.code.builder.mul(row, self.size), column)
            yield lambda name: self.at(name, place)

    def done(self) -> ir.Module:
        """The module, whose program ends here."""
        self.code.builder.ret_void()
        return self._module
