"""`make demo`: the main job on real photos and painted styles, from nothing to a contact sheet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from jobs.demo.contents import write_contents
from jobs.demo.styles import write_styles
from jobs.errors import JobError
from jobs.exit_codes import mistakes_as_exit_code
from jobs.stylize import app as stylize
from jobs.suffixes import SUFFIXES

ARTISTIC = ("starry", "fauve", "pointillism", "stained_glass", "woodblock", "watercolour", "ink", "gilded")
PHOTO = ("golden_hour", "blue_hour", "watercolour")
"""Which painted styles are shown with which preset."""


def main(
    output: Annotated[Path, typer.Option(help="Folder for inputs and results.")] = Path("demo"),
    content: Annotated[Path | None, typer.Option(help="Folder of photos of your own, instead of ours.")] = None,
    style: Annotated[Path | None, typer.Option(help="Folder of styles of your own, instead of ours.")] = None,
    resolution: Annotated[int, typer.Option(help="Longer side of the results.")] = 512,
) -> None:
    """Stylizes a few photos with a few styles, in both presets, through the main job."""
    output = output.absolute()
    manifest = output / "manifest.csv"
    painted = manifest.exists()
    with mistakes_as_exit_code():
        contents = pictures_in(content) if content else ours(output / "contents", write_contents, painted)
        styles = pictures_in(style) if style else ours(output / "styles", write_styles, painted)
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["content", "style", "preset", "pair_id"])
        for photo in contents:
            for preset, picture in _presets(styles, everything=style is not None):
                rows.writerow([photo, picture, preset, f"{photo.stem}-{picture.stem}-{preset}"])
    typer.echo(f"{manifest} lists the pairs; now the main job:\n")
    run = ["run", "--manifest", manifest, "--output", output / "results", "--resolution", resolution]
    code = _call(*run) or _call("sheet", "--output", output / "results", "--to", output)
    if code == 0:
        typer.echo(f"\nLook at {output}/contact_sheet_*.png; the pictures are in {output}/results/images.")
    raise typer.Exit(code)


def _presets(styles: list[Path], *, everything: bool) -> Iterator[tuple[str, Path]]:
    for preset, names in (("artistic", ARTISTIC), ("photo", PHOTO)):
        yield from ((preset, path) for path in styles if everything or path.stem in names)


def ours(folder: Path, write: Callable[[Path], list[Path]], painted: bool) -> list[Path]:
    """The demo's own pictures; those of an earlier demo, if it came as far as its manifest."""
    return sorted(folder.glob("*.jpg") if painted and folder.exists() else write(folder))


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted.

    Raises:
        JobError: there are none.
    """
    found = sorted(path.absolute() for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise JobError(f"{folder} has no pictures: name a folder with {', '.join(SUFFIXES)} files")
    return found


def _call(*arguments: object) -> int:
    code: int = stylize([str(argument) for argument in arguments], standalone_mode=False) or 0
    return code


if __name__ == "__main__":
    typer.run(main)
