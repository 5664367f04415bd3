"""One picture, or frames, from the command line: `python -m ift CONTENT STYLE [STYLE ...] -o OUT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ift import options
from ift.command_line import Request, run
from ift.errors import IftError, SettingsError
from ift.parts.memory import bytes_of, usual_memory
from ift.settings import Settings
from ift.shifts import MOST_PHASES
from ift.stylizer import Stylizer

_LARGE: dict[str, Any] = {"rich_help_panel": "Large pictures"}
_FRAMES: dict[str, Any] = {"rich_help_panel": "Frames"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(no_args_is_help=True)
def main(
    content: Annotated[Path, typer.Argument(help="The picture to stylize; or a folder of pictures, or a video.")],
    style: Annotated[list[Path], typer.Argument(help="The picture whose style it gets; several are mixed.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Where to write: .jpg, .png, .webp or .tif; for frames a folder or .mp4, .mov, .mkv, .webm.",
        ),
    ],
    preset: options.Preset = "artistic",
    resolution: options.Resolution = 1024,
    style_resolution: options.StyleResolution = None,
    style_weight: Annotated[
        str | None, typer.Option(help="Shares of several styles, such as 2,1.  [default: equal]")
    ] = None,
    content_mask: Annotated[
        Path | None, typer.Option(help="Label image: nine colours, integers or a palette. Each label takes its own.")
    ] = None,
    style_mask: Annotated[
        list[str] | None,
        typer.Option(help="Label image of each style in turn; or a label, such as red or 3, for a whole picture."),
    ] = None,
    quality: options.Quality = 95,
    method: options.Method = None,
    alpha: options.Alpha = None,
    strength: options.Strength = None,
    gate: options.Gate = None,
    keep_colours: options.KeepColours = None,
    guided_radius: options.GuidedRadius = None,
    n_upd: options.NUpd = None,
    n_iter: options.NIter = None,
    iterate: options.Iterate = None,
    lambda_: options.Lambda = None,
    solver: options.Solver = None,
    eta: options.Eta = None,
    tolerance: options.Tolerance = None,
    nst_steps: options.NstSteps = None,
    centred: options.Centred = None,
    direction: options.Direction = None,
    form: options.Form = None,
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, …  [default: the GPU if any]")] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Most for the whole process, such as 2GB: beyond it, tiles.  [default: half of all]", **_LARGE
        ),
    ] = None,
    tile: Annotated[
        int | None, typer.Option(help="Longest side of tiles, a multiple of 8.  [default: as memory allows]", **_LARGE)
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Faster: statistics from so many tiles. Tells how far off they are.", **_LARGE),
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which a run that is broken off goes on.  [default: beside OUT, and gone]", **_LARGE
        ),
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Write a small picture as well.", **_LARGE)] = None,
    deep_zoom: Annotated[
        Path | None, typer.Option(help="Write a folder of tiles with a viewer as well.", **_LARGE)
    ] = None,
    group: Annotated[
        bool,
        typer.Option(
            "--group/--each", help="Frames share one map, and do not flicker; or each has its own.", **_FRAMES
        ),
    ] = True,
    window: Annotated[
        int | None,
        typer.Option(
            min=1, help="Share it over so many frames, an odd number, for long videos.  [default: all]", **_FRAMES
        ),
    ] = None,
    phases: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_PHASES,
            help="Average each frame over N shifts of the networks' lattice: half the flicker with 4, at N"
            " times the time.",
            **_FRAMES,
        ),
    ] = 1,
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="Frames a second of a video from a folder.  [default: 25]", **_FRAMES)
    ] = None,
) -> None:
    """Stylizes CONTENT with the style of STYLE."""
    try:
        settings = Settings.from_options(
            preset, method=method, alpha=alpha, strength=strength, gate=gate, keep_colours=keep_colours,
            guided_radius=guided_radius, n_upd=n_upd, n_iter=n_iter, iterate=iterate, lambda_=lambda_, solver=solver,
            eta=eta, tolerance=tolerance, nst_steps=nst_steps, centred=centred, direction=direction, form=form,
        )  # fmt: skip
        request = Request(
            content=content,
            styles=tuple(style),
            output=output,
            settings=settings,
            resolution=resolution or None,
            style_resolution=style_resolution or resolution or None,
            shares=_shares(style_weight),
            content_mask=content_mask,
            style_masks=None if style_mask is None else tuple(style_mask),
            quality=quality,
            memory=usual_memory() if memory is None else bytes_of(memory),
            tile=tile,
            sample=sample,
            scratch=scratch,
            preview=preview,
            deep_zoom=deep_zoom,
            group=group,
            window=window,
            phases=phases,
            rate=rate,
            weights=(weights, vgg19),
        )
        told = run(request, Stylizer.from_pretrained(weights, vgg19=vgg19, device=device))
    except IftError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(told)


def _shares(text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"--style-weight {text}: give one number per style, such as 2,1") from None


if __name__ == "__main__":
    sys.exit(app())
