"""The program of a convolution to a few channels, by the definition: what minimal filtering saves would be lost in it.

Of neighbouring results of a row, each channel is a sum of vectors over the input channels, whose numbers are added up
at the end. What is multiplied are float32 numbers, or pairs of bfloat16.
"""

from __future__ import annotations

import ctypes

from llvmlite import ir

from ift.native.code import BFLOAT16, FLOAT, INDEX, LINE, PAIR, begin, index
from ift.native.fetching import Fetching
from ift.native.processor import Blocking

TAPS = 3
"""Of a filter in each direction."""

PIXELS = 4
"""Results of a row at a time."""

_OFFSETS, _FLOATS = INDEX.as_pointer(), FLOAT.as_pointer()


class Order(ctypes.Structure):
    """What the program is to do: addresses, and counts. `next_row` begins at 0.

    Pictures are channels last, of the same type; offsets and depths are counted in pairs where these are multiplied.
    """

    _fields_ = [
        ("source", ctypes.c_int64),
        ("rows", ctypes.c_int64),  # where each padded row of the source begins
        ("columns", ctypes.c_int64),  # the same for each padded column
        ("filters", ctypes.c_int64),  # (depth / lanes, taps, taps, channels out, lanes) numbers or pairs
        ("bias", ctypes.c_int64),  # (pixels, channels out) float32, the same for each pixel, in full vectors
        ("result", ctypes.c_int64),
        ("dump", ctypes.c_int64),  # a place for a pixel
        ("depth", ctypes.c_int64),  # input channels
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("block", ctypes.c_int64),  # rows at a time, which read most of what they need together
        ("next_row", ctypes.c_int64),
    ]


def write_narrow(name: str, blocking: Blocking, channels_out: int, *, half: bool, paired: bool) -> ir.Module:
    """The module with one function that others may call, `void name(Order *)`.

    It takes blocks of rows until none is left, and meanwhile fetches the next row of each; all threads that call it
    with one order share the work.

    Args:
        name: of the function.
        blocking: says how long vectors are.
        channels_out: a few.
        half: source and result are bfloat16, else float32.
        paired: what is multiplied is pairs of bfloat16, else float32.
    """
    module = ir.Module()
    code, fields = begin(module, name, blocking, Order)
    build, lanes = code.builder, blocking.lanes
    kind = BFLOAT16 if half else FLOAT
    source = fields.pointer("source", (PAIR if paired else kind).as_pointer())
    filters = fields.pointer("filters", (PAIR if paired else FLOAT).as_pointer())
    result, dump = (fields.pointer(each, kind.as_pointer()) for each in ("result", "dump"))
    rows, columns = (fields.pointer(each, _OFFSETS) for each in ("rows", "columns"))
    depth, height, width = (fields.number(each) for each in ("depth", "height", "width"))
    multiply_add = code.multiply_add_pairs if paired else code.multiply_add
    results = PIXELS * channels_out
    bias = [code.load(code.at(fields.pointer("bias", _FLOATS), start)) for start in range(0, results, lanes)]
    size = 2 if half and not paired else 4
    line_count = build.sdiv(build.mul(build.mul(width, depth), index(size)), index(LINE))
    fetching = Fetching(code)
    taken = code.until_taken(fields, "next_row", fields.number("block"), height)
    with taken as (first, count), code.loop(count, 1) as (number, _):
        row = build.add(first, number)
        lines = [code.at(source, build.load(code.at(rows, build.add(row, index(i))))) for i in range(TAPS)]
        following = code.smaller(build.add(row, index(TAPS)), build.add(height, index(1)))
        fetching.begin(code.at(source, build.load(code.at(rows, following))), line_count)
        with code.loop(width, PIXELS) as (column, _):
            starts = [build.load(code.at(columns, build.add(column, index(j)))) for j in range(PIXELS + TAPS - 1)]
            with code.loop(depth, lanes, [code.constant(0)] * results) as (channel, sums):
                taps = code.at(filters, channel, TAPS * TAPS * channels_out)
                for _ in range(max(1, PIXELS * lanes * size // LINE)):
                    fetching.fetch()
                for i, line in enumerate(lines):
                    here = code.at(line, channel)
                    pixels = [code.load(code.at(here, start)) for start in starts]
                    for j in range(TAPS):
                        for channel_out in range(channels_out):
                            place = ((i * TAPS + j) * channels_out + channel_out) * lanes
                            tap = code.load(code.at(taps, place))
                            for p in range(PIXELS):
                                total = p * channels_out + channel_out
                                sums[total] = multiply_add(tap, pixels[p + j], sums[total])
            for start, offset in zip(range(0, results, lanes), bias, strict=True):
                totals = build.fadd(code.totals(sums[start : start + lanes]), offset)
                totals = code.rounded(totals) if half else totals
                for lane in range(min(lanes, results - start)):
                    p, channel_out = divmod(start + lane, channels_out)
                    x = build.add(column, index(p))
                    pixel = code.at(result, build.add(build.mul(row, width), x), channels_out)
                    inside = build.select(build.icmp_signed("<", x, width), pixel, dump)
                    code.store_lane(totals, lane, code.at(inside, channel_out))
    build.ret_void()
    return module
