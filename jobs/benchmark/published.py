"""IFT as its authors do it: the update on the features, each style encoded with each content, float32."""

from __future__ import annotations

from torch import Tensor

from jobs.benchmark.networks import Networks

LAMBDA = 1.0
ETA = 0.01
"""λ and η at which the published loop does not diverge; how long an update takes does not depend on them."""

N_UPD = 15

GATE = 0.0
"""No skips: neither the authors' networks nor the other baselines' have any."""

_COARSE_TO_FINE = (4, 3, 2, 1)


def direct_loop(features: Tensor, style: Tensor, n_upd: int = N_UPD) -> Tensor:
    """F ← F − η dl/dF on the features themselves (eq. 2).

    Args:
        features: (1, C, H, W) of the content.
        style: (C, C) S = F_s F_sᵀ/m.
        n_upd: updates.
    """
    X = features[0].flatten(1)
    n, F = X.shape[1], X.clone()
    for _ in range(n_upd):
        F = F - ETA * (2 * (F - X) + (4 * LAMBDA / n) * (F @ F.mT / n - style) @ F)
    return F.reshape_as(features)


def authors_way(networks: Networks, content: Tensor, style: Tensor) -> Tensor:
    """Both pictures encoded once, and the content decoded once, with the loop at each level on the way.

    Args:
        networks: in float32 and the default memory format.
        content: (1, 3, H, W) in [0, 1], H and W multiples of 8.
        style: the same, of any such size.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    moments = {}
    x, s = content, style
    for level in sorted(_COARSE_TO_FINE):
        x, s = networks.encode(level, x), networks.encode(level, s)
        moments[level] = _second_moment(s)
    for level in _COARSE_TO_FINE:
        x = networks.decode(level, direct_loop(x, moments[level]))
    return x.clamp(0, 1)


def authors_cascade(networks: Networks, content: Tensor, style: Tensor) -> Tensor:
    """Four autoencoders, each on the last one's picture; each encodes both pictures. As `authors_way`."""
    for deepest in _COARSE_TO_FINE:
        x, s = content, style
        for level in range(1, deepest + 1):
            x, s = networks.encode(level, x), networks.encode(level, s)
        x = direct_loop(x, _second_moment(s))
        for level in range(deepest, 0, -1):
            x = networks.decode(level, x)
        content = x.clamp(0, 1)
    return content


def _second_moment(features: Tensor) -> Tensor:
    pixels = features[0].flatten(1)
    return pixels @ pixels.mT / pixels.shape[1]
