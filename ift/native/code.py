"""Vectors of float32 in LLVM's intermediate representation: what a program for any processor is written in."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

from ift.native.processor import Blocking

INDEX = ir.IntType(64)
FLOAT = ir.FloatType()
BYTE = ir.IntType(8)
BFLOAT16 = ir.IntType(16)  # by its bits: not every LLVM that llvmlite has been built with knows the type
PAIR = ir.IntType(32)  # two of them that follow each other

LINE = 64
"""Bytes that caches hold and memory is written in."""

DEPTH_STEP = 4
"""What depths of products are multiples of."""

_UNROLLED, _ROWS_AT_END = 2, 2

_BITS = ir.IntType(32)


def index(value: int) -> ir.Constant:
    """A constant offset or count."""
    return ir.Constant(INDEX, value)


def void_function(
    module: ir.Module, name: str, types: Sequence[ir.Type]
) -> tuple[ir.Function, tuple[ir.Argument, ...]]:
    """A new function without a result, for this module only, and its arguments."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), types), name)
    function.linkage = "internal"
    return function, function.args


def begin(module: ir.Module, name: str, blocking: Blocking, order: type[ctypes.Structure]) -> tuple[Code, Fields]:
    """A new function that others may call, `void name(Order *)`: where its body goes, and what the order holds."""
    function, (address,) = void_function(module, name, [INDEX.as_pointer()])
    function.linkage = ""
    code = Code(function, blocking)
    return code, Fields(code, address, order)


class Fields:
    """What a structure of 64-bit numbers and addresses holds, in a function that is given its address.

    Args:
        code: of the function.
        structure: its address.
        kind: says the names of its fields.
    """

    def __init__(self, code: Code, structure: ir.Value, kind: type[ctypes.Structure]) -> None:
        self._code = code
        self._places = {name: code.at(structure, place) for place, (name, *_) in enumerate(kind._fields_)}

    def number(self, name: str) -> ir.Value:
        """The number of that name."""
        return self._code.builder.load(self._places[name])

    def pointer(self, name: str, kind: ir.PointerType) -> ir.Value:
        """The address of that name."""
        return self._code.builder.inttoptr(self.number(name), kind)

    def take(self, name: str, count: ir.Value) -> ir.Value:
        """The number of that name, which then is greater by a count: each thread that asks gets one of its own."""
        return self._code.builder.atomic_rmw("add", self._places[name], count, "monotonic")


class Code:
    """Appends instructions to one function.

    Args:
        function: whose body it is to be.
        blocking: says how many numbers are in a vector, and what instructions there are.
    """

    def __init__(self, function: ir.Function, blocking: Blocking) -> None:
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.lanes = lanes = blocking.lanes
        self.vector = ir.VectorType(FLOAT, lanes)
        self._integers = ir.VectorType(_BITS, lanes)
        self._halves = ir.VectorType(BFLOAT16, lanes)
        self._blocking = blocking
        name = f"llvm.fma.v{lanes}f32"
        declared = function.module.globals.get(name)
        self._fma = declared or ir.Function(function.module, ir.FunctionType(self.vector, [self.vector] * 3), name)

    def constant(self, value: float) -> ir.Constant:
        """The same number in each lane."""
        return ir.Constant(self.vector, [float(value)] * self.lanes)

    def broadcast(self, pointer: ir.Value) -> ir.Value:
        """The float32, or the pair, at an address, in each lane."""
        undefined = ir.Constant(ir.VectorType(pointer.type.pointee, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.load(pointer), ir.Constant(_BITS, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(self._integers, None))

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a·b + c, rounded once."""
        return self.builder.call(self._fma, [a, b, c])

    def multiply_add_pairs(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a₀·b₀ + a₁·b₁ + c of pairs and float32, rounded to float32 on the way; for processors that have it.

        By its name, for what LLVM calls it depends on LLVM.

        Args:
            a: vector of pairs, or the address of a pair that is taken in each lane; LLVM does not know that it is read,
                so the same function must not write there.
            b: vector of pairs.
            c: vector of float32.
        """
        kind = ir.FunctionType(self.vector, [a.type, self._integers, self.vector])
        there, constraint = (f"($1){{1to{self.lanes}}}", "r") if isinstance(a.type, ir.PointerType) else ("$1", "v")
        text = f"vdpbf16ps {there}, $2, $0"
        return self.builder.asm(kind, text, f"=v,{constraint},v,0", [a, b, c], side_effect=False)

    def positive(self, a: ir.Value) -> ir.Value:
        """The greater of a number and 0; what is not a number stays one."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, self.constant(0)), self.constant(0), a)

    def maximum(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The greater in each lane; what is not a number stays one, as in PyTorch."""
        greater = self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)  # b where either is none
        return self.builder.select(self.builder.fcmp_unordered("uno", a, a), a, greater)

    def combine(self, terms: Sequence[tuple[float, ir.Value]]) -> ir.Value | None:
        """Σ coefficient · vector; None if there are no terms but zeros."""
        present = sorted((term for term in terms if term[0]), key=lambda term: abs(term[0]) != 1)
        total: ir.Value | None = None
        for coefficient, value in present:
            if total is None:
                total = value if coefficient == 1 else self.builder.fmul(self.constant(coefficient), value)
            elif coefficient == 1:
                total = self.builder.fadd(total, value)
            elif coefficient == -1:
                total = self.builder.fsub(total, value)
            else:
                total = self.multiply_add(self.constant(coefficient), value, total)
        return total

    def at(self, pointer: ir.Value, *offset: ir.Value | int) -> ir.Value:
        """The address of an element: so many behind the first, the product of what is given."""
        total = index(offset[0]) if isinstance(offset[0], int) else offset[0]
        for factor in offset[1:]:
            total = self.builder.mul(total, index(factor) if isinstance(factor, int) else factor)
        return self.builder.gep(pointer, [total])

    def local(self, count: int) -> ir.Value:
        """The address of so many float32 that the function has for itself; to be asked for at its beginning."""
        memory = self.builder.alloca(FLOAT, count)
        memory.align = LINE
        return memory

    def smaller(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of two counts."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def load(self, pointer: ir.Value) -> ir.Value:
        """The vector at an address of float32 or bfloat16, as float32; of pairs as they are."""
        if pointer.type.pointee != BFLOAT16:
            vector = ir.VectorType(pointer.type.pointee, self.lanes)
            return self.builder.load(self.builder.bitcast(pointer, vector.as_pointer()), align=4)
        wide = self.builder.zext(self.load_halves(pointer), self._integers)
        return self.builder.bitcast(self.builder.shl(wide, self._bits(16)), self.vector)

    def load_halves(self, pointer: ir.Value) -> ir.Value:
        """As many bfloat16 as a vector holds float32, by their bits."""
        return self.builder.load(self.builder.bitcast(pointer, self._halves.as_pointer()), align=2)

    def load_pairs(self, pointer: ir.Value) -> list[ir.Value]:
        """The vectors of the first and of the second bfloat16 of each pair at an address of bfloat16, as float32."""
        bits = self.load(self.builder.bitcast(pointer, PAIR.as_pointer()))
        both = self.builder.shl(bits, self._bits(16)), self.builder.and_(bits, self._bits(0xFFFF0000))
        return [self.builder.bitcast(each, self.vector) for each in both]

    def load_all(self, pointer: ir.Value, count: int) -> list[ir.Value]:
        """So many vectors that follow each other."""
        return [self.load(self.at(pointer, number * self.lanes)) for number in range(count)]

    def product(
        self,
        depth: ir.Value,
        left: Callable[[ir.Value], Sequence[ir.Value]],
        right: ir.Value,
        vectors: int,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[int, list[ir.Value]]]:
        """Σ left · right over a depth, of as many rows as registers hold.

        The last few numbers of the depth are multiplied for two rows, then for the next two. So what is done with the
        first sums, above all storing them, goes on beside products of the others: a processor that gets sixteen
        vectors to be stored at once multiplies nothing for twenty cycles.

        Args:
            depth: numbers, or pairs, to be summed over: a multiple of `DEPTH_STEP`, and not 0.
            left: gives, for a place of the depth, the addresses of the float32 or the pair of each row.
            right: address of a strip, (depth, S) of the same, S the blocking's columns.
            vectors: of the strip that are multiplied, from there on.
            meanwhile: appends what else to do now and then: for every other place of the depth, but the last ones.

        Yields:
            Each row and its vectors, as soon as they are complete.
        """
        rows = self._blocking.rows

        def add_products(sums: list[ir.Value], some: range, place: ir.Value) -> None:
            strip = self.load_all(self.at(right, place, self._blocking.columns), vectors)
            addresses = left(place)
            for row in some:
                address = addresses[row]
                paired = address.type.pointee == PAIR
                factor = address if paired else self.broadcast(address)
                multiply_add = self.multiply_add_pairs if paired else self.multiply_add
                for number, vector in enumerate(strip, row * vectors):
                    sums[number] = multiply_add(factor, vector, sums[number])

        begun = self.builder.sub(depth, index(DEPTH_STEP))
        with self.loop(begun, _UNROLLED, [self.constant(0)] * (rows * vectors)) as (start, sums):
            meanwhile()
            for step in range(_UNROLLED):
                add_products(sums, range(rows), self.builder.add(start, index(step)))
        for first in range(0, rows, _ROWS_AT_END):
            last = range(first, first + _ROWS_AT_END)
            for step in range(DEPTH_STEP):
                add_products(sums, last, self.builder.add(begun, index(step)))
            for row in last:
                yield row, sums[row * vectors : (row + 1) * vectors]

    def strips_product(
        self,
        left: ir.Value,
        right: ir.Value,
        depth: ir.Value,
        row: ir.Value,
        first: int = 0,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[int, list[ir.Value]]]:
        """The `product` of two strips, each (depth, S) float32 or pairs, S the blocking's columns.

        Args:
            left: for rows of the result.
            right: for columns of the result.
            depth: as there.
            row: of the left strip, the first.
            first: of the vectors of the right strip.
            meanwhile: as there.

        Yields:
            Each row, counted from that one, and its vectors, from the first on.
        """

        def factors(place: ir.Value) -> list[ir.Value]:
            start = self.at(self.at(left, place, self._blocking.columns), row)
            return [self.at(start, r) for r in range(self._blocking.rows)]

        vectors = self._blocking.vectors - first
        return self.product(depth, factors, self.at(right, first * self.lanes), vectors, meanwhile)

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        """Writes a vector to an address of its type, or rounds float32, half to even, to one of bfloat16."""
        self.store_all([value], pointer)

    def store_all(self, values: Sequence[ir.Value], pointer: ir.Value, *, past_caches: bool = False) -> None:
        """Writes vectors that follow each other, as `store` does.

        Args:
            values: of float32, or of the type of the address.
            pointer: address.
            past_caches: to memory at once, whole lines at a time, where that is possible: for more than caches hold,
                at addresses that are multiples of 64. `settle` makes it visible to other threads.
        """
        if pointer.type.pointee != BFLOAT16:
            stored = [(value, number * self.lanes) for number, value in enumerate(values)]
        elif self._blocking.pairs and len(values) == 2:
            stored = [(self._rounded_pair(*values), 0)]
        else:
            stored = [(self.rounded(value), number * self.lanes) for number, value in enumerate(values)]
        size = 2 if pointer.type.pointee == BFLOAT16 else 4
        for value, offset in stored:
            address = self.builder.bitcast(self.at(pointer, offset), value.type.as_pointer())
            if past_caches and value.type.count * size == LINE:
                store = self.builder.store(value, address, align=LINE)
                store.set_metadata("nontemporal", self.builder.module.add_metadata([_BITS(1)]))
            else:
                self.builder.store(value, address, align=size)

    def settle(self) -> None:
        """Waits until all that was stored past caches is in memory."""
        self.builder.asm(ir.FunctionType(ir.VoidType(), []), "sfence", "", [], side_effect=True)

    def prefetch(self, address: ir.Value) -> None:
        """Has the processor fetch the line at an address, a number, which need not be one."""
        kind = ir.FunctionType(ir.VoidType(), [INDEX])
        self.builder.asm(kind, "prefetcht0 ($0)", "r", [address], side_effect=True)

    def _rounded_pair(self, first: ir.Value, second: ir.Value) -> ir.Value:
        kind = ir.FunctionType(ir.VectorType(BFLOAT16, 2 * self.lanes), [self.vector, self.vector])
        return self.builder.asm(kind, "vcvtne2ps2bf16 $1, $2, $0", "=v,v,v", [first, second], side_effect=False)

    def rounded(self, value: ir.Value) -> ir.Value:
        """Float32 numbers as bfloat16, half to even."""
        if self._blocking.pairs:
            kind = ir.FunctionType(self._halves, [self.vector])
            return self.builder.asm(kind, "vcvtneps2bf16 $1, $0", "=v,v", [value], side_effect=False)
        bits = self.builder.bitcast(value, self._integers)
        odd = self.builder.and_(self.builder.lshr(bits, self._bits(16)), self._bits(1))
        rounded = self.builder.add(bits, self.builder.add(odd, self._bits(0x7FFF)))
        return self.builder.trunc(self.builder.lshr(rounded, self._bits(16)), self._halves)

    def totals(self, vectors: Sequence[ir.Value]) -> ir.Value:
        """The sum of the numbers of each vector, in a vector; behind those, for fewer than it has lanes, anything."""
        current, length = list(vectors), self.lanes
        while length > 1:
            if len(current) % 2:
                current.append(current[-1])
            # Both halves of each vector's part are added: that of one, then that of the other.
            starts = range(0, 2 * self.lanes, length)
            halves = [
                ir.Constant(self._integers, [start + i for start in starts for i in range(first, first + length // 2)])
                for first in (0, length // 2)
            ]
            current = [
                self.builder.fadd(*(self.builder.shuffle_vector(one, other, half) for half in halves))
                for one, other in zip(current[::2], current[1::2], strict=True)
            ]
            length //= 2
        return current[0]

    def beside(self, first: ir.Value, second: ir.Value) -> ir.Value:
        """Pairs of what `load_halves` has given twice."""
        order = [place for lane in range(self.lanes) for place in (lane, self.lanes + lane)]
        both = self.builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_BITS, 2 * self.lanes), order))
        return self.builder.bitcast(both, self._integers)

    def add_to(self, pointer: ir.Value, value: ir.Value) -> None:
        """Adds a vector to what is at an address of float64."""
        wide = ir.VectorType(ir.DoubleType(), self.lanes)
        place = self.builder.bitcast(pointer, wide.as_pointer())
        total = self.builder.fadd(self.builder.load(place, align=8), self.builder.fpext(value, wide))
        self.builder.store(total, place, align=8)

    def add_product_to(self, pointer: ir.Value, a: ir.Value, b: ir.Value, times: ir.Value | None = None) -> None:
        """Adds a·b in float64, times such a vector, to what is at an address of float64."""
        wide = ir.VectorType(ir.DoubleType(), self.lanes)
        product = self.builder.fmul(self.builder.fpext(a, wide), self.builder.fpext(b, wide))
        if times is not None:
            product = self.builder.fmul(product, times)
        place = self.builder.bitcast(pointer, wide.as_pointer())
        self.builder.store(self.builder.fadd(self.builder.load(place, align=8), product), place, align=8)

    def store_lane(self, vector: ir.Value, lane: int, pointer: ir.Value) -> None:
        """Writes one number of a vector to an address of its type."""
        self.builder.store(self.builder.extract_element(vector, ir.Constant(_BITS, lane)), pointer)

    def wide_constant(self, value: float) -> ir.Constant:
        """The same float64 number in each lane."""
        return ir.Constant(ir.VectorType(ir.DoubleType(), self.lanes), [float(value)] * self.lanes)

    @contextmanager
    def until_taken(
        self, fields: Fields, name: str, block: ir.Value, stop: ir.Value
    ) -> Iterator[tuple[ir.Value, ir.Value]]:
        """While there are any: the next block of what several threads share out.

        Args:
            fields: of what they have in common.
            name: of the field that says what has been taken.
            block: how much to take at once.
            stop: the first that is not there to be taken.

        Yields:
            The first, and how many.
        """
        with self._while_below(stop, lambda: fields.take(name, block)) as first:
            yield first, self.smaller(self.builder.sub(stop, first), block)

    @contextmanager
    def until_taken_ahead(
        self, fields: Fields, name: str, block: ir.Value, stop: ir.Value, threads: ir.Value
    ) -> Iterator[tuple[ir.Value, ir.Value, ir.Value]]:
        """The same by a thread that takes the next block already while it works on one, so as to fetch what it needs.

        Not where that would leave too few for others: only while there is one for each of the threads.

        Yields:
            The first, how many, and the first of the next block, or the same once more if none has been taken.
        """
        build, nothing = self.builder, index(-1)
        kept = build.alloca(INDEX)
        build.store(nothing, kept)

        def take() -> ir.Value:
            ahead = build.load(kept)
            none_kept = build.icmp_signed("==", ahead, nothing)
            return build.select(none_kept, fields.take(name, build.select(none_kept, block, index(0))), ahead)

        with self._while_below(stop, take) as first:
            left = build.sub(stop, fields.number(name))
            plenty = build.icmp_signed(">", left, build.mul(threads, block))
            ahead = fields.take(name, build.select(plenty, block, index(0)))
            build.store(build.select(plenty, ahead, nothing), kept)
            following = build.select(plenty, self.smaller(ahead, build.sub(stop, index(1))), first)
            yield first, self.smaller(build.sub(stop, first), block), following

    @contextmanager
    def _while_below(self, stop: ir.Value, take: Callable[[], ir.Value]) -> Iterator[ir.Value]:
        """What is taken, until that is not below a limit."""
        builder = self.builder
        head, body, after = (builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        taken = take()
        builder.cbranch(builder.icmp_signed("<", taken, stop), body, after)
        builder.position_at_end(body)
        yield taken
        builder.branch(head)
        builder.position_at_end(after)

    @contextmanager
    def loop(
        self, stop: ir.Value, step: int, carried: Sequence[ir.Value] = ()
    ) -> Iterator[tuple[ir.Value, list[ir.Value]]]:
        """From 0 up to `stop`.

        Args:
            stop: the first index that is too large.
            step: from one to the next.
            carried: values at the start.

        Yields:
            The index, and the carried values, to be replaced by the next ones; after the loop they are the last.
        """
        builder = self.builder
        before, head = builder.block, builder.append_basic_block()
        body, after = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(head)
        builder.position_at_end(head)
        position = builder.phi(INDEX)
        position.add_incoming(index(0), before)
        phis = [builder.phi(value.type) for value in carried]
        for phi, value in zip(phis, carried, strict=True):
            phi.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", position, stop), body, after)
        builder.position_at_end(body)
        values = list(phis)
        yield position, values
        position.add_incoming(builder.add(position, index(step)), builder.block)
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        values[:] = phis

    def _bits(self, value: int) -> ir.Constant:
        return ir.Constant(self._integers, [value] * self.lanes)
