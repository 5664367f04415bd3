"""Adam in coordinates in which a convolution's inputs are white.

Features after ReLU are far from white: most of their second moment is the mean direction, and neighbouring pixels are
nearly alike. Adam moves every weight by about the learning rate, however small its gradient, so noise that all weights
share changes the brightness of the whole picture, and only a tiny learning rate keeps that within bounds. With W = V K,
K = (second moment of the inputs)^(-1/2), the same steps in V move all directions of the inputs alike. It is the input
factor of K-FAC (Martens and Grosse, 2015), computed once a stage, and split again into channels and taps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ift.reflect_conv import ReflectConv
from ift.training.losses import second_moments
from ift.training.watching import watched

_DAMPING = 0.01
"""Of the mean eigenvalue: directions that the inputs hardly have are not to be moved without bound."""

_TAPS = 9


@dataclass(frozen=True)
class InputWhitening:
    """K of one convolution: symmetric, a matrix for the channels and one for the taps.

    Attributes:
        channels: (C, C).
        taps: (9, 9), taps in the order of the kernel's rows.
    """

    channels: Tensor
    taps: Tensor

    def __call__(self, weight: Tensor) -> Tensor:
        """V K of V, (C', C, 3, 3) to the same."""
        flat = weight.flatten(2)
        return (self.channels @ flat @ self.taps).view(weight.shape)


def whiten_inputs(
    convolutions: Mapping[str, ReflectConv], passes: Callable[[], Iterable[object]]
) -> dict[str, InputWhitening]:
    """K of each convolution, from what reaches it.

    Args:
        convolutions: by name.
        passes: runs pictures through the network, one pass for each thing it yields; called twice, the same each time.
    """
    channels = _mean_over_passes(convolutions, passes, dict.fromkeys(convolutions, _channel_moment))
    roots = {name: _inverse_root(moment) for name, moment in channels.items()}

    def tap_moment(root: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda padded: _tap_moment(padded, root)

    taps = _mean_over_passes(convolutions, passes, {name: tap_moment(root) for name, root in roots.items()})
    return {name: InputWhitening(roots[name], _inverse_root(taps[name])) for name in convolutions}


class WhitenedAdam(torch.optim.Adam):
    """Adam that steps in V where W = V K; other parameters as ever.

    Args:
        parameters: all that it trains.
        learning_rate: of V, whose inputs have variance 1.
        betas: as Adam's.
        whitening: K by parameter.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        betas: tuple[float, float],
        whitening: Mapping[Tensor, InputWhitening],
    ) -> None:
        super().__init__(parameters, learning_rate, betas)
        self._whitening = dict(whitening)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step; dl/dV = (dl/dW) K, for K is symmetric."""
        moving = {weight: k for weight, k in self._whitening.items() if weight.grad is not None}
        before = {weight: weight.clone() for weight in moving}
        for weight, k in moving.items():
            assert weight.grad is not None
            weight.grad = k(weight.grad)
            weight.zero_()  # so that what Adam leaves in it is the step alone, to the last digit
        super().step()
        for weight, k in moving.items():
            weight.copy_(before[weight] + k(weight))


def _mean_over_passes(
    convolutions: Mapping[str, ReflectConv],
    passes: Callable[[], Iterable[object]],
    moments: Mapping[str, Callable[[Tensor], Tensor]],
) -> dict[str, Tensor]:
    """The mean of a moment of each convolution's padded inputs, over all that passes through it."""
    sums: dict[str, Tensor] = {}
    counts = dict.fromkeys(convolutions, 0)

    def record(name: str, padded: Tensor) -> None:
        with torch.autocast(padded.device.type, enabled=False):  # a moment in half precision would be of no use
            moment = moments[name](padded.detach().float())
        sums[name] = sums[name] + moment if name in sums else moment
        counts[name] += 1

    with torch.no_grad(), watched(convolutions, record):
        for _ in passes():
            pass
    return {name: sums[name] / counts[name] for name in convolutions}


def _channel_moment(padded: Tensor) -> Tensor:
    """(B, C, H, W) to (C, C)."""
    return second_moments(padded).mean(0)


def _tap_moment(padded: Tensor, root: Tensor) -> Tensor:
    """(B, C, H + 2, W + 2) to (9, 9): how alike neighbouring pixels are once the channels are white."""
    white = torch.einsum("bchw,dc->bdhw", padded, root.to(padded.device))
    height, width = white.shape[2] - 2, white.shape[3] - 2
    shifts = [white[:, :, i : i + height, j : j + width].flatten() for i in range(3) for j in range(3)]
    taps = torch.stack(shifts)
    return taps @ taps.T / taps.shape[1]


def _inverse_root(moment: Tensor) -> Tensor:
    """M^(-1/2), damped; in float64, for M is nearly singular."""
    values, vectors = torch.linalg.eigh(moment.double())
    values = values.clamp(min=0)
    values += _DAMPING * values.mean() + torch.finfo(torch.float32).tiny
    root: Tensor = (vectors * values.rsqrt()) @ vectors.mT
    return root.to(moment.dtype)
