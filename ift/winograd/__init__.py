"""3×3 convolutions on CPUs by minimal filtering: a fifth of the multiplications of the definition, in float32.

`cook_toom` has the mathematics, `kernel` the program, and `convolution` is what the networks call.
"""

from ift.winograd.convolution import Filters, convolve, suits

__all__ = ["Filters", "convolve", "suits"]
