"""What the networks' shape says of pictures, without the networks: programs that only plan do without PyTorch."""

from __future__ import annotations

MULTIPLE = 8
"""Three poolings need multiples of 8: the features at relu4_1 are so many times smaller than the picture."""

BODY: dict[int, int] = {2: 1, 3: 2, 4: 3}
"""Convolutions of the decoder's block N after the enlargement."""

_LEAST = 16
"""Reflection needs 2 pixels at relu4_1."""


def padded_size(height: int, width: int) -> tuple[int, int]:
    """Of a picture of this size once `ift.padding.pad_to_multiple` has padded it."""
    rows, columns = (max(_LEAST, -(-side // MULTIPLE) * MULTIPLE) for side in (height, width))
    return rows, columns
