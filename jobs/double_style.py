"""Two styles in one picture, by every method: how much of each is left (the supplement's section 4)."""

from __future__ import annotations

import csv
import itertools
import statistics
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from ift import Style, Stylizer, load_image, mix_styles
from ift.moments import Moments, mix
from ift.settings import METHODS
from ift.transformations.rounding import trace
from jobs.contact_sheet import contact_sheet
from jobs.demo.__main__ import pictures_in
from jobs.demo.contents import write_contents
from jobs.demo.styles import write_styles
from jobs.exit_codes import mistakes_as_exit_code

STYLE_PAIRS = (("starry", "stained_glass"), ("woodblock", "pointillism"), ("ink", "fauve"))
"""Painted styles that differ strongly."""

SLOW = "nst"
COLUMNS = ("to_first", "to_second", "to_mixture", "variance")


def main(
    output: Annotated[Path, typer.Option(help="Folder for pictures, figures and sheets.")] = Path("double_style"),
    content: Annotated[Path | None, typer.Option(help="Folder of photos of your own, instead of the demo's.")] = None,
    style: Annotated[Path | None, typer.Option(help="Folder of styles; every two that follow are a pair.")] = None,
    resolution: Annotated[int, typer.Option(help="Longer side.")] = 384,
    nst_steps: Annotated[int, typer.Option(help="Steps of NST, which takes minutes; 0 leaves it out.")] = 0,
) -> None:
    """Stylizes each content with each pair of styles by each method, and measures what is left of either style.

    The Gram distance of a result to a style is ‖G − S‖/‖S‖, the mean over the four levels; `variance` is the trace
    of the result's covariance over that of the mixture of both styles: below 1, what is shown is weaker than either.
    """
    output.mkdir(parents=True, exist_ok=True)
    with mistakes_as_exit_code():
        contents = pictures_in(content) if content else write_contents(output / "inputs")
        paths = pictures_in(style) if style else write_styles(output / "inputs" / "styles")
        pairs = _pairs(paths) if style else [tuple(_named(paths, name) for name in pair) for pair in STYLE_PAIRS]
        model = Stylizer.from_pretrained()
        methods = [name for name in METHODS if name != SLOW or nst_steps]
        rows = []
        for first, second in pairs:
            styles = [model.style(load_image(path, resolution), patches=True) for path in (first, second)]
            rows += _compare(model, contents, (first, second), styles, methods, output, resolution, max(nst_steps, 1))
    with (output / "double_style.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["content", "first", "second", "method", *COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    _show(rows, methods)
    typer.echo(f"figures: {output / 'double_style.csv'}; pictures: {output}/*.png")


def _compare(
    model: Stylizer,
    contents: list[Path],
    paths: tuple[Path, Path],
    styles: list[Style],
    methods: list[str],
    output: Path,
    resolution: int,
    nst_steps: int,
) -> list[dict[str, object]]:
    both, rows, results = mix_styles(styles), [], {}
    pictures = {path.stem: load_image(path, resolution) for path in contents}
    halves = _halves(*(_image(load_image(path, resolution)) for path in paths))
    title = f"{paths[0].stem} + {paths[1].stem}"
    for content, name in tqdm(list(itertools.product(pictures, methods)), desc=title):
        result = model.stylize(pictures[content], both, method=name, nst_steps=nst_steps)
        results[content, name] = result
        figures = dict(zip(COLUMNS, _distances(model, result, styles), strict=True))
        rows.append({"content": content, "first": paths[0].stem, "second": paths[1].stem, "method": name, **figures})
    sheet = contact_sheet(
        f"Two styles in one picture: {title}",
        [(content, _image(picture)) for content, picture in pictures.items()],
        [(name, halves) for name in methods],
        {key: _image(result) for key, result in results.items()},
    )
    sheet.save(output / f"{paths[0].stem}_{paths[1].stem}.png")
    return rows


def _distances(model: Stylizer, result: Tensor, styles: list[Style]) -> tuple[float, ...]:
    own = model.style(result.cpu()).pictures[0].moments
    first, second = (style.pictures[0].moments for style in styles)
    mixture = tuple(mix(level, torch.ones(2)) for level in zip(first, second, strict=True))
    spread = [float(trace(a.covariance) / trace(b.covariance)) for a, b in zip(own, mixture, strict=True)]
    return (*(_gram_distance(own, each) for each in (first, second, mixture)), statistics.mean(spread))


def _gram_distance(ours: tuple[Moments, ...], theirs: tuple[Moments, ...]) -> float:
    return statistics.mean(
        float((a.second_moment - b.second_moment).norm() / b.second_moment.norm())
        for a, b in zip(ours, theirs, strict=True)
    )


def _pairs(paths: list[Path]) -> list[tuple[Path, ...]]:
    return list(zip(paths[::2], paths[1::2], strict=False))


def _named(paths: list[Path], name: str) -> Path:
    return next(path for path in paths if path.stem == name)


def _image(picture: Tensor) -> Image.Image:
    from torchvision.transforms.functional import to_pil_image  # takes as long to import as torch itself

    image: Image.Image = to_pil_image(picture.cpu())
    return image


def _halves(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures side by side in one square."""
    side = min(*left.size, *right.size)
    square = Image.new("RGB", (side, side))
    for index, picture in enumerate((left, right)):
        square.paste(ImageOps.fit(picture, (side // 2, side)), (index * side // 2, 0))
    return square


def _show(rows: list[dict[str, object]], methods: list[str]) -> None:
    table = Table(title=f"{len(rows) // len(methods)} pictures of two styles each: medians")
    for column in ("method", "nearer style", "farther style", "mixture of both", "variance"):
        table.add_column(column, justify="right")
    for name in methods:
        own = [tuple(float(str(row[column])) for column in COLUMNS) for row in rows if row["method"] == name]
        figures = [(min(a, b), max(a, b), mixture, variance) for a, b, mixture, variance in own]
        table.add_row(name, *(f"{statistics.median(column):.3f}" for column in zip(*figures, strict=True)))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
