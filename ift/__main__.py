"""One picture from the command line: `python -m ift CONTENT STYLE [STYLE ...] -o OUT`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor
from tqdm import tqdm

from ift import options
from ift.errors import IftError, SettingsError
from ift.images import format_of, load_image, save_image
from ift.label_mask import fit_labels, load_labels
from ift.labels import is_label, label_of
from ift.nst import Progress
from ift.settings import Settings
from ift.stylizer import Labels, Stylizer

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
) -> None:
    """Stylizes CONTENT with the style of STYLE."""
    try:
        settings = Settings.from_options(
            preset, method=method, alpha=alpha, strength=strength, gate=gate, keep_colours=keep_colours,
            guided_radius=guided_radius, n_upd=n_upd, n_iter=n_iter, iterate=iterate, lambda_=lambda_, solver=solver,
            eta=eta, tolerance=tolerance, nst_steps=nst_steps, centred=centred, direction=direction, form=form,
        )  # fmt: skip
        format_of(output.name)
        picture = load_image(content, resolution or None)
        pictures = [load_image(path, style_resolution or resolution or None) for path in style]
        labels = None if content_mask is None else fit_labels(load_labels(content_mask), *picture.shape[-2:])
        model = Stylizer.from_pretrained(weights, vgg19=vgg19, device=device)
        started = time.perf_counter()
        target = model.style(
            pictures, _shares(style_weight), _masks(style_mask, pictures), patches="avatar" in settings.method
        )
        with _progress(settings) as progress:
            result = model.stylize(picture, target, settings=settings, labels=labels, progress=progress)
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


def _masks(texts: list[str] | None, pictures: list[Tensor]) -> list[Labels] | None:
    """Of each style: the label that stands for the whole picture, or the labels in a file, fitted to the picture."""
    if texts is None:
        return None
    if len(texts) != len(pictures):
        raise SettingsError(f"{len(texts)} --style-mask for {len(pictures)} styles: give one for each, in their order")
    return [
        label_of(text) if is_label(text) else fit_labels(load_labels(text), *picture.shape[-2:])
        for text, picture in zip(texts, pictures, strict=True)
    ]


@contextmanager
def _progress(settings: Settings) -> Iterator[Progress | None]:
    """A bar for what takes minutes."""
    if "nst" not in settings.method:
        yield None
        return
    with tqdm(total=settings.nst_steps, unit=" steps") as bar:

        def show(step: int, objective: float) -> None:
            bar.set_postfix(objective=f"{objective:.4g}", refresh=False)
            bar.update(step - bar.n)

        yield show


if __name__ == "__main__":
    sys.exit(app())
