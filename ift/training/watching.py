"""What reaches the convolutions of a network while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from ift.reflect_conv import ReflectConv
from ift.reflection import reflect


@contextmanager
def watched(convolutions: Mapping[str, ReflectConv], record: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Within it, `record` hears of the inputs of each convolution, padded, and of its name."""

    def watching(name: str, take: Callable[[list[Tensor]], Tensor]) -> Callable[[list[Tensor]], Tensor]:
        def watched(held: list[Tensor]) -> Tensor:
            record(name, reflect(held[-1]))
            return take(held)

        return watched

    for name, convolution in convolutions.items():
        convolution.take = watching(name, convolution.take)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for convolution in convolutions.values():
            del convolution.take
