"""Vectors of float32 in LLVM's intermediate representation: what a program for any processor is written in."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

INDEX = ir.IntType(64)
FLOAT = ir.FloatType()
BFLOAT16 = ir.IntType(16)  # by its bits: not every LLVM that llvmlite has been built with knows the type

_BIT = ir.IntType(32)


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


def begin(module: ir.Module, name: str, lanes: int, order: type[ctypes.Structure]) -> tuple[Code, Fields]:
    """A new function that others may call, `void name(Order *)`: where its body goes, and what the order holds."""
    function, (address,) = void_function(module, name, [INDEX.as_pointer()])
    function.linkage = ""
    code = Code(function, lanes)
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
        lanes: numbers in a vector.
    """

    def __init__(self, function: ir.Function, lanes: int) -> None:
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.lanes = lanes
        self.vector = ir.VectorType(FLOAT, lanes)
        name = f"llvm.fma.v{lanes}f32"
        declared = function.module.globals.get(name)
        self._fma = declared or ir.Function(function.module, ir.FunctionType(self.vector, [self.vector] * 3), name)

    def constant(self, value: float) -> ir.Constant:
        """The same number in each lane."""
        return ir.Constant(self.vector, [float(value)] * self.lanes)

    def broadcast(self, pointer: ir.Value) -> ir.Value:
        """The float32 at an address, in each lane."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.load(pointer), ir.Constant(_BIT, 0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_BIT, self.lanes), None))

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a·b + c, rounded once."""
        return self.builder.call(self._fma, [a, b, c])

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

    def load(self, pointer: ir.Value) -> ir.Value:
        """The vector at an address of float32 or bfloat16, as float32."""
        if pointer.type.pointee == FLOAT:
            return self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()), align=4)
        halves = ir.VectorType(BFLOAT16, self.lanes)
        bits = self.builder.load(self.builder.bitcast(pointer, halves.as_pointer()), align=2)
        wide = self.builder.zext(bits, ir.VectorType(_BIT, self.lanes))
        return self.builder.bitcast(self.builder.shl(wide, self._bits(16)), self.vector)

    def load_all(self, pointer: ir.Value, count: int) -> list[ir.Value]:
        """So many vectors that follow each other."""
        return [self.load(self.at(pointer, number * self.lanes)) for number in range(count)]

    def add_products(self, sums: list[ir.Value], factors: Sequence[ir.Value], vectors: Sequence[ir.Value]) -> None:
        """Adds factor · vector to the sum of each pair, those of the first factor first.

        Args:
            sums: to be replaced.
            factors: addresses of float32.
            vectors: to be multiplied with each of them.
        """
        for r, address in enumerate(factors):
            factor = self.broadcast(address)
            for v, vector in enumerate(vectors):
                place = r * len(vectors) + v
                sums[place] = self.multiply_add(factor, vector, sums[place])

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        """Writes float32 to an address of float32, or rounds it, half to even, to one of bfloat16."""
        if pointer.type.pointee == FLOAT:
            self.builder.store(value, self.builder.bitcast(pointer, self.vector.as_pointer()), align=4)
            return
        bits = self.builder.bitcast(value, ir.VectorType(_BIT, self.lanes))
        odd = self.builder.and_(self.builder.lshr(bits, self._bits(16)), self._bits(1))
        rounded = self.builder.add(bits, self.builder.add(odd, self._bits(0x7FFF)))
        halves = ir.VectorType(BFLOAT16, self.lanes)
        narrow = self.builder.trunc(self.builder.lshr(rounded, self._bits(16)), halves)
        self.builder.store(narrow, self.builder.bitcast(pointer, halves.as_pointer()), align=2)

    def add_to(self, pointer: ir.Value, value: ir.Value) -> None:
        """Adds a vector to what is at an address of float64."""
        wide = ir.VectorType(ir.DoubleType(), self.lanes)
        place = self.builder.bitcast(pointer, wide.as_pointer())
        total = self.builder.fadd(self.builder.load(place, align=8), self.builder.fpext(value, wide))
        self.builder.store(total, place, align=8)

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
        builder = self.builder
        head, body, after = (builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        first = fields.take(name, block)
        builder.cbranch(builder.icmp_signed("<", first, stop), body, after)
        builder.position_at_end(body)
        left = builder.sub(stop, first)
        yield first, builder.select(builder.icmp_signed("<", left, block), left, block)
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
        return ir.Constant(ir.VectorType(_BIT, self.lanes), [value] * self.lanes)
