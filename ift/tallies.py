"""What is counted at a station, and what is made of it: sums that add up over parts, and the maps solved from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, TypeVar, cast

import torch
from safetensors.torch import load, save
from torch import Tensor

from ift.affine import AffineMap
from ift.content_colours import Lightness, LightnessCurve
from ift.moments import Moments

Tally = Moments | Lightness
"""What a part adds: moments of features, or the lightness of pictures at the last station of `keep_colours`."""


@dataclass(frozen=True)
class Decoration:
    """What the style decorator of Avatar-Net needs to know of the whole content: its moments."""

    count: Tensor
    mean: Tensor
    covariance: Tensor


Map = AffineMap | Decoration | LightnessCurve
"""What is done at a station, to every part alike."""


T = TypeVar("T", bound=Tally)


def pool(tallies: Iterable[T]) -> T:
    """The tally of all parts together: added up in float64 in the order given, so that who counted does not matter.

    Raises:
        ValueError: there is none.
    """
    doubles = (_to(tally, torch.float64) for tally in tallies)
    try:
        total = reduce(add, doubles)
    except TypeError as error:
        raise ValueError("no tallies to pool") from error
    return cast(T, _to(total, torch.float32))


def tensors_of(value: Any) -> dict[str, Tensor]:
    """The tensors of a tally or a map by name, to be kept."""
    return {name: tensor for name, tensor in vars(value).items() if tensor is not None}


def tensors_to_bytes(tensors: dict[str, Tensor]) -> bytes:
    """As a safetensors file; equal tensors give equal bytes."""
    return save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})


def tensors_from_bytes(data: bytes) -> dict[str, Tensor]:
    """What `tensors_to_bytes` wrote.

    Raises:
        SafetensorError: it is something else, or damaged.
    """
    return load(data)


def _to(tally: Tally, dtype: torch.dtype) -> Tally:
    if isinstance(tally, Lightness):
        return tally
    return replace(tally, mean=tally.mean.to(dtype), covariance=tally.covariance.to(dtype))
