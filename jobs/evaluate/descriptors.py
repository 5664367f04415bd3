"""Sets of pictures, summed up by the moments of their descriptors: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from ift.metrics.frechet import frechet_distance_to, root
from ift.moments import Moments

LEAST_PICTURES = 2
"""Below which a set has no spread, and no distance to another is told."""


class PictureSet:
    """Any number of pictures, of which some count more than others."""

    def __init__(self) -> None:
        self._moments: Moments | None = None

    def add(self, descriptors: Tensor, weights: Tensor | None = None) -> None:
        """Takes pictures in: (n, 512), and (n,) how much each counts, 1 if not given."""
        if not len(descriptors):
            return
        features = descriptors.double().T[None, :, :, None]
        some = Moments.of(features, None if weights is None else weights.double()[None, :, None])
        self._moments = some if self._moments is None else self._moments + some

    @property
    def moments(self) -> Moments | None:
        """Of all pictures; None if there are none."""
        return self._moments


class PairSets:
    """The results, the contents and the styles of pairs, as three sets.

    A content or a style counts as often as there are results of it, so that a set of results that were each of its
    own content would be at no distance from these. Of a pair with several styles, each counts with its weight.

    Attributes:
        pairs: how many were taken in.
    """

    def __init__(self) -> None:
        self.pairs = 0
        self._results, self._contents, self._styles = PictureSet(), PictureSet(), PictureSet()

    def add(self, records: pa.Table) -> None:
        """Takes in the pairs of records that have all descriptors."""
        lengths = [pc.list_value_length(records[name]) for name in ("styles", "style_descriptors")]
        whole = pc.and_(
            pc.and_(pc.is_valid(records["descriptor"]), pc.is_valid(records["content_descriptor"])),
            pc.coalesce(pc.equal(*lengths), pa.scalar(False)),
        )
        records = records.filter(whole)
        self.pairs += len(records)
        self._results.add(_unpacked(records["descriptor"].to_pylist()))
        self._contents.add(_unpacked(records["content_descriptor"].to_pylist()))
        weights = pc.list_flatten(records["style_weights"]).to_pylist()
        styles = _unpacked(pc.list_flatten(records["style_descriptors"]).to_pylist())
        self._styles.add(styles, torch.tensor(weights, dtype=torch.float64))

    @cached_property
    def distances(self) -> dict[str, float | None]:
        """`vgg_frechet` of the results to the styles and to the contents; None for fewer than `LEAST_PICTURES`.

        To be asked for once all pairs are taken in.
        """
        results, sets = self._results.moments, {"styles": self._styles.moments, "contents": self._contents.moments}
        if results is None or self.pairs < LEAST_PICTURES:
            return dict.fromkeys(sets)
        root_of_results = root(results.covariance[0])  # once for both
        return {
            name: None
            if other is None
            else frechet_distance_to(results.mean[0], root_of_results, other.mean[0], other.covariance[0])
            for name, other in sets.items()
        }


def _unpacked(descriptors: Sequence[bytes]) -> Tensor:
    """(n, 512) float64."""
    if not descriptors:
        return torch.empty(0, 0)
    numbers = np.frombuffer(b"".join(descriptors), np.dtype("<f2"))
    return torch.from_numpy(numbers.astype(np.float64).reshape(len(descriptors), -1))
