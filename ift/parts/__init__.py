"""Pictures in parts: tiles of what is too large for memory, and groups of pictures with one style map.

Statistics add. So whatever is measured part by part and pooled is what the whole would give: see `ift.journey`.
"""

from ift.box import Box
from ift.content_mask import Mask
from ift.journey import Journey, State
from ift.part import Part
from ift.parts.grid import InMemory, Picture, Pixels, window_of
from ift.tallies import pool, tensors_from_bytes, tensors_of, tensors_to_bytes
from ift.tiling import parts_of

__all__ = [
    "Box",
    "InMemory",
    "Journey",
    "Mask",
    "Part",
    "Picture",
    "Pixels",
    "State",
    "parts_of",
    "pool",
    "tensors_from_bytes",
    "tensors_of",
    "tensors_to_bytes",
    "window_of",
]
