"""The program of a convolution with F(m×m, 3×3): transform tiles, multiply, transform back; bias and ReLU with it.

Of each tile of m×m results, the n×n inputs are transformed, n = m + 2, for all channels. The products over channels
are then n² products of matrices, tiles × channels by channels × channels, of as many tiles as the cache holds. Their
factors are float32, or pairs of bfloat16, which some processors multiply twice as fast; their sums are float32.

Pairs are rounded, and by how much would depend on the place in the tile: what has one colour would come out with a
pattern. So it is the differences from a pixel in the middle of the tile that are transformed, and that pixel itself,
for which a filter is but the sum of its taps, has one more product: of one colour, nothing is lost.
"""

from __future__ import annotations

import ctypes
from enum import Enum
from functools import reduce

from llvmlite import ir

from ift.native.code import BFLOAT16, FLOAT, INDEX, PAIR, Code, begin, index, void_function
from ift.native.processor import Blocking
from ift.winograd.cook_toom import CookToom
from ift.winograd.small_matrices import product_by_columns, product_by_rows

APART = 16
"""Numbers between one tile and the next, and between planes: else they would compete for the same places in caches."""

_OFFSETS, _FLOATS = INDEX.as_pointer(), FLOAT.as_pointer()


class Ending(Enum):
    """What is wanted of the result, and for a layer before max pooling, 2×2, also of that; H and W even then."""

    WHOLE = "whole"
    POOLED = "pooled"  # the greatest of each block, and no more
    PARTED = "parted"  # that, and of each pixel what it takes away


class Order(ctypes.Structure):
    """What the program is to do: addresses, and counts.

    Pictures are channels last, of the same type; bias and products are float32. `next_tile` and `next_thread`
    begin at 0, and count what has been taken.
    """

    _fields_ = [
        ("source", ctypes.c_int64),
        ("rows", ctypes.c_int64),  # where each padded row of the source begins, in numbers from its start
        ("columns", ctypes.c_int64),  # the same for each padded column
        ("filters", ctypes.c_int64),  # see `Filters`
        ("bias", ctypes.c_int64),
        ("result", ctypes.c_int64),  # where not `POOLED`
        ("pooled", ctypes.c_int64),  # where not `WHOLE`
        ("scratch", ctypes.c_int64),  # `scratch_size` for each thread
        ("channels", ctypes.c_int64),
        ("channels_out", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("tiles_across", ctypes.c_int64),
        ("tiles", ctypes.c_int64),
        ("block", ctypes.c_int64),  # tiles to be worked on together
        ("next_tile", ctypes.c_int64),
        ("next_thread", ctypes.c_int64),
    ]


def scratch_size(transforms: CookToom, channels: int, channels_out: int, block: int, *, paired: bool) -> int:
    """Numbers of float32 that each thread needs: inputs, products, and a place for pixels beyond the borders."""
    inputs, products = (block * (each + APART) + APART for each in (channels, channels_out))
    return positions(transforms, paired=paired) * (inputs // (2 if paired else 1) + products) + channels_out


def positions(transforms: CookToom, *, paired: bool) -> int:
    """Products of matrices for a block of tiles."""
    return len(transforms.input) ** 2 + paired


def write_convolution(
    name: str, transforms: CookToom, blocking: Blocking, *, half: bool, paired: bool, ending: Ending
) -> ir.Module:
    """The module with one function that others may call, `void name(Order *)`.

    It takes blocks of tiles until none is left; all threads that call it with one order share the work.

    Args:
        name: of the function.
        transforms: F(m, 3).
        blocking: of the products.
        half: source and result are bfloat16, else float32.
        paired: what is multiplied is bfloat16, and channels go by pairs, else float32.
        ending: what is stored.
    """
    module = ir.Module()
    pixels = (BFLOAT16 if half else FLOAT).as_pointer()
    factors = (PAIR if paired else FLOAT).as_pointer()
    into = _write_input_transform(module, transforms, blocking, pixels, paired=paired)
    product = _write_product(module, blocking, factors)
    out_of = _write_output_transform(module, transforms, blocking, pixels, ending, paired=paired)

    code, fields = begin(module, name, blocking, Order)
    build = code.builder
    source, result, pooled = (fields.pointer(name, pixels) for name in ("source", "result", "pooled"))
    rows, columns = (fields.pointer(name, _OFFSETS) for name in ("rows", "columns"))
    filters = fields.pointer("filters", factors)
    bias, scratch = (fields.pointer(name, _FLOATS) for name in ("bias", "scratch"))
    channels, channels_out, block = (fields.number(name) for name in ("channels", "channels_out", "block"))
    height, width, across, tiles = (fields.number(name) for name in ("height", "width", "tiles_across", "tiles"))
    count_of_products = index(positions(transforms, paired=paired))
    row, row_out = build.add(channels, index(APART)), build.add(channels_out, index(APART))
    plane, plane_out = (build.add(build.mul(block, each), index(APART)) for each in (row, row_out))
    # Counted as what is multiplied at once, a pair or a number.
    depth, depth_row, depth_plane = (build.sdiv(each, index(2)) if paired else each for each in (channels, row, plane))
    all_inputs, all_products = (build.mul(count_of_products, each) for each in (depth_plane, plane_out))
    own = fields.take("next_thread", index(1))
    products = code.at(scratch, own, build.add(build.add(all_inputs, all_products), channels_out))
    dump = build.bitcast(code.at(products, all_products), pixels)
    inputs = build.bitcast(code.at(products, build.add(all_products, channels_out)), factors)
    transformed = build.bitcast(inputs, (BFLOAT16 if paired else FLOAT).as_pointer())

    with code.until_taken(fields, "next_tile", block, tiles) as (first, count):
        build.call(into, [source, rows, columns, channels, across, first, count, transformed, plane, row])
        with code.loop(count_of_products, 1) as (position, _):
            a = code.at(inputs, position, depth_plane)
            b = code.at(filters, position, build.mul(depth, channels_out))
            c = code.at(products, position, plane_out)
            build.call(product, [a, b, c, count, depth, channels_out, depth_row, row_out])
        written = [result, pooled, dump, channels_out, height, width, across]
        build.call(out_of, [products, plane_out, row_out, bias, *written, first, count])
    build.ret_void()
    return module


def _write_input_transform(
    module: ir.Module, transforms: CookToom, blocking: Blocking, kind: ir.PointerType, *, paired: bool
) -> ir.Function:
    """Bᵀ d B of some tiles; of pairs, with what is in the middle taken off, and behind the rest."""
    side, tile = len(transforms.input), len(transforms.output)
    function, (source, rows, columns, channels, across, first, count, inputs, plane, row) = void_function(
        module,
        "transform_input",
        [kind, _OFFSETS, _OFFSETS, *[INDEX] * 4, (BFLOAT16 if paired else FLOAT).as_pointer(), INDEX, INDEX],
    )
    code = Code(function, blocking)
    build = code.builder
    with code.loop(count, 1) as (number, _):
        position = build.add(first, number)
        down, right = build.sdiv(position, across), build.srem(position, across)
        above, left = code.at(rows, down, tile), code.at(columns, right, tile)
        row_starts = [build.load(code.at(above, i)) for i in range(side)]
        column_starts = [build.load(code.at(left, j)) for j in range(side)]
        target = code.at(inputs, number, row)
        with code.loop(channels, blocking.lanes) as (channel, _):
            here, to = code.at(source, channel), code.at(target, channel)
            pixels = [
                [code.load(code.at(here, build.add(start, column))) for start in row_starts] for column in column_starts
            ]
            if paired:
                middle = pixels[side // 2][side // 2]
                code.store(middle, code.at(to, plane, side**2))
                pixels = [[build.fsub(pixel, middle) for pixel in column] for column in pixels]
            halfway = [product_by_rows(code, transforms.input, column) for column in pixels]
            for i in range(side):
                for j, value in enumerate(product_by_rows(code, transforms.input, [column[i] for column in halfway])):
                    code.store(value, code.at(to, plane, i * side + j))
    build.ret_void()
    return function


def _write_product(module: ir.Module, blocking: Blocking, factors: ir.PointerType) -> ir.Function:
    """C = A B. Rows of A and C lie apart, and are worked on in full blocks: those behind the last may be anything.

    B is in strips of `blocking.columns` columns, one strip after the other.
    """
    function, (a, b, c, count, depth, channels_out, row, row_out) = void_function(
        module, "multiply", [factors, factors, _FLOATS] + [INDEX] * 5
    )
    code = Code(function, blocking)
    zeros = [code.constant(0)] * (blocking.rows * blocking.vectors)
    with code.loop(channels_out, blocking.columns) as (column, _):
        strip = code.at(b, column, depth)
        with code.loop(count, blocking.rows) as (top, _):
            left = [code.at(a, code.builder.add(top, index(r)), row) for r in range(blocking.rows)]
            with code.loop(depth, 1, zeros) as (place, sums):
                right = code.load_all(code.at(strip, place, blocking.columns), blocking.vectors)
                code.add_products(sums, [code.at(line, place) for line in left], right)
            for r in range(blocking.rows):
                target = code.at(code.at(c, code.builder.add(top, index(r)), row_out), column)
                for v in range(blocking.vectors):
                    code.store(sums[r * blocking.vectors + v], code.at(target, v * blocking.lanes))
    code.builder.ret_void()
    return function


def _write_output_transform(
    module: ir.Module, transforms: CookToom, blocking: Blocking, kind: ir.PointerType, ending: Ending, *, paired: bool
) -> ir.Function:
    """The ReLU of Aᵀ M A + b of some tiles."""
    side, tile = len(transforms.input), len(transforms.output)
    function, arguments = void_function(
        module, "transform_output", [_FLOATS, INDEX, INDEX, _FLOATS, kind, kind, kind] + [INDEX] * 6
    )
    products, plane, row, bias, result, pooled, dump, channels, height, width, across, first, count = arguments
    code = Code(function, blocking)
    build = code.builder
    with code.loop(count, 1) as (number, _):
        position = build.add(first, number)
        corner = (build.sdiv(position, across), build.srem(position, across))
        targets, pooled_targets = [], []
        if ending != Ending.POOLED:
            targets = _addresses(code, result, corner, tile, (height, width), channels, dump)
        if ending != Ending.WHOLE:
            size = (build.sdiv(height, index(2)), build.sdiv(width, index(2)))
            pooled_targets = _addresses(code, pooled, corner, tile // 2, size, channels, dump)
        source = code.at(products, number, row)
        with code.loop(channels, blocking.lanes) as (channel, _):
            here = code.at(source, channel)
            halfway = [
                product_by_columns(
                    code, transforms.output, [code.load(code.at(here, plane, i * side + j)) for i in range(side)]
                )
                for j in range(side)
            ]
            offset = code.load(code.at(bias, channel))
            if paired:
                offset = build.fadd(offset, code.load(code.at(here, plane, side**2)))
            for i in range(0, tile, 2):
                values = [
                    code.positive(build.fadd(value, offset))
                    for below in range(2)
                    for value in product_by_columns(code, transforms.output, [column[i + below] for column in halfway])
                ]
                if ending != Ending.WHOLE:
                    blocks = [
                        [values[j], values[j + 1], values[tile + j], values[tile + j + 1]] for j in range(0, tile, 2)
                    ]
                    greatest = [reduce(code.maximum, block) for block in blocks]
                    for address, value in zip(pooled_targets[i * tile // 4 :], greatest, strict=False):
                        code.store(value, code.at(address, channel))
                    values = [build.fsub(value, greatest[j % tile // 2]) for j, value in enumerate(values)]
                for address, value in zip(targets[i * tile :], values, strict=False):
                    code.store(value, code.at(address, channel))
    build.ret_void()
    return function


def _addresses(
    code: Code,
    pixels: ir.Value,
    corner: tuple[ir.Value, ir.Value],
    tile: int,
    size: tuple[ir.Value, ir.Value],
    channels: ir.Value,
    dump: ir.Value,
) -> list[ir.Value]:
    """Where each pixel of a tile lies, row by row; the dump for those that are not in the picture.

    Args:
        code: to append to.
        pixels: the picture.
        corner: which tile of the picture, down and across.
        tile: its side.
        size: height and width of the picture.
        channels: of a pixel.
        dump: a place for one.
    """
    build = code.builder
    top, left = (build.mul(each, index(tile)) for each in corner)
    addresses = []
    for i in range(tile):
        for j in range(tile):
            y, x = build.add(top, index(i)), build.add(left, index(j))
            inside = build.and_(build.icmp_signed("<", y, size[0]), build.icmp_signed("<", x, size[1]))
            pixel = code.at(pixels, build.add(build.mul(y, size[1]), x), channels)
            addresses.append(build.select(inside, pixel, dump))
    return addresses
