"""Bilinear up-sampling by two, and the skip with it, in one pass on CPUs.

`kernel` is the program, `bilinear` what the decoder calls.
"""

from ift.upsampling.bilinear import upsample

__all__ = ["upsample"]
