"""Sums of x and of x xᵀ over the pixels of a map, in one pass on CPUs.

`kernel` is the program, `products` what `ift.moments` calls.
"""

from ift.gram.products import gram, mirrored, suits

__all__ = ["gram", "mirrored", "suits"]
