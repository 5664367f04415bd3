"""Threads that run machine code side by side: PyTorch's own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Thread

import torch
from torch.profiler import record_function

from ift.native.machine_code import MachineCode

_Parallel = Callable[[int, int, int, int], object]


def together(function: MachineCode, argument: int, threads: int) -> None:
    """Calls `void function(void *)` on so many threads, this one among them; returns when all are done.

    Args:
        function: to be called.
        argument: an address.
        threads: at least 1.
    """
    with record_function(f"ift::{function.name}"):  # which profiles show as if it were an operator
        parallel = _openmp()
        if parallel is not None:
            parallel(function.address, argument, threads, 0)
            return
        call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(function.address)
        others = [Thread(target=call, args=(argument,)) for _ in range(threads - 1)]
        for other in others:
            other.start()
        call(argument)
        for other in others:
            other.join()


@cache
def _openmp() -> _Parallel | None:
    """What compilers make of a parallel region, in the OpenMP that PyTorch is linked with; None if it is not there.

    Threads of our own would have to share the processor with PyTorch's, which after each of its operators stay awake
    for milliseconds, waiting for the next: at 512×512 that doubles the time of the smaller convolutions.
    """
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        parallel: _Parallel = library.GOMP_parallel
    except (OSError, AttributeError):
        return None
    library.GOMP_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    library.GOMP_parallel.restype = None
    return parallel
