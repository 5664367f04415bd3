"""3×3 convolutions on CPUs by minimal filtering: a fifth of the products in float32, two ninths in bfloat16.

`cook_toom` has the mathematics, `kernel` the program, and `convolution` is what the networks call.
"""

from ift.winograd.convolution import Filters, convolve, convolve_and_pool, suits

__all__ = ["Filters", "convolve", "convolve_and_pool", "suits"]
