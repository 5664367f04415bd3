"""Where updates are carried out: operator by operator, in machine code on CPUs, or as CUDA graphs on GPUs.

An update of small matrices is a hundred short kernels. Launched one by one they take a GPU many times as long as the
arithmetic; a graph of them is launched at once. How far to go is decided on the host in either case, from five numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor

from ift.transformations import passes
from ift.transformations.updates import Iterate, Problem, advance, start

_KEPT = 32
"""Shapes whose graphs are kept: four levels, batches of a few sizes. Each holds a dozen matrices of its shape."""

_ONE_AT_A_TIME = threading.Lock()
"""Graphs work on tensors of their own, and share what memory they need on the way."""


class Descent(Protocol):
    """Updates of one problem, a step at a time."""

    def start(self) -> list[list[float]]:
        """See `updates.start`: five numbers for each picture."""

    def advance(self, eta: Sequence[float]) -> list[list[float]]:
        """See `updates.advance`: four numbers for each picture, given its η."""

    def matrix(self, eta: Sequence[float]) -> Tensor:
        """(B, C, C): A once more moved by η."""


@contextmanager
def descent(problem: Problem) -> Iterator[Descent]:
    """The updates of a problem, for as long as the context lasts."""
    content = problem.content
    if passes.suits(content):
        yield passes.Updates(problem)
        return
    if content.device.type != "cuda":
        yield _Operators(problem)
        return
    with _ONE_AT_A_TIME:
        graphs = _graphs(content.shape, content.dtype, content.device, problem.conjugate)
        graphs.take(problem)
        yield graphs
        # Whoever comes next may use another stream.
        torch.cuda.current_stream(content.device).synchronize()


class _Operators:
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._iterate: Iterate

    def start(self) -> list[list[float]]:
        self._iterate, quartic = start(self._problem)
        return _numbers(quartic)

    def advance(self, eta: Sequence[float]) -> list[list[float]]:
        self._iterate, quartic = advance(self._problem, self._iterate, self._shaped(eta))
        return _numbers(quartic)

    def matrix(self, eta: Sequence[float]) -> Tensor:
        return self._iterate.matrix(self._shaped(eta))

    def _shaped(self, eta: Sequence[float]) -> Tensor:
        mu = self._problem.mu
        return torch.tensor(eta, dtype=mu.dtype, device=mu.device).reshape(-1, 1, 1)


class _Graphs:
    """`start` and `advance` for problems of one shape; they work on tensors that stay where they are."""

    def __init__(self, shape: torch.Size, dtype: torch.dtype, device: torch.device, conjugate: bool) -> None:
        # Tensors that were made in inference mode could not be written to outside of it.
        with torch.inference_mode(False), torch.no_grad(), torch.cuda.device(device):
            matrix = torch.zeros(shape, dtype=dtype, device=device)
            self._eta = torch.zeros(shape[0], 1, 1, dtype=dtype, device=device)
            self._problem = Problem.of(matrix, matrix.clone(), self._eta.clone(), conjugate=conjugate)
            iterate, quartic = start(self._problem)
            self._iterate = Iterate(*(each.clone() for each in iterate))
            self._quartic = quartic.clone()
            self._start = self._captured(lambda: start(self._problem))
            self._advance = self._captured(lambda: advance(self._problem, self._iterate, self._eta))

    def _captured(self, update: Callable[[], tuple[Iterate, Tensor]]) -> torch.cuda.CUDAGraph:
        def run() -> None:
            iterate, quartic = update()
            for mine, new in zip(self._iterate, iterate, strict=True):
                mine.copy_(new)
            self._quartic[:, : quartic.shape[1]] = quartic

        aside = torch.cuda.Stream(self._quartic.device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            run()  # whatever the libraries set up at their first call does not belong into a graph
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=_scratch(self._quartic.device), capture_error_mode="thread_local"):
            run()
        return graph

    def take(self, problem: Problem) -> None:
        for mine, given in zip(_tensors(self._problem), _tensors(problem), strict=True):
            mine.copy_(given)

    def start(self) -> list[list[float]]:
        self._start.replay()
        return _numbers(self._quartic)

    def advance(self, eta: Sequence[float]) -> list[list[float]]:
        self._take(eta)
        self._advance.replay()
        return _numbers(self._quartic[:, :-1])

    def matrix(self, eta: Sequence[float]) -> Tensor:
        self._take(eta)
        return self._iterate.matrix(self._eta)

    def _take(self, eta: Sequence[float]) -> None:
        self._eta.copy_(torch.tensor(eta, dtype=self._eta.dtype).reshape(-1, 1, 1))


def _tensors(problem: Problem) -> tuple[Tensor, ...]:
    return (problem.content, problem.style, problem.mu, *(problem.preconditioner or ()))


def _numbers(quartic: Tensor) -> list[list[float]]:
    numbers: list[list[float]] = quartic.tolist()
    return numbers


@lru_cache(maxsize=_KEPT)
def _graphs(shape: torch.Size, dtype: torch.dtype, device: torch.device, conjugate: bool) -> _Graphs:
    return _Graphs(shape, dtype, device, conjugate)


@lru_cache
def _scratch(device: torch.device) -> Any:
    with torch.cuda.device(device):
        return torch.cuda.graph_pool_handle()
