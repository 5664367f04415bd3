"""The convolution that both networks are made of: 3×3, with reflection padding."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ift import narrow, winograd
from ift.fused import conv2d_relu
from ift.reflection import reflect


class ReflectConv(nn.Conv2d):
    """A 3×3 convolution with reflection padding, and with ReLU if asked for."""

    def __init__(self, channels_in: int, channels_out: int, relu: bool = True) -> None:
        super().__init__(channels_in, channels_out, 3)
        self._relu = relu
        self._filters: tuple[object, winograd.Filters | narrow.NarrowFilters] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W), H and W at least 2, to (B, C', H, W)."""
        return self.take([input])

    def take(self, held: list[Tensor]) -> Tensor:
        """What `forward` gives for the last of a list, which is taken out, so that its memory is free early."""
        assert self.bias is not None
        filters = self._filters_for(held[-1])
        if isinstance(filters, winograd.Filters):
            return winograd.convolve(held.pop(), filters)
        if isinstance(filters, narrow.NarrowFilters):
            return narrow.convolve_narrow(held.pop(), filters)
        held.append(reflect(held.pop()))
        if not self._relu:
            return super().forward(held.pop())
        return conv2d_relu(held.pop(), self.weight, self.bias)

    def take_pooled(self, held: list[Tensor], with_lost: bool) -> tuple[Tensor, Tensor | None]:
        """Max pooling, 2×2, of what `take` gives, and if asked for what is lost by it, see `Encoder.stage`."""
        filters = self._filters_for(held[-1])
        if isinstance(filters, winograd.Filters):
            return winograd.convolve_and_pool(held.pop(), filters, with_lost=with_lost)
        whole = self.take(held)
        pooled = functional.max_pool2d(whole, 2)
        return pooled, _lost(whole, pooled) if with_lost else None

    def _filters_for(self, features: Tensor) -> winograd.Filters | narrow.NarrowFilters | None:
        return self.filters() if features.dtype == self.weight.dtype else None

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be made again: a copy or a pickle would carry seven times the weights."""
        return {**self.__dict__, "_filters": None}

    def filters(self) -> winograd.Filters | narrow.NarrowFilters | None:
        """The weights as they are now, for machine code; None where that is not the way. Made once, and kept."""
        assert self.bias is not None
        suits = winograd.suits if self._relu else narrow.suits
        if not suits(self.weight):
            return None
        both = (self.weight, self.bias)
        now = tuple((each.data_ptr(), None if each.is_inference() else each._version) for each in both)
        if self._filters is None or self._filters[0] != now:
            self._filters = now, (winograd.Filters if self._relu else narrow.NarrowFilters).of(*both)
        return self._filters[1]


def _lost(x: Tensor, pooled: Tensor) -> Tensor:
    """What max pooling throws away: each (B, C, H, W) minus the greatest of its 2×2 block, (B, C, H/2, W/2)."""
    batch, channels, height, width = x.shape
    blocks = x.view(batch, channels, height // 2, 2, width // 2, 2)
    return (blocks - pooled[:, :, :, None, :, None]).flatten(4, 5).flatten(2, 3)
