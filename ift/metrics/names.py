"""The metrics by name: the columns of an evaluation, in the order in which people want to see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ift.settings import LEVELS

Group = Literal["content", "style", "colour", "ruin", "optional"]


@dataclass(frozen=True)
class Metric:
    """One number about a result, its content and its style.

    Attributes:
        name: of the column.
        title: for people.
        group: what it is about.
        better: which direction is better; None where neither is.
        meaning: one sentence.
    """

    name: str
    title: str
    group: Group
    better: Literal["higher", "lower"] | None
    meaning: str


_ALL = (
    Metric(
        "ssim",
        "SSIM",
        "content",
        "higher",
        "Structural similarity of the result's luma to the content's (Wang et al. 2004); 1 for the content itself.",
    ),
    Metric(
        "ms_ssim",
        "MS-SSIM",
        "content",
        "higher",
        "SSIM over five scales (Wang et al. 2003), or over fewer where the shorter side is below 176 pixels.",
    ),
    Metric(
        "edge_ssim",
        "edge SSIM",
        "content",
        "higher",
        "SSIM of the gradient magnitudes of the luma: whether edges are where the content has them.",
    ),
    Metric(
        "content_distance",
        "content distance",
        "content",
        "lower",
        "Distance of the relu4_1 features of result and content, relative to the size of the content's.",
    ),
    Metric(
        "gram_distance",
        "Gram distance",
        "style",
        "lower",
        "Distance of the second moments of the features of result and style, relative to the style's; mean of levels.",
    ),
    *(
        Metric(f"gram_{level}", f"Gram distance {level}", "style", "lower", f"The Gram distance at {level} alone.")
        for level in LEVELS
    ),
    Metric(
        "mean_std_distance",
        "mean/std distance",
        "style",
        "lower",
        "Distance of the channels' means and standard deviations from the style's, relative; mean of levels.",
    ),
    Metric(
        "feature_frechet",
        "feature Fréchet",
        "style",
        "lower",
        "Squared 2-Wasserstein distance of the features of result and style as Gaussians, relative; mean of levels.",
    ),
    Metric(
        "colour_distance",
        "colour distance",
        "colour",
        "lower",
        "2-Wasserstein distance of the Gaussians of the colours of result and style in Oklab; 0.02 is just visible.",
    ),
    Metric(
        "colour_change",
        "colour change",
        "colour",
        None,
        "The same distance from the result to the content: how far the colours have moved.",
    ),
    Metric(
        "colourfulness",
        "colourfulness",
        "colour",
        None,
        "Of the result, after Hasler & Süsstrunk (2003): 0 is grey, 15 slight, 45 quite, 110 extreme.",
    ),
    Metric("brightness", "brightness", "colour", None, "Mean luma of the result: 0 is black, 1 white."),
    Metric(
        "sharpness",
        "sharpness",
        "ruin",
        None,
        "Mean absolute gradient of the result's luma over the content's: below 1 softer, above 1 busier.",
    ),
    Metric(
        "saturated",
        "saturated",
        "ruin",
        "lower",
        "Share of the pixels with a clipped channel, as far as it exceeds the content's.",
    ),
    Metric(
        "flat",
        "flat",
        "ruin",
        "lower",
        "Share of the blocks of 8×8 pixels that are flat in the result though not in the content.",
    ),
    Metric(
        "lpips",
        "LPIPS",
        "optional",
        "lower",
        "Learned perceptual distance of the result to the content (Zhang et al. 2018, AlexNet).",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
