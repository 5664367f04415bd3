"""The matching of Avatar-Net's style decorator (Sheng et al., CVPR 2018): content in patches of the style.

Published as a convolution whose kernels are the style's patches, 25·C multiplications a score. But a dot product of two
patches is a sum of dot products of pixels, D(p, q) = ⟨content(p), style(q)⟩:

    ⟨patch(p), patch(q)⟩ = Σ_o D(p + o, q + o)

so one matrix product gives all of D, C multiplications a score, and the sum over o is one over 5 offsets along y, then
one over 5 along x. What bounds the time is then the product, and the rest is kept to few passes over memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as nnf
from torch import Tensor

from ift.errors import SettingsError

BUDGET = 256 << 20
"""Bytes: a style of 128×128 pixels fits in one piece (104 MB); a 16th of this costs a tenth more time."""


def swap_patches(content: Tensor, style: Tensor, patch: int = 5, budget: int = BUDGET) -> Tensor:
    """The content made of the style patches that correlate best with its own, averaged where they overlap.

    Every content pixel is the centre of a patch (the content is reflected at its borders) and takes the style patch
    with the highest dot product over its norm, the first in row-major order among equals. Both maps should be whitened.

    Args:
        content: (C, h, w).
        style: (C, h_s, w_s), of the same dtype and device; its patches lie wholly inside.
        patch: side of a patch in pixels, odd; where the style is smaller, the largest odd side that fits.
        budget: bytes for the block of scores at hand. It is exceeded where one row of style patches against `patch` − 1
            rows of content takes more.

    Returns:
        (C, h, w), each pixel the mean over the patches that cover it.

    Raises:
        SettingsError: the side is not a positive odd number.
    """
    if patch < 1 or patch % 2 == 0:
        raise SettingsError(f"patch is {patch}: it must be a positive odd number of pixels, such as 5")
    largest = min(style.shape[1:])
    patch = min(patch, largest - 1 + largest % 2)
    with torch.no_grad():
        return _assemble(style, _match(_pad(content, patch // 2), style, patch, budget), patch)


def _pad(content: Tensor, margin: int) -> Tensor:
    """Reflected at the borders; the border repeated where the map is too small to reflect."""
    mode = "reflect" if margin < min(content.shape[1:]) else "replicate"
    return nnf.pad(content, [margin] * 4, mode)


def _match(content: Tensor, style: Tensor, patch: int, budget: int) -> Tensor:
    """(h, w) row-major number of the best style patch for each patch of the padded content (C, h + 4, w + 4)."""
    height, width = (side - patch + 1 for side in content.shape[1:])
    inverse_norms = _inverse_norms(style, patch)
    rows, columns = inverse_norms.shape
    band = _band(content, style, patch, budget)
    best = style.new_full((height * width,), -torch.inf)
    match = torch.zeros_like(best, dtype=torch.long)
    for top in range(0, rows, band):
        strip = style[:, top : top + band + patch - 1]
        start = 0
        for scores in _scores(content, strip, inverse_norms[top : top + band], patch):
            here = slice(start, start + len(scores))
            score, index = scores.max(dim=1)
            better = score > best[here]
            best[here] = torch.where(better, score, best[here])
            match[here] = torch.where(better, index + top * columns, match[here])
            start = here.stop
    return match.view(height, width)


def _inverse_norms(style: Tensor, patch: int) -> Tensor:
    """(h_s − 4, w_s − 4) 1/‖patch‖, and 0 for a patch of zeros, which correlates with nothing."""
    energy = style.square().sum(0, keepdim=True)
    norms = nnf.avg_pool2d(energy, patch, stride=1, divisor_override=1).squeeze(0).sqrt()
    return norms.reciprocal().masked_fill(norms == 0, 0)


def _band(content: Tensor, style: Tensor, patch: int, budget: int) -> int:
    """How many rows of style patches to take at a time so that the buffers of `_scores` fit."""
    halo = patch - 1
    row = (2 * _step(patch) + halo) * content.shape[2] * style.shape[2] * style.element_size()
    return max(budget // row - halo, 1)


def _step(patch: int) -> int:
    """How many rows of content patches to take at a time: enough for an efficient product, and what `_scores` keeps."""
    return max(patch - 1, 1)


def _scores(content: Tensor, style: Tensor, inverse_norms: Tensor, patch: int) -> Iterator[Tensor]:
    """Normalised correlations (content patches, style patches), some rows of content at a time from top to bottom.

    D is kept flat, [y, x, y_s, x_s]: one pixel down in both maps is a fixed distance in memory, and so is one to the
    right, so both sums are sums of one long vector with itself, shifted. What this pairs across the ends of rows is
    left out at the end. Each block is overwritten by the next.
    """
    halo, step, pixels = patch - 1, _step(patch), style[0].numel()
    height, width = content.shape[1] - halo, content.shape[2]
    row, style_columns = width * pixels, style.shape[2]
    products = content.new_empty((step + halo) * row)
    sums = content.new_empty(step * row)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        # The last rows of D are the first of the next block, so that no row of content is multiplied twice.
        kept = halo if top else 0
        products[: kept * row] = products[step * row : (step + kept) * row]
        end = (bottom - top + halo) * row
        fresh = content[:, top + kept : bottom + halo].flatten(1)
        torch.mm(fresh.T, style.flatten(1), out=products[kept * row : end].view(-1, pixels))
        down = _sum_shifted(products[:end], patch, row + style_columns, out=sums)
        dots = _sum_shifted(down, patch, pixels + 1, out=products)
        inside = (bottom - top, width - halo, *inverse_norms.shape)
        dots = dots.as_strided(inside, (row, pixels, style_columns, 1))
        scores = sums[: dots.numel()].view(inside)
        torch.mul(dots, inverse_norms, out=scores)
        yield scores.flatten(2).flatten(0, 1)


def _sum_shifted(vector: Tensor, terms: int, shift: int, out: Tensor) -> Tensor:
    """Σ_i vector[· + i·shift], as long as all terms last, at the start of `out`."""
    windows = vector.unfold(0, vector.numel() - (terms - 1) * shift, shift)
    return torch.sum(windows, 0, out=out[: windows.shape[1]])


def _assemble(style: Tensor, match: Tensor, patch: int) -> Tensor:
    """(C, h, w): the matched patches (h, w) laid at their centres, the mean where they overlap."""
    channels, _, style_width = style.shape
    columns = style_width - patch + 1
    corner = torch.div(match, columns, rounding_mode="floor") * style_width + match % columns
    # (h, w, 5, 5): the corners of the patches centred around each pixel, −1 outside the map.
    around = nnf.pad(corner, [patch // 2] * 4, value=-1).unfold(0, patch, 1).unfold(1, patch, 1)
    # A patch centred above a pixel covers it with its lower part.
    offset = torch.arange(patch - 1, -1, -1, device=match.device)
    pixels = (around + offset[:, None] * style_width + offset).flatten(2).flatten(0, 1)
    covering = (around >= 0).flatten(2).flatten(0, 1)
    counts = covering.sum(1)
    mean = nnf.embedding_bag(pixels[covering], style.flatten(1).T.contiguous(), counts.cumsum(0) - counts, mode="mean")
    return mean.T.reshape(channels, *match.shape)
