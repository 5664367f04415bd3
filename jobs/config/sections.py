"""What a configuration file may hold: per section a function, whose parameters and their flags are its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from jobs.config.keys import Key, keys_of
from jobs.flags import running
from jobs.manifest.build import Pairing


@dataclass(frozen=True)
class Section:
    """A table of the file.

    Attributes:
        about: for the template, a line.
        keys: by their names.
    """

    about: str
    keys: Mapping[str, Key]


@dataclass(frozen=True)
class Night:
    """How nights go, beside their runs.

    Attributes:
        retry: whether a night does the pairs once more that failed in earlier nights.
    """

    retry: bool


def building(
    contents: Annotated[list[str], typer.Option(help="Folders or s3:// prefixes of photos, with all below them.")],
    styles: Annotated[list[str], typer.Option(help="The same of styles.")],
    mode: Annotated[
        str,
        typer.Option(help="cross: every photo in every style; paired: by equal names; random: some styles a photo."),
    ] = "random",
    styles_per_content: Annotated[int, typer.Option(min=1, help="Of mode random.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of mode random: the same seed draws the same styles.")] = 0,
    content_masks: Annotated[
        str | None, typer.Option(help="Folder or prefix with a mask per photo, in the same tree, by name.")
    ] = None,
    style_masks: Annotated[str | None, typer.Option(help="The same of the styles.")] = None,
    min_side: Annotated[int | None, typer.Option(min=1, help="Pixels; smaller pictures are passed over.")] = None,
    max_side: Annotated[int | None, typer.Option(min=1, help="Pixels; larger pictures are passed over.")] = None,
    unique: Annotated[bool, typer.Option(help="Of pictures with the same bytes take only the first.")] = False,
    image_format: Annotated[str, typer.Option(help="jpeg, png, webp or tiff: the suffix of the results.")] = "jpeg",
) -> Pairing:
    """Makes a `Pairing` of the keys."""
    return Pairing(
        tuple(contents), tuple(styles), mode, styles_per_content, seed, content_masks, style_masks, min_side, max_side,
        unique, image_format,
    )  # fmt: skip


def resting(
    retry: Annotated[bool, typer.Option(help="Do the pairs once more that failed in earlier nights.")] = True,
) -> Night:
    """Makes a `Night` of the keys."""
    return Night(retry)


SECTIONS = {
    "build": Section("The manifest of a night: what is paired (jobs.nightly alone reads it).", keys_of(building)),
    "run": Section("What `python -m jobs.stylize` is told: flags given to it come before this file.", keys_of(running)),
    "night": Section("How nights go (jobs.nightly alone reads it).", keys_of(resting)),
}
