"""The program that doubles a picture's sides by bilinear interpolation, and adds a share of another of that size.

Between two pixels lie two others, a quarter and three quarters of the way: each result is ¾ and ¼ of neighbours, down
and across. At the borders the missing neighbour is the pixel itself.
"""

from __future__ import annotations

import ctypes

from llvmlite import ir

from ift.native.code import BFLOAT16, FLOAT, begin, index
from ift.native.processor import Blocking


class Order(ctypes.Structure):
    """What the program is to do: addresses of pictures, channels last, and counts. `next_row` begins at 0."""

    _fields_ = [
        ("source", ctypes.c_int64),
        ("skip", ctypes.c_int64),  # only if there is one
        ("gate", ctypes.c_int64),  # of one float32
        ("result", ctypes.c_int64),
        ("height", ctypes.c_int64),  # of the source
        ("width", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("next_row", ctypes.c_int64),
    ]


def write_upsampling(name: str, blocking: Blocking, *, half: bool, with_skip: bool) -> ir.Module:
    """The module with one function that others may call, `void name(Order *)`.

    It takes rows of the source until none is left; all threads that call it with one order share the work.

    Args:
        name: of the function.
        blocking: channels are worked on by its columns.
        half: pictures are bfloat16, else float32.
        with_skip: add gate · skip.
    """
    module = ir.Module()
    pixels = (BFLOAT16 if half else FLOAT).as_pointer()
    code, fields = begin(module, name, blocking, Order)
    build = code.builder
    source, skip, result = (fields.pointer(each, pixels) for each in ("source", "skip", "result"))
    height, width, channels = (fields.number(each) for each in ("height", "width", "channels"))
    gate = code.broadcast(fields.pointer("gate", FLOAT.as_pointer()))
    step, line = build.mul(index(2), channels), build.mul(width, channels)
    last_row, last_column = build.sub(height, index(1)), build.sub(width, index(1))

    def between(near: ir.Value, far: ir.Value) -> ir.Value:
        return code.multiply_add(code.constant(0.25), far, build.fmul(code.constant(0.75), near))

    with code.until_taken(fields, "next_row", index(1), height) as (row, _):
        above = build.select(build.icmp_signed("<", index(0), row), build.sub(row, index(1)), row)
        below = code.smaller(build.add(row, index(1)), last_row)
        rows = [code.at(source, each, line) for each in (above, row, below)]
        down = build.mul(build.mul(row, index(4)), line)
        with code.loop(channels, blocking.columns) as (channel, _):

            def column(place: ir.Value, channel: ir.Value = channel) -> list[ir.Value]:
                """Of both rows of the result, at a column of the source: vectors of the upper one, then the lower."""
                offset = build.add(build.mul(place, channels), channel)
                one, here, two = (code.load_all(code.at(each, offset), blocking.vectors) for each in rows)
                return [between(a, b) for far in (one, two) for a, b in zip(here, far, strict=True)]

            start = column(index(0))
            with code.loop(width, 1, [*start, *start]) as (place, carried):
                before, here = carried[: len(start)], carried[len(start) :]
                after = column(code.smaller(build.add(place, index(1)), last_column))
                offset = build.add(build.add(down, build.mul(place, step)), channel)
                for side, other in enumerate((before, after)):
                    values = [between(near, far) for near, far in zip(here, other, strict=True)]
                    for lower in range(2):
                        at = build.add(offset, channels) if side else offset
                        at = build.add(at, build.mul(index(2), line)) if lower else at
                        both = values[lower * blocking.vectors : (lower + 1) * blocking.vectors]
                        if with_skip:
                            added = code.load_all(code.at(skip, at), blocking.vectors)
                            both = [code.multiply_add(gate, *each) for each in zip(added, both, strict=True)]
                        code.store_all(both, code.at(result, at), past_caches=True)
                carried[:] = [*here, *after]
    code.settle()
    build.ret_void()
    return module
