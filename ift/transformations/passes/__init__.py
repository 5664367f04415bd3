"""The updates of IFT in C×C space on CPUs: what is short beside the products of matrices, and symmetric products.

`kernel` has the programs, `updates` what `ift.transformations.descent` calls.
"""

from ift.transformations.passes.updates import Updates, suits

__all__ = ["Updates", "suits"]
