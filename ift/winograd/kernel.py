"""The program of a convolution with F(m×m', 3×3): transform tiles, multiply, transform back; bias and ReLU with it.

Of each tile of m×m' results, the n×n' inputs are transformed, n = m + 2, for all channels. The products over channels
are then n n' products of matrices, tiles × channels by channels × channels, of as many tiles as the cache holds; those
of a strip of output channels are transformed back before the next, while the cache has them. Factors are float32, or
pairs of bfloat16, which some processors multiply twice as fast; sums are float32.

Tiles go by twos, side by side: the columns that both see are transformed down once for both.

While the products of one block are made, what the next one sees is fetched.

Pairs are rounded, and by how much would depend on the place in the tile: what has one colour would come out with a
pattern. So it is the differences from a pixel in the middle of two tiles that are transformed, and that pixel itself,
for which a filter is but the sum of its taps, has one more product: of one colour, nothing is lost.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce

from llvmlite import ir

from ift.native.code import BFLOAT16, BYTE, FLOAT, INDEX, LINE, PAIR, Code, Fields, begin, index, void_function
from ift.native.fetching import Fetching
from ift.native.processor import Blocking
from ift.winograd.cook_toom import Matrix, Nested
from ift.winograd.small_matrices import product_by_columns, product_by_rows

BESIDE = 2
"""Tiles side by side that are transformed together."""

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
        ("scratch", ctypes.c_int64),  # of all threads; what follows, see `Scratch`
        ("size", ctypes.c_int64),
        ("dump", ctypes.c_int64),
        ("products", ctypes.c_int64),
        ("inputs", ctypes.c_int64),
        ("product_plane", ctypes.c_int64),
        ("input_row", ctypes.c_int64),
        ("input_plane", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("channels_out", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("tiles_across", ctypes.c_int64),
        ("tiles", ctypes.c_int64),
        ("block", ctypes.c_int64),  # tiles to be worked on together
        ("lines_ahead", ctypes.c_int64),  # of what the next block sees, to be fetched by each product
        ("threads", ctypes.c_int64),
        ("next_tile", ctypes.c_int64),
        ("next_thread", ctypes.c_int64),
    ]


@dataclass(frozen=True)
class Scratch:
    """How the memory of a thread is divided, in bytes, all of whole lines.

    It begins with where the pixels of each tile of a block go, by their addresses.

    Attributes:
        size: of all of it.
        dump: where a place for pixels beyond the borders begins.
        products: where those of a block and a strip of output channels begin.
        inputs: where those of a block begin, transformed.
        product_plane: from the products of a position in the tile to those of the next.
        input_row: from one tile to the next.
        input_plane: from a position in the tile to the next.
    """

    size: int
    dump: int
    products: int
    inputs: int
    product_plane: int
    input_row: int
    input_plane: int

    @classmethod
    def of(
        cls, transforms: Nested, blocking: Blocking, channels: int, channels_out: int, block: int, *, paired: bool
    ) -> Scratch:
        """For blocks of so many tiles."""
        planes = transforms.products + paired
        product_plane = _lines(4 * block * blocking.columns) + LINE
        input_row = _lines((2 if paired else 4) * channels) + LINE
        input_plane = block * input_row + LINE
        dump = _lines(8 * block * (transforms.results + transforms.results // 4))
        products = dump + _lines(4 * channels_out)
        inputs = products + planes * product_plane
        size = inputs + planes * input_plane
        return cls(size, dump, products, inputs, product_plane, input_row, input_plane)


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE


def write_convolution(
    name: str, transforms: Nested, blocking: Blocking, *, half: bool, paired: bool, ending: Ending
) -> ir.Module:
    """The module with one function that others may call, `void name(Order *)`.

    It takes blocks of tiles until none is left; all threads that call it with one order share the work.

    Args:
        name: of the function.
        transforms: F(m×m', 3×3), with 1 among the points down.
        blocking: of the products.
        half: source and result are bfloat16, else float32.
        paired: what is multiplied is bfloat16, and channels go by pairs, else float32; only where source is too.
        ending: what is stored.
    """
    module = ir.Module()
    pixels = (BFLOAT16 if half else FLOAT).as_pointer()
    factors = (PAIR if paired else FLOAT).as_pointer()
    places = _write_places(module, transforms, blocking, pixels, ending)
    into = _write_input_transform(module, transforms, blocking, pixels, paired=paired)
    product = _write_product(module, blocking, factors)
    out_of = _write_output_transform(module, transforms, blocking, pixels, ending, paired=paired)

    code, fields = begin(module, name, blocking, Order)
    build = code.builder
    source, result, pooled = (fields.pointer(name, pixels) for name in ("source", "result", "pooled"))
    rows, columns = (fields.pointer(name, _OFFSETS) for name in ("rows", "columns"))
    filters, bias = fields.pointer("filters", factors), fields.pointer("bias", _FLOATS)
    channels, channels_out, block = (fields.number(name) for name in ("channels", "channels_out", "block"))
    height, width, across, tiles = (fields.number(name) for name in ("height", "width", "tiles_across", "tiles"))
    row, plane, product_plane = (fields.number(name) for name in ("input_row", "input_plane", "product_plane"))
    places_in_tile, planes = index(transforms.products), index(transforms.products + paired)
    depth = build.sdiv(channels, index(2)) if paired else channels
    ahead = _Ahead(code, fields, transforms, pixels)

    own = fields.take("next_thread", index(1))
    scratch = code.at(fields.pointer("scratch", BYTE.as_pointer()), own, fields.number("size"))
    targets = build.bitcast(scratch, _OFFSETS)
    dump, products, inputs = (code.at(scratch, fields.number(name)) for name in ("dump", "products", "inputs"))
    dump = build.bitcast(dump, pixels)
    with code.until_taken_ahead(fields, "next_tile", block, tiles, fields.number("threads")) as (
        first,
        count,
        following,
    ):
        build.call(places, [targets, result, pooled, dump, channels_out, height, width, across, first, count])
        build.call(into, [source, rows, columns, channels, across, first, count, inputs, plane, row])
        ahead.find(following)
        with code.loop(channels_out, blocking.columns) as (column, _):
            strip = code.at(filters, column, depth, planes)
            calls = build.mul(build.sdiv(column, index(blocking.columns)), planes)

            def multiply(position: ir.Value, count: ir.Value) -> None:
                a = code.at(inputs, position, plane)
                b = code.at(strip, position, depth, blocking.columns)
                c = code.at(products, position, product_plane)
                build.call(product, [a, row, b, c, count, depth, *ahead.share(build.add(calls, position))])

            with code.loop(places_in_tile, 1) as (position, _):
                multiply(position, count)
            if paired:
                multiply(places_in_tile, build.sdiv(count, index(BESIDE)))
            build.call(out_of, [products, product_plane, code.at(bias, column), targets, column, count])
    code.settle()
    build.ret_void()
    return module


def _write_places(
    module: ir.Module, transforms: Nested, blocking: Blocking, kind: ir.PointerType, ending: Ending
) -> ir.Function:
    """The addresses of the pixels of some tiles: of the result, then of the pooled one, as far as they are wanted."""
    tile = (transforms.down.results, transforms.across.results)
    function, arguments = void_function(module, "find_places", [_OFFSETS, kind, kind, kind] + [INDEX] * 6)
    targets, result, pooled, dump, channels, height, width, across, first, count = arguments
    code = Code(function, blocking)
    build = code.builder
    with code.loop(count, 1) as (number, _):
        position = build.add(first, number)
        corner = (build.sdiv(position, across), build.srem(position, across))
        addresses = []
        if ending != Ending.POOLED:
            addresses += _addresses(code, result, corner, tile, (height, width), channels, dump)
        if ending != Ending.WHOLE:
            size = (build.sdiv(height, index(2)), build.sdiv(width, index(2)))
            addresses += _addresses(code, pooled, corner, (tile[0] // 2, tile[1] // 2), size, channels, dump)
        target = code.at(targets, number, len(addresses))
        for place, address in enumerate(addresses):
            build.store(build.ptrtoint(address, INDEX), code.at(target, place))
    build.ret_void()
    return function


def _write_input_transform(
    module: ir.Module, transforms: Nested, blocking: Blocking, kind: ir.PointerType, *, paired: bool
) -> ir.Function:
    """Bᵀ d B' of some tiles; of pairs, with what is in the middle of two taken off, and behind the rest."""
    down, across = transforms.down, transforms.across
    function, (source, rows, columns, channels, tiles_across, first, count, inputs, plane, row) = void_function(
        module,
        "transform_input",
        [kind, _OFFSETS, _OFFSETS, *[INDEX] * 4, BYTE.as_pointer(), INDEX, INDEX],
    )
    code = Code(function, blocking)
    build = code.builder
    vectors = 2 if paired else 1
    at_once, seen = vectors * blocking.lanes, BESIDE * across.results + across.products - across.results
    halfway = code.local(seen * down.products * at_once)

    def loaded(address: ir.Value) -> list[ir.Value]:
        return code.load_pairs(address) if paired else [code.load(address)]

    def place(i: int, j: ir.Value) -> ir.Value:
        return code.at(code.at(halfway, j, down.products * at_once), i * at_once)

    with code.loop(count, BESIDE) as (number, _):
        position = build.add(first, number)
        above = code.at(rows, build.sdiv(position, tiles_across), down.results)
        left = code.at(columns, build.srem(position, tiles_across), across.results)
        row_starts = [build.load(code.at(above, i)) for i in range(down.products)]
        with code.loop(channels, at_once) as (channel, _):
            lines = [code.at(code.at(source, channel), start) for start in row_starts]
            middle = []
            if paired:
                middle = loaded(code.at(lines[down.products // 2], build.load(code.at(left, across.results))))
            # Most rows of Bᵀ have a sum of 0, and take nothing of what is the same all over.
            constants = [
                [build.fmul(code.constant(float(sum(row))), each) for each in middle] if sum(row) else []
                for row in down.input
            ]
            with code.loop(index(seen), 1) as (j, _):
                column = build.load(code.at(left, j))
                values = [loaded(code.at(line, column)) for line in lines]
                for i, results in enumerate(_each(product_by_rows, code, down.input, values)):
                    code.store_all(_less(code, results, constants[i]), place(i, j))
            target = code.at(code.at(inputs, number, row), channel, 2 if paired else 4)
            with code.loop(index(BESIDE), 1) as (beside, _):
                corner, to = build.mul(beside, index(across.results)), code.at(target, beside, row)
                for i in range(down.products):
                    values = [
                        code.load_all(place(i, build.add(corner, index(j))), vectors) for j in range(across.products)
                    ]
                    for results in _each(product_by_rows, code, across.input, values):
                        _store_factors(code, results, to)
                        to = code.at(to, plane)
            if paired:
                to = code.at(code.at(inputs, index(transforms.products), plane), build.sdiv(number, index(BESIDE)), row)
                _store_factors(code, middle, code.at(to, channel, 2))
    build.ret_void()
    return function


def _less(code: Code, values: Sequence[ir.Value], constants: Sequence[ir.Value]) -> Sequence[ir.Value]:
    """Values less constants, where there are any."""
    return [code.builder.fsub(*each) for each in zip(values, constants, strict=True)] if constants else values


def _each(
    product: Callable[[Code, Matrix, Sequence[ir.Value]], list[ir.Value]],
    code: Code,
    matrix: Matrix,
    values: Sequence[Sequence[ir.Value]],
) -> list[tuple[ir.Value, ...]]:
    """A product with a matrix for each of some vectors of channels that are worked on together."""
    products = [product(code, matrix, each) for each in zip(*values, strict=True)]
    return list(zip(*products, strict=True))


def _store_factors(code: Code, values: Sequence[ir.Value], address: ir.Value) -> None:
    """Vectors that are to be multiplied, to an address of bytes: one of float32, or two of them as bfloat16."""
    kind = FLOAT if len(values) == 1 else BFLOAT16
    code.store_all(values, code.builder.bitcast(address, kind.as_pointer()))


def _write_product(module: ir.Module, blocking: Blocking, factors: ir.PointerType) -> ir.Function:
    """C = A B for a strip of `blocking.columns` columns; meanwhile, so many lines of something else are fetched.

    Rows of A lie apart, and are worked on in full blocks: those behind the last may be anything.
    """
    numbers = BYTE.as_pointer()
    function, (a, row, b, c, count, depth, ahead, lines) = void_function(
        module, "multiply", [numbers, INDEX, factors, numbers, INDEX, INDEX, numbers, INDEX]
    )
    code = Code(function, blocking)
    build = code.builder
    products = build.bitcast(c, _FLOATS)
    fetching = Fetching(code)
    fetching.begin(ahead, lines)
    with code.loop(count, blocking.rows) as (top, _):
        rows = [build.bitcast(code.at(a, build.add(top, index(r)), row), factors) for r in range(blocking.rows)]
        target = code.at(products, top, blocking.columns)

        def places(place: ir.Value) -> list[ir.Value]:
            return [code.at(each, place) for each in rows]

        for r, sums in code.product(depth, places, b, blocking.vectors, fetching.fetch):
            code.store_all(sums, code.at(target, r * blocking.columns))
    build.ret_void()
    return function


class _Ahead:
    """What the next block of a thread sees, for the products of this one to fetch.

    All at once, it would have to wait for memory, which then has nothing to do until the next block.

    Args:
        code: that takes the blocks.
        fields: of the order.
        transforms: F(m×m', 3×3).
        pixels: the type of the source.
    """

    def __init__(self, code: Code, fields: Fields, transforms: Nested, pixels: ir.PointerType) -> None:
        self._code = code
        self._down, self._across = transforms.down, transforms.across
        self._source = fields.pointer("source", pixels)
        self._rows, self._columns = (fields.pointer(name, _OFFSETS) for name in ("rows", "columns"))
        self._tiles_across, self._lines = fields.number("tiles_across"), fields.number("lines_ahead")
        self._starts = code.builder.alloca(INDEX, self._down.products)

    def find(self, tile: ir.Value) -> None:
        """To be called when it is known with which tile the next block begins."""
        code, build = self._code, self._code.builder
        above = code.at(self._rows, build.sdiv(tile, self._tiles_across), self._down.results)
        left = build.load(code.at(self._columns, build.srem(tile, self._tiles_across), self._across.results))
        for i in range(self._down.products):
            start = code.at(code.at(self._source, left), build.load(code.at(above, i)))
            build.store(build.ptrtoint(start, INDEX), code.at(self._starts, i))

    def share(self, number: ir.Value) -> tuple[ir.Value, ir.Value]:
        """For a product of this block, the first being 0: where what it fetches begins, and how many lines that is."""
        build, side = self._code.builder, index(self._down.products)
        row = build.inttoptr(build.load(self._code.at(self._starts, build.srem(number, side))), BYTE.as_pointer())
        return self._code.at(row, build.sdiv(number, side), self._lines, LINE), self._lines


def _write_output_transform(
    module: ir.Module, transforms: Nested, blocking: Blocking, kind: ir.PointerType, ending: Ending, *, paired: bool
) -> ir.Function:
    """The ReLU of Aᵀ M A' + b of some tiles, for a strip of channels."""
    down, across = transforms.down, transforms.across
    function, (products, plane, bias, targets, first, count) = void_function(
        module, "transform_output", [BYTE.as_pointer(), INDEX, _FLOATS, _OFFSETS, INDEX, INDEX]
    )
    code = Code(function, blocking)
    build = code.builder
    whole = transforms.results if ending != Ending.POOLED else 0
    pooled = transforms.results // 4 if ending != Ending.WHOLE else 0
    biases = code.load_all(bias, blocking.vectors)
    with code.loop(count, 1) as (number, _):
        target = code.at(targets, number, whole + pooled)

        def write(values: Sequence[ir.Value], place: int) -> None:
            address = build.inttoptr(build.load(code.at(target, place)), kind)
            code.store_all(values, code.at(address, first), past_caches=True)

        here = code.at(products, number, 4 * blocking.columns)
        halfway = []
        for _ in range(down.products):
            row = []
            for _ in range(across.products):
                row.append(code.load_all(build.bitcast(here, _FLOATS), blocking.vectors))
                here = code.at(here, plane)
            halfway.append(_each(product_by_columns, code, across.output, row))
        offsets = biases
        if paired:
            of_both = code.at(products, index(transforms.products), plane)
            of_both = code.at(of_both, build.sdiv(number, index(BESIDE)), 4 * blocking.columns)
            middle = code.load_all(build.bitcast(of_both, _FLOATS), blocking.vectors)
            offsets = [build.fadd(*each) for each in zip(biases, middle, strict=True)]
        # What is added to the products of the point 1 goes to all results.
        everywhere = next(k for k, column in enumerate(zip(*down.output, strict=True)) if set(column) == {1})
        halfway[everywhere] = [
            tuple(build.fadd(*each) for each in zip(values, offsets, strict=True)) for values in halfway[everywhere]
        ]
        for j in range(0, across.results, 2):
            # Two columns of results, one pixel after the other, each in all the vectors of the strip.
            pixels = [
                [code.positive(each) for each in values]
                for beside in range(2)
                for values in _each(product_by_columns, code, down.output, [row[j + beside] for row in halfway])
            ]
            if ending != Ending.WHOLE:
                for i in range(0, down.results, 2):
                    block = [pixels[left + i + below] for left in (0, down.results) for below in range(2)]
                    greatest = [reduce(code.maximum, each) for each in zip(*block, strict=True)]
                    write(greatest, whole + (i * across.results // 2 + j) // 2)
                    for pixel in block:
                        pixel[:] = [build.fsub(*each) for each in zip(pixel, greatest, strict=True)]
            if ending != Ending.POOLED:
                for number_of_pixel, pixel in enumerate(pixels):
                    right, i = divmod(number_of_pixel, down.results)
                    write(pixel, i * across.results + j + right)
    build.ret_void()
    return function


def _addresses(
    code: Code,
    pixels: ir.Value,
    corner: tuple[ir.Value, ir.Value],
    tile: tuple[int, int],
    size: tuple[ir.Value, ir.Value],
    channels: ir.Value,
    dump: ir.Value,
) -> list[ir.Value]:
    """Where each pixel of a tile lies, row by row; the dump for those that are not in the picture.

    Args:
        code: to append to.
        pixels: the picture.
        corner: which tile of the picture, down and across.
        tile: its height and width.
        size: height and width of the picture.
        channels: of a pixel.
        dump: a place for one.
    """
    build = code.builder
    top, left = (build.mul(each, index(side)) for each, side in zip(corner, tile, strict=True))
    addresses = []
    for i in range(tile[0]):
        for j in range(tile[1]):
            y, x = build.add(top, index(i)), build.add(left, index(j))
            inside = build.and_(build.icmp_signed("<", y, size[0]), build.icmp_signed("<", x, size[1]))
            pixel = code.at(pixels, build.add(build.mul(y, size[1]), x), channels)
            addresses.append(build.select(inside, pixel, dump))
    return addresses
