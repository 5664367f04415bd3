"""The updates of `ift.transformations.updates` by programs, picture by picture."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from llvmlite import ir
from torch import Tensor

from ift.native.machine_code import MachineCode
from ift.native.processor import Blocking, given_or_this
from ift.native.suited import suited
from ift.native.team import together
from ift.transformations.conjugacy import polak_ribiere
from ift.transformations.line_search import quartic
from ift.transformations.passes.kernel import SUMS, Numbers, Order, write_compare, write_move, write_spread, write_turn
from ift.transformations.updates import Problem

_SMALLEST = 1e-30
"""Stands for the squared length of what is black, or of a direction that leads nowhere."""

_LONGEST = 1e6
"""How much longer than B a direction may be made, as its entries measure it."""


def suits(content: Tensor) -> bool:
    """Whether `Updates` can do the work on such a (B, C, C) matrix here, and is the fastest way."""
    divided = suited(content)
    return divided is not None and content.dtype == torch.float32 and content.shape[-1] % divided.columns == 0


class Updates:
    """`start`, `advance` and `matrix` of a problem; see `ift.transformations.descent.Descent`.

    Args:
        problem: of float32 matrices.
        blocking: this processor's, if not given.
    """

    def __init__(self, problem: Problem, blocking: Blocking | None = None) -> None:
        blocking = given_or_this(blocking)
        self._pictures = [_Picture(problem, number, blocking) for number in range(len(problem.content))]

    def start(self) -> list[list[float]]:
        """Five numbers for each picture."""
        return [[*picture.start(), picture.value()] for picture in self._pictures]

    def advance(self, eta: Sequence[float]) -> list[list[float]]:
        """Four numbers for each picture, given its η."""
        return [picture.advance(each) for picture, each in zip(self._pictures, eta, strict=True)]

    def matrix(self, eta: Sequence[float]) -> Tensor:
        """(B, C, C): A once more moved by η."""
        return torch.stack([picture.matrix(each) for picture, each in zip(self._pictures, eta, strict=True)])


class _Picture:
    def __init__(self, problem: Problem, number: int, blocking: Blocking) -> None:
        content, style = problem.content[number].contiguous(), problem.style[number].contiguous()
        self._content, self._mu, self._conjugate = content, float(problem.mu[number]), problem.conjugate
        self._sketched = _Sketched(*(each[number] for each in problem.preconditioner or _nothing(problem)))
        self._programs, self._threads = _programs(blocking, self._sketched.rank), torch.get_num_threads()
        size = len(content)
        # Named as in `Order`; these stay where they are, and programs change them.
        self._held = {
            "b": torch.eye(size),
            "mb": content.clone(),
            "t": content.clone(),
            "style": style,
            "w": torch.empty_like(content),
            "gradient": torch.empty_like(content),
            "m_gradient": torch.empty_like(content),
            "last_gradient": torch.empty_like(content),
            "direction": torch.zeros_like(content),
            "m_direction": torch.zeros_like(content),
            "cross": torch.empty_like(content),
            "square": torch.empty_like(content),
            "y": self._sketched.y,
            "my": self._sketched.my,
            "h": self._sketched.h,
            "strips": torch.empty(4, size, size),
            "sums": torch.empty(self._threads, SUMS, blocking.lanes, dtype=torch.float64),
        }
        self._numbers = Numbers(four_mu=4 * self._mu)
        self._order = Order(
            **{name: matrix.data_ptr() for name, matrix in self._held.items()},
            numbers=ctypes.addressof(self._numbers),
            size=size,
        )
        self._norm = self._length = self._largest = 0.0

    def value(self) -> float:
        """μ‖M − S‖²: the objective of what has not changed."""
        mismatch = (self._content - self._held["style"]).double().flatten()
        return self._mu * float(torch.dot(mismatch, mismatch))

    def matrix(self, eta: float) -> Tensor:
        """A of B − ηD."""
        return torch.sub(self._held["b"], self._held["direction"], alpha=eta).mT.contiguous()

    def start(self) -> list[float]:
        """c₁ … c₄ of where to go from B = I."""
        held = self._held
        torch.sub(self._content, held["style"], out=held["gradient"]).mul_(4 * self._mu)
        held["last_gradient"].copy_(held["gradient"])
        return self._turned()

    def advance(self, eta: float) -> list[float]:
        """The same, having gone on by η."""
        held, order = self._held, self._order
        self._numbers.eta, self._numbers.eta_squared = eta, eta * eta
        self._run(self._programs.move)
        held["gradient"], held["last_gradient"] = held["last_gradient"], held["gradient"]
        order.gradient, order.last_gradient = order.last_gradient, order.gradient
        torch.addmm(held["b"], held["b"], held["w"], beta=2, out=held["gradient"])
        held["gradient"].diagonal().sub_(2)
        return self._turned()

    def _turned(self) -> list[float]:
        """The same, given G."""
        held, numbers = self._held, self._numbers
        torch.mm(self._content, held["gradient"], out=held["m_gradient"])
        norm, kept, along, entries = self._summed(self._programs.compare)
        sketched = self._sketched.of(held["gradient"])
        norm, kept = norm - sketched.norm, kept - sketched.kept
        beta = polak_ribiere(norm, kept, along, self._norm) if self._conjugate else 0.0
        slope, last_length = norm + beta * along, self._length
        self._norm = norm
        self._length = norm - sketched.length + beta * (2 * (along - sketched.along) + beta * last_length)
        self._sketched.turn(beta)
        self._largest = math.sqrt(entries) + beta * self._largest
        numbers.beta, numbers.s = beta, self._scale()
        numbers.one_over_s = 1 / numbers.s
        self._run(self._programs.turn)
        crosses, mismatched, mixed, squares = self._summed(self._programs.spread)
        return list(quartic(self._mu, slope, self._length, crosses, mismatched, mixed, squares))

    def _scale(self) -> float:
        """That makes D as long as B, as M measures it, so that nothing is lost when one is taken from the other.

        M may see next to nothing of D; but not so long that products leave float32.
        """
        alike = math.sqrt(max(float(self._held["t"].trace()), _SMALLEST) / max(self._length, _SMALLEST))
        return min(alike, _LONGEST * math.sqrt(len(self._content)) / max(self._largest, _SMALLEST))

    def _run(self, program: MachineCode) -> None:
        self._order.next = self._order.next_thread = 0
        together(program, ctypes.addressof(self._order), self._threads)

    def _summed(self, program: MachineCode) -> list[float]:
        """Runs it, for the sums that it leaves."""
        sums = self._held["sums"].zero_()
        self._run(program)
        totals: list[float] = sums.sum((0, 2)).tolist()
        return totals


class _Inner(NamedTuple):
    """What Z = G − Y h takes from inner products with G, where Z should have been.

    Attributes:
        norm: from ⟨G, M G⟩.
        kept: from ⟨last G, M G⟩.
        along: from ⟨last D, M G⟩.
        length: from ⟨Z, M G⟩.
    """

    norm: float
    kept: float
    along: float
    length: float


class _Sketched:
    """The preconditioner Z = G − Y h, h = K YᵀG, in products of r × C numbers.

    Args:
        y: (C, r), Y.
        my: (C, r), M Y.
        k: (r, r), K.
    """

    def __init__(self, y: Tensor, my: Tensor, k: Tensor) -> None:
        self.y, self.my, self._k = y.contiguous(), my.contiguous(), k
        self.rank = y.shape[1]
        self.h = torch.zeros(self.rank, len(y))
        self._both = torch.cat([y, my], 1).mT.contiguous()
        self._ymy = y.mT.double() @ my.double()
        # (M Y)ᵀ times G, Z and D.
        self._gradient = self._turned = self._direction = torch.zeros(self.rank, len(y), dtype=torch.float64)

    def of(self, gradient: Tensor) -> _Inner:
        """Goes on to the next gradient."""
        if not self.rank:
            return _Inner(0, 0, 0, 0)
        both = (self._both @ gradient).double()
        y_gradient, now = both[: self.rank], both[self.rank :]
        h = self._k @ y_gradient
        self.h.copy_(h)
        last, self._gradient, self._turned = self._gradient, now, now - self._ymy @ h
        return _Inner(*(float(torch.sum(h * each)) for each in (now, last, self._direction, self._turned)))

    def turn(self, beta: float) -> None:
        """Takes D ← Z + βD for the direction."""
        self._direction = torch.add(self._turned, self._direction, alpha=beta)


def _nothing(problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
    """A preconditioner of rank 0."""
    empty = problem.content[:, :, :0]
    return empty, empty, empty[:, :0]


class _Programs(NamedTuple):
    move: MachineCode
    compare: MachineCode
    turn: MachineCode
    spread: MachineCode


def _programs(blocking: Blocking, rank: int) -> _Programs:
    return _Programs(
        _program(write_move, blocking),
        _program(write_compare, blocking),
        _program(write_turn, blocking, rank),
        _program(write_spread, blocking),
    )


@cache
def _program(write: Callable[..., ir.Module], *arguments: object) -> MachineCode:
    name = write.__name__.replace("write", "update")
    return MachineCode(write(name, *arguments), name)
