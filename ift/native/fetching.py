"""Memory that is fetched in between other work, so that nothing has to wait for it later."""

from __future__ import annotations

from llvmlite import ir

from ift.native.code import INDEX, LINE, Code, index


class Fetching:
    """Lines that follow each other, one at a time.

    Args:
        code: to append to, at the beginning of the function.
    """

    def __init__(self, code: Code) -> None:
        self._code = code
        self._next, self._last = code.builder.alloca(INDEX), code.builder.alloca(INDEX)

    def begin(self, start: ir.Value, lines: ir.Value) -> None:
        """From an address on, so many; what is behind the last is not fetched."""
        build = self._code.builder
        first = build.ptrtoint(start, INDEX)
        build.store(first, self._next)
        build.store(build.add(first, build.mul(build.sub(lines, index(1)), index(LINE))), self._last)

    def fetch(self) -> None:
        """Has the processor fetch one more."""
        build = self._code.builder
        here = build.load(self._next)
        self._code.prefetch(here)
        build.store(self._code.smaller(build.add(here, index(LINE)), build.load(self._last)), self._next)
