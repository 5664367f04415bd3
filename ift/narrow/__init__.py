"""3×3 convolutions to a few channels on CPUs: the last one, from features to a picture.

`kernel` has the program, and `convolution` is what the decoder calls.
"""

from ift.narrow.convolution import NarrowFilters, convolve_narrow, suits

__all__ = ["NarrowFilters", "convolve_narrow", "suits"]
