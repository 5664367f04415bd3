"""What reaches the convolutions of a network while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from ift.encoder import ReflectConv


@contextmanager
def watched(convolutions: Mapping[str, ReflectConv], record: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Within it, `record` hears of the inputs of each convolution, padded, and of its name.

    Not by a hook, because `padded` is called as often as forward.
    """

    def watching(name: str, padded: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def watched(features: Tensor) -> Tensor:
            record(name, features)
            return padded(features)

        return watched

    for name, convolution in convolutions.items():
        convolution.padded = watching(name, convolution.padded)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for convolution in convolutions.values():
            del convolution.padded
