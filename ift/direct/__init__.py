"""Convolutions on CPUs by the definition, where minimal filtering cannot save anything: of few channels, or one pixel.

`kernel` has the program, and `convolution` is what the networks and the maps call.
"""

from ift.direct.convolution import DirectFilters, convolve_direct, suits

__all__ = ["DirectFilters", "convolve_direct", "suits"]
