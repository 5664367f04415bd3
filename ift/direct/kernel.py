"""The program of a convolution with ReLU, by the definition: pixels by filters, as one product of matrices.

A row of the left factor is what a filter sees of a pixel and those around it, read where it lies in the picture; the
filters are the right one. Numbers are multiplied one by one in float32, or in pairs of bfloat16 that follow each other.
"""

from __future__ import annotations

import ctypes

from llvmlite import ir

from ift.native.code import BFLOAT16, FLOAT, INDEX, LINE, PAIR, begin, index
from ift.native.fetching import Fetching
from ift.native.processor import Blocking


class Order(ctypes.Structure):
    """What the program is to do: addresses, and counts. `next_row` begins at 0.

    Pictures are channels last, of the same type, and what lies between places of them is counted in numbers.
    """

    _fields_ = [
        ("source", ctypes.c_int64),
        ("places", ctypes.c_int64),  # (depth) where, from a pixel on, a number or pair is that is multiplied
        ("filters", ctypes.c_int64),  # (channels_out / columns, depth, columns) numbers or pairs
        ("bias", ctypes.c_int64),  # (channels_out) float32
        ("result", ctypes.c_int64),
        ("dump", ctypes.c_int64),  # a place for a pixel of the result
        ("source_step", ctypes.c_int64),  # from one pixel to the next
        ("source_row", ctypes.c_int64),
        ("depth", ctypes.c_int64),
        ("channels_out", ctypes.c_int64),
        ("height", ctypes.c_int64),  # of the result
        ("width", ctypes.c_int64),
        ("threads", ctypes.c_int64),
        ("next_row", ctypes.c_int64),
    ]


def write_direct(name: str, blocking: Blocking, *, paired: bool) -> ir.Module:
    """The module with one function that others may call, `void name(Order *)`.

    It takes rows until none is left; all threads that call it with one order share the work.

    Args:
        name: of the function.
        blocking: pixels and channels at a time.
        paired: all is bfloat16, and what is multiplied are pairs; else float32.
    """
    module = ir.Module()
    code, fields = begin(module, name, blocking, Order)
    build = code.builder
    pixels, factors = ((BFLOAT16 if paired else FLOAT).as_pointer(), (PAIR if paired else FLOAT).as_pointer())
    source, result, dump = (fields.pointer(each, pixels) for each in ("source", "result", "dump"))
    filters, places = fields.pointer("filters", factors), fields.pointer("places", INDEX.as_pointer())
    bias = fields.pointer("bias", FLOAT.as_pointer())
    names = ("source_step", "source_row", "depth", "channels_out", "height", "width")
    step, row_step, depth, channels_out, height, width = (fields.number(each) for each in names)
    last = build.sub(width, index(1))
    fetching = Fetching(code)
    lines = build.sdiv(build.mul(row_step, index(2 if paired else 4)), index(LINE))
    threads = fields.number("threads")
    with code.until_taken_ahead(fields, "next_row", index(1), height, threads) as (row, _, following):
        fetching.begin(code.at(source, following, row_step), lines)
        line, line_out = code.at(source, row, row_step), code.at(result, row, width, channels_out)
        with code.loop(channels_out, blocking.columns) as (channel, _):
            strip = code.at(filters, channel, depth)
            offsets = code.load_all(code.at(bias, channel), blocking.vectors)
            with code.loop(width, blocking.rows) as (first, _):
                columns = [build.add(first, index(r)) for r in range(blocking.rows)]
                seen = [code.at(line, code.smaller(column, last), step) for column in columns]

                def left(number: ir.Value) -> list[ir.Value]:
                    place = build.load(code.at(places, number))
                    return [build.bitcast(code.at(pixel, place), factors) for pixel in seen]

                for r, sums in code.product(depth, left, strip, blocking.vectors, fetching.fetch):
                    values = [code.positive(build.fadd(*each)) for each in zip(sums, offsets, strict=True)]
                    inside = build.icmp_signed("<", columns[r], width)
                    target = build.select(inside, code.at(line_out, columns[r], channels_out), dump)
                    code.store_all(values, code.at(target, channel), past_caches=True)
    code.settle()
    build.ret_void()
    return module
