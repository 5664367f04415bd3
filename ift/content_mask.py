"""A content's mask, of which any rectangle can be read at the picture's size."""

from __future__ import annotations

import torch
from torch import Tensor

from ift.box import Box
from ift.network_shape import padded_size
from ift.padding import reflected


class Mask:
    """Labels, scaled to a picture as `ift.fit_labels` does, but only where they are asked for.

    Args:
        labels: (h, w) integers, of any size.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
    """

    def __init__(self, labels: Tensor, height: int, width: int) -> None:
        self.labels = labels
        self.size = height, width
        self._rows, self._columns = (
            (2 * reflected(side, padded, labels.device) + 1) * of // (2 * side)
            for side, padded, of in zip(self.size, padded_size(height, width), labels.shape, strict=True)
        )

    def areas(self) -> dict[int, float]:
        """Pixels of each label in the picture as padded."""
        rows = torch.bincount(self._rows, minlength=self.labels.shape[0]).double()
        columns = torch.bincount(self._columns, minlength=self.labels.shape[1]).double()
        return {
            value: float(rows @ ((self.labels == value).double() @ columns))
            for value in torch.unique(self.labels).tolist()
        }

    def read(self, box: Box) -> Tensor:
        """(h, w) labels of a box of the picture as padded."""
        rows, columns = box.slices
        return self.labels[self._rows[rows]][:, self._columns[columns]]
