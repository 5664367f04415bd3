"""The program that sums x and x xᵀ, x being the features of a pixel less an origin.

Blocks of pixels are brought to float32 and into strips of channels, which the products of strips then read from the
cache. The sums of a block are float32, those of all blocks float64.

Features that are bfloat16 can be multiplied as they are, without an origin, two pixels at a time, where the processor
multiplies pairs.
"""

from __future__ import annotations

import ctypes

from llvmlite import ir

from ift.native.code import BFLOAT16, BYTE, DEPTH_STEP, FLOAT, INDEX, LINE, PAIR, Code, begin, index, void_function
from ift.native.fetching import Fetching
from ift.native.processor import Blocking

_FLOATS, _DOUBLES = FLOAT.as_pointer(), ir.DoubleType().as_pointer()

_ONES = 0x3F803F80
"""A pair of them, by its bits."""


class Order(ctypes.Structure):
    """What the program is to do: addresses, and counts. `next_pixel` and `next_thread` begin at 0."""

    _fields_ = [
        ("source", ctypes.c_int64),  # (pixels, channels)
        ("origin", ctypes.c_int64),  # (channels) float32; none for pairs
        ("sums", ctypes.c_int64),  # (threads, channels) float64, to be added to
        ("products", ctypes.c_int64),  # (threads, channels, channels) the same; nothing left of the diagonal, or zero
        ("scratch", ctypes.c_int64),  # (threads, block, channels) float32, or half as many pairs
        ("pixels", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("block", ctypes.c_int64),  # pixels at a time, an even number
        ("threads", ctypes.c_int64),
        ("next_pixel", ctypes.c_int64),
        ("next_thread", ctypes.c_int64),
    ]


def write_gram(name: str, blocking: Blocking, *, half: bool, paired: bool) -> ir.Module:
    """The module with one function that others may call, `void name(Order *)`.

    It takes blocks of pixels until none is left; all threads that call it with one order share the work.

    Args:
        name: of the function.
        blocking: of the products; channels are divided into strips of `blocking.columns`.
        half: the source is bfloat16, else float32.
        paired: multiply pairs of bfloat16, else float32.
    """
    module = ir.Module()
    pixels = (BFLOAT16 if half else FLOAT).as_pointer()
    factors = (PAIR if paired else FLOAT).as_pointer()
    load_strips = (_write_load_pairs if paired else _write_load)(module, blocking, pixels)
    multiply = _write_products(module, blocking, factors)
    code, fields = begin(module, name, blocking, Order)
    build = code.builder
    channels, all_pixels, block = (fields.number(each) for each in ("channels", "pixels", "block"))
    own = fields.take("next_thread", index(1))
    sums = code.at(fields.pointer("sums", _DOUBLES), own, channels)
    products = code.at(fields.pointer("products", _DOUBLES), own, build.mul(channels, channels))
    depth = build.sdiv(block, index(2)) if paired else block
    scratch = code.at(fields.pointer("scratch", factors), own, build.mul(depth, channels))
    source = fields.pointer("source", pixels)
    lines = build.sdiv(build.mul(block, channels), index(LINE // (2 if half else 4)))
    with code.until_taken_ahead(fields, "next_pixel", block, all_pixels, fields.number("threads")) as (
        first,
        count,
        following,
    ):
        about = [] if paired else [fields.pointer("origin", _FLOATS)]
        taken = index(DEPTH_STEP * (2 if paired else 1))
        steps = build.sdiv(build.add(count, build.sub(taken, index(1))), taken)
        multiplied = build.mul(steps, index(DEPTH_STEP))
        build.call(load_strips, [code.at(source, first, channels), *about, sums, scratch, channels, count, multiplied])
        ahead = build.bitcast(code.at(source, following, channels), BYTE.as_pointer())
        build.call(multiply, [scratch, products, channels, multiplied, ahead, lines])
    build.ret_void()
    return module


def _write_load(module: ir.Module, blocking: Blocking, pixels: ir.PointerType) -> ir.Function:
    """Brings pixels less the origin into strips (channels / S, depth, S), and adds them to the sums."""
    function, (source, origin, sums, strips, channels, count, depth) = void_function(
        module, "load_strips", [pixels, _FLOATS, _DOUBLES, _FLOATS, INDEX, INDEX, INDEX]
    )
    code = Code(function, blocking)
    lanes = [v * blocking.lanes for v in range(blocking.vectors)]
    with code.loop(channels, blocking.columns) as (start, _):
        strip = code.at(strips, start, depth)
        middle = code.load_all(code.at(origin, start), blocking.vectors)
        with code.loop(count, 1, [code.constant(0)] * blocking.vectors) as (pixel, totals):
            here = code.at(code.at(source, pixel, channels), start)
            there = code.at(strip, pixel, blocking.columns)
            for v, lane in enumerate(lanes):
                x = code.builder.fsub(code.load(code.at(here, lane)), middle[v])
                code.store(x, code.at(there, lane))
                totals[v] = code.builder.fadd(totals[v], x)
        for v, lane in enumerate(lanes):
            code.add_to(code.at(code.at(sums, start), lane), totals[v])
        _fill(code, blocking, strip, count, depth)
    code.builder.ret_void()
    return function


def _write_load_pairs(module: ir.Module, blocking: Blocking, pixels: ir.PointerType) -> ir.Function:
    """Brings pairs of pixels into strips (channels / S, depth, S), and adds them to the sums."""
    function, (source, sums, strips, channels, count, depth) = void_function(
        module, "load_strips", [pixels, _DOUBLES, PAIR.as_pointer(), INDEX, INDEX, INDEX]
    )
    code = Code(function, blocking)
    build = code.builder
    lanes = [v * blocking.lanes for v in range(blocking.vectors)]
    pairs = build.sdiv(build.add(count, index(1)), index(2))
    nothing = ir.Constant(ir.VectorType(BFLOAT16, blocking.lanes), None)
    ones = ir.Constant(ir.VectorType(PAIR, blocking.lanes), [_ONES] * blocking.lanes)
    with code.loop(channels, blocking.columns) as (start, _):
        strip = code.at(strips, start, depth)
        with code.loop(count, 2, [code.constant(0)] * blocking.vectors) as (pixel, totals):
            after = build.add(pixel, index(1))
            is_there = build.icmp_signed("<", after, count)  # else there is nothing beside the last
            here, beside = (
                code.at(code.at(source, each, channels), start)
                for each in (pixel, build.select(is_there, after, pixel))
            )
            there = code.at(strip, build.sdiv(pixel, index(2)), blocking.columns)
            for v, lane in enumerate(lanes):
                one, other = (code.load_halves(code.at(each, lane)) for each in (here, beside))
                pairs_of_both = code.beside(one, build.select(is_there, other, nothing))
                code.store(pairs_of_both, code.at(there, lane))
                totals[v] = code.multiply_add_pairs(pairs_of_both, ones, totals[v])
        for v, lane in enumerate(lanes):
            code.add_to(code.at(code.at(sums, start), lane), totals[v])
        _fill(code, blocking, strip, pairs, depth)
    build.ret_void()
    return function


def _fill(code: Code, blocking: Blocking, strip: ir.Value, filled: ir.Value, depth: ir.Value) -> None:
    """Zeros behind what is in a strip."""
    width = blocking.columns
    behind, count = code.at(strip, filled, width), code.builder.mul(code.builder.sub(depth, filled), index(width))
    with code.loop(count, code.lanes) as (place, _):
        code.store(code.constant(0), code.at(behind, place))


def _write_products(module: ir.Module, blocking: Blocking, factors: ir.PointerType) -> ir.Function:
    """Adds the products of all pairs of strips, the second not before the first; on the diagonal, of their vectors.

    Meanwhile so many lines of the next block are fetched.
    """
    function, (strips, products, channels, depth, ahead, lines) = void_function(
        module, "multiply_strips", [factors, _DOUBLES, INDEX, INDEX, BYTE.as_pointer(), INDEX]
    )
    code = Code(function, blocking)
    build = code.builder
    fetching = Fetching(code)
    fetching.begin(ahead, lines)

    def multiply(top: ir.Value, column: ir.Value, row: ir.Value, first: int = 0) -> None:
        left, right = code.at(strips, top, depth), code.at(strips, column, depth)
        for r, totals in code.strips_product(left, right, depth, row, first, fetching.fetch):
            line = code.at(code.at(products, build.add(build.add(top, row), index(r)), channels), column)
            for v, total in enumerate(totals, first):
                code.add_to(code.at(line, v * blocking.lanes), total)

    with code.loop(channels, blocking.columns) as (top, _):
        for vector in range(blocking.vectors):
            with code.loop(index(blocking.lanes), blocking.rows) as (row, _):
                multiply(top, top, build.add(row, index(vector * blocking.lanes)), vector)
        after = build.add(top, index(blocking.columns))
        with (
            code.loop(build.sub(channels, after), blocking.columns) as (beyond, _),
            code.loop(index(blocking.columns), blocking.rows) as (row, _),
        ):
            multiply(top, build.add(after, beyond), row)
    build.ret_void()
    return function
