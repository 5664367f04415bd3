"""Neural style transfer (eq. 29): the picture itself is optimised, by gradients through the encoder."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ift.encoder import Encoder
from ift.errors import SettingsError
from ift.moments import Moments
from ift.settings import LEVELS
from ift.transformations.rounding import NOTHING

_MEMORY = 10
"""Steps that L-BFGS remembers; 20 or 50 end 1 % lower at best."""

_FIRST_MOVE = 0.01
"""Root mean square of the pixels' change in the first step, when nothing is known of the curvature."""

_SUFFICIENT = 1e-4
"""The share of the fall that the gradient promises which a step must bring at least (Armijo)."""

_TRIALS = 12
"""Lengths that are tried along one direction."""

_CONVERGED = 1e-5
"""The fall in one step, as a share of the loss, below which more steps change nothing that can be seen."""

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class StyleTerm:
    """The term of all styles together at one level: Σ_k λ_k‖G − S_k‖² = weight·‖G − moment‖² + constant.

    Attributes:
        weight: Λ = Σ_k λ_k.
        moment: (C, C) S̄ = Σ_k λ_k S_k / Λ, float64; zeros where Λ is 0.
        constant: Σ_k λ_k‖S_k − S̄‖²: what no picture avoids, as the styles differ.
    """

    weight: float
    moment: Tensor
    constant: float

    @classmethod
    def of(cls, styles: Sequence[Moments], lambda_: Tensor) -> StyleTerm:
        """The term of K styles, each a batch of one.

        Args:
            styles: their moments at one level.
            lambda_: (K,) λ_k, 0 or more.
        """
        moments = torch.cat([style.second_moment for style in styles]).double()
        lambda_ = lambda_.to(moments)
        weight = lambda_.sum()
        mean = torch.einsum("k,kij->ij", lambda_ / (weight if weight > 0 else 1), moments)
        constant = (lambda_ * (moments - mean).square().sum((1, 2))).sum()
        return cls(float(weight), mean, float(constant))


def nst(
    encoder: Encoder,
    content: Tensor,
    styles: Sequence[Sequence[Moments]],
    lambda_: Tensor,
    steps: int,
    progress: Progress | None = None,
) -> Tensor:
    """The picture that minimises eq. 29, found from the content on.

    It stays in [0, 1] all the way: a picture that is free to leave the range and cut off at the end loses much of
    what the optimisation has gained. Works under `torch.inference_mode`; leaves the encoder as it is.

    Args:
        encoder: of any precision; what works is a copy in float32 or better.
        content: (1, 3, H, W) RGB in [0, 1], H and W multiples of 8 and at least 16.
        styles: K styles, each the moments, batches of one, at relu1_1 … relu4_1.
        lambda_: (K, 4) the λ_N^k in the paper's units; `natural_lambda` makes them from strengths.
        steps: the most steps of L-BFGS; there are fewer when one lowers the loss by less than 1e-5 of it.
        progress: told the number of each step, from 1, and the loss (eq. 29) after it, which falls every time.

    Returns:
        (1, 3, H, W) RGB in [0, 1], float32 or better.

    Raises:
        SettingsError: λ does not fit the styles.
    """
    fits = bool(styles) and lambda_.shape == (len(styles), len(LEVELS))
    if not fits or not bool(((lambda_ >= 0) & lambda_.isfinite()).all()):
        raise SettingsError(
            f"{len(styles)} styles at {len(LEVELS)} levels need as many λ, finite and 0 or more: got {lambda_.tolist()}"
        )
    # What a caller's inference mode has made cannot be differentiated, so all that is used is made anew outside it.
    with torch.inference_mode(False), torch.no_grad():
        dtype = torch.promote_types(next(encoder.parameters()).dtype, torch.float32)
        network = copy.deepcopy(encoder).requires_grad_(False).to(dtype).to(memory_format=torch.channels_last)
        start = content.to(dtype).clamp(0, 1).contiguous(memory_format=torch.channels_last)
        content_features = _features(network, start)[-1]
        levels = zip(zip(*styles, strict=True), lambda_.mT, strict=True)
        terms = [StyleTerm.of(moments, weights) for moments, weights in levels]

        def evaluate(image: Tensor) -> Point:
            with torch.enable_grad():
                image = image.detach().requires_grad_()
                value = loss(network, image, content_features, terms)
                (gradient,) = torch.autograd.grad(value, image)
            return Point(image.detach(), float(value), gradient)

        return minimise(evaluate, start, steps, progress)


def loss(encoder: Encoder, image: Tensor, content_features: Tensor, terms: Sequence[StyleTerm]) -> Tensor:
    """Eq. 29: ‖F_4(I) − F_4,c‖² + Σ_N Σ_k λ_N^k ‖F_N(I) F_N(I)ᵀ/n_N − S_N^k‖², scalar, float64.

    Args:
        encoder: in the precision of `image`.
        image: (1, 3, H, W), I.
        content_features: (1, 512, H/8, W/8), F_4,c.
        terms: those of the styles at relu1_1 … relu4_1.
    """
    features = _features(encoder, image)
    total = (features[-1] - content_features).square().sum(dtype=torch.float64)
    for x, term in zip(features, terms, strict=True):
        pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        gap = pixels.mT @ pixels / len(pixels) - term.moment
        total = total + term.weight * gap.square().sum() + term.constant
    return total


def natural_lambda(content: Sequence[Moments], style: Sequence[Moments], strength: Iterable[float]) -> Tensor:
    """(4,) λ_N = κ_N · n_4 g_4 / g_N²: strengths without a dimension, which act alike at every size and level.

    g_N is the average of the traces of the content's and the style's second moment. As ‖G − S‖ is at most the sum
    of the traces, a style term is at most 4 κ_N times n_4 g_4, the scale of the content term, however faint one of
    the two pictures is. Where their traces are equal, κ_4 is that of IFT.

    Args:
        content: the moments, batches of one, at relu1_1 … relu4_1.
        style: the same of one style; of several, each has its λ.
        strength: κ_1 … κ_4.
    """
    traces = [(_trace(ours) + _trace(theirs)) / 2 for ours, theirs in zip(content, style, strict=True)]
    unit = float(content[-1].count) * traces[-1]
    return torch.tensor([kappa * unit / g**2 for kappa, g in zip(strength, traces, strict=True)], dtype=torch.float64)


def _trace(moments: Moments) -> float:
    return max(float(moments.power), NOTHING)


def _features(encoder: Encoder, image: Tensor) -> list[Tensor]:
    """The features at relu1_1 … relu4_1."""
    features, x = [], image
    for level in range(1, len(LEVELS) + 1):
        x, _ = encoder.stage(level, x)
        features.append(x)
    return features


@dataclass(frozen=True)
class Point:
    """A picture with its loss and the gradient of that."""

    image: Tensor
    value: float
    gradient: Tensor


Evaluate = Callable[[Tensor], Point]


def minimise(evaluate: Evaluate, start: Tensor, steps: int, progress: Progress | None = None) -> Tensor:
    """The picture within [0, 1] of least loss, by projected L-BFGS (Bertsekas, SIAM J. Control Optim. 20, 1982).

    Nearly every step costs one evaluation. Where none lowers the loss, or all give NaN, the best picture so far is
    the result.

    Args:
        evaluate: from a picture to its loss and gradient.
        start: within [0, 1].
        steps: as for `nst`.
        progress: as for `nst`.
    """
    point = evaluate(start)
    pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=_MEMORY)
    for step in range(1, steps + 1):
        found = _search(evaluate, point, _direction(point, pairs))
        if found is None:
            break
        pairs.append((found.image - point.image, found.gradient - point.gradient))
        fall, point = point.value - found.value, found
        if progress is not None:
            progress(step, point.value)
        if fall < _CONVERGED * point.value:
            break
    return point.image


def _direction(point: Point, pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Minus the gradient times the inverse Hessian that the last steps tell of, by the two-loop recursion.

    Pixels at a bound that the gradient drives out of the range are left out of it all.

    Args:
        point: where the step begins.
        pairs: the changes (of the picture, of the gradient) in the last steps, oldest first.
    """
    outward = ((point.image <= 0) & (point.gradient > 0)) | ((point.image >= 1) & (point.gradient < 0))
    free = (~outward).to(point.gradient)
    direction = -point.gradient * free
    among_free = [(s * free, y * free) for s, y in pairs]
    curved = [(s, y, curvature) for s, y in among_free if (curvature := _inner(s, y)) > 0]
    if not curved:
        square = _inner(direction, direction) / direction.numel()
        return direction * (_FIRST_MOVE / square**0.5) if square > 0 else direction
    shares = []
    for s, y, curvature in reversed(curved):
        shares.append(_inner(s, direction) / curvature)
        direction = direction - shares[-1] * y
    _, y, curvature = curved[-1]
    direction = direction * (curvature / _inner(y, y))
    for (s, y, curvature), share in zip(curved, reversed(shares), strict=True):
        direction = direction + (share - _inner(y, direction) / curvature) * s
    return direction


def _search(evaluate: Evaluate, point: Point, direction: Tensor) -> Point | None:
    """A point on the path along `direction`, cut off at the bounds, of sufficiently less loss; None if none is found.

    A loss that is not finite is none.
    """
    length = 1.0
    for _ in range(_TRIALS):
        image = (point.image + length * direction).clamp(0, 1)
        promised = _inner(point.gradient, image - point.image)
        shrink = 0.5
        if promised < 0:
            found = evaluate(image)
            if found.value < point.value + _SUFFICIENT * promised:
                return found
            # To the minimum of the parabola through both losses and the slope; `max` passes over NaN.
            excess = found.value - point.value - promised
            shrink = min(0.5, max(0.1, -promised / (2 * excess)))
        length *= shrink
    return None


def _inner(a: Tensor, b: Tensor) -> float:
    """⟨a, b⟩ in float64, where no gradient is too large or too small to be squared."""
    return float((a.double() * b.double()).sum())
