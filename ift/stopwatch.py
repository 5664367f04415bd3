"""Seconds per stage of the model, for the timing records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Adds up the wall-clock seconds of named stages; waits for the GPU's work at both ends of each.

    Not for copies beside it, which go by streams of their own.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.seconds: dict[str, float] = {}
        self._device = torch.device(device)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block under `name`."""
        self._settle()
        started = time.perf_counter()
        yield
        self._settle()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def _settle(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
