"""One picture from the command line: `python -m ift CONTENT STYLE [STYLE ...] -o OUT`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ift import options
from ift.errors import IftError, SettingsError
from ift.images import format_of, load_image, save_image
from ift.settings import Settings
from ift.stylizer import Stylizer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(no_args_is_help=True)
def main(
    content: Annotated[Path, typer.Argument(help="The picture to stylize.")],
    style: Annotated[list[Path], typer.Argument(help="The picture whose style it gets; several are mixed.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write: .jpg, .png, .webp or .tif.")],
    preset: options.Preset = "artistic",
    resolution: options.Resolution = 1024,
    style_resolution: options.StyleResolution = None,
    style_weight: Annotated[
        str | None, typer.Option(help="Shares of several styles, such as 2,1.  [default: equal]")
    ] = None,
    quality: options.Quality = 95,
    strength: options.Strength = None,
    gate: options.Gate = None,
    n_upd: options.NUpd = None,
    n_iter: options.NIter = None,
    iterate: options.Iterate = None,
    lambda_: options.Lambda = None,
    solver: options.Solver = None,
    eta: options.Eta = None,
    tolerance: options.Tolerance = None,
    centred: options.Centred = None,
    direction: options.Direction = None,
    form: options.Form = None,
    weights: options.Weights = None,
    vgg19: options.Vgg19 = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, …  [default: the GPU if any]")] = None,
) -> None:
    """Stylizes CONTENT with the style of STYLE."""
    try:
        settings = Settings.from_options(
            preset, strength=strength, gate=gate, n_upd=n_upd, n_iter=n_iter, iterate=iterate, lambda_=lambda_,
            solver=solver, eta=eta, tolerance=tolerance, centred=centred, direction=direction, form=form,
        )  # fmt: skip
        format_of(output.name)
        picture = load_image(content, resolution or None)
        pictures = [load_image(path, style_resolution or resolution or None) for path in style]
        model = Stylizer.from_pretrained(weights, vgg19=vgg19, device=device)
        started = time.perf_counter()
        result = model.stylize(picture, model.style(pictures, _shares(style_weight)), settings=settings)
        save_image(result, output, quality)
    except IftError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    height, width = result.shape[-2:]
    typer.echo(f"{output}: {width}×{height} in {time.perf_counter() - started:.2f} s on {model.device}")


def _shares(text: str | None) -> list[float] | None:
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"--style-weight {text}: give one number per style, such as 2,1") from None


if __name__ == "__main__":
    sys.exit(app())
