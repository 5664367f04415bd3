"""Copies between memory and a GPU, beside what it computes: pinned memory, and a stream for each direction.

On a CPU nothing is copied, and nothing is waited for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor


class Sent:
    """A tensor on its way to a device.

    Args:
        tensor: in memory; not to be written to any more.
        device: where it is wanted. With no room there, or none that can be pinned, it is copied when it is asked for.
    """

    def __init__(self, tensor: Tensor, device: torch.device) -> None:
        self.shape = tensor.shape
        self._device, self._tensor = device, tensor
        self._arrived: torch.cuda.Event | None = None
        if device.type != "cuda":
            return
        stream = _stream(device, "there")
        try:
            with torch.cuda.stream(stream):
                self._tensor = tensor.pin_memory().to(device, non_blocking=True)
        except RuntimeError:
            return
        self._arrived = stream.record_event()

    def get(self) -> Tensor:
        """The tensor on the device; what the current stream does from now on waits for it."""
        if self._arrived is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(self._arrived)
            self._tensor.record_stream(stream)
        return self._tensor.to(self._device)


class Fetched:
    """A tensor on its way into memory.

    Args:
        tensor: that the current stream has computed, or will have.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._arrived: torch.cuda.Event | None = None
        if tensor.device.type != "cuda":
            return
        stream = _stream(tensor.device, "back")
        stream.wait_stream(torch.cuda.current_stream(tensor.device))
        try:
            pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        except RuntimeError:  # as much cannot be pinned
            self._tensor = tensor.cpu()
            return
        with torch.cuda.stream(stream):
            self._tensor = pinned.copy_(tensor, non_blocking=True)
        tensor.record_stream(stream)
        # Blocking: else who waits for it keeps a CPU busy.
        self._arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self._arrived.record(stream)

    def get(self) -> Tensor:
        """The tensor in memory, once it is there; any thread may ask."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._tensor


@lru_cache
def _stream(device: torch.device, _direction: Literal["there", "back"]) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
