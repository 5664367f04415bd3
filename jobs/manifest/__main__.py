"""`python -m jobs.manifest`: builds manifests of folders of pictures, checks them, splits them and describes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tqdm import tqdm

from ift.settings import MAX_LARGE_PIXELS
from jobs.config.sections import building
from jobs.errors import ManifestError
from jobs.exit_codes import DAMAGED, mistakes_as_exit_code
from jobs.flags import AllowPrefix, Planning, Sources, planning, takes
from jobs.manifest import Defaults
from jobs.manifest.build import Pairing, build_manifest
from jobs.manifest.describe import describe, print_description
from jobs.manifest.readable import Look, Looked, look_with_ray, look_with_threads
from jobs.manifest.split import split_manifest
from jobs.manifest.validate import Looking, Validity, print_validity, validate
from jobs.storage.local import plain_errors

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console()

ManifestUri = Annotated[str, typer.Option("--manifest", help="Parquet, CSV or JSONL file of pairs, local or s3://.")]


@app.callback()
def main() -> None:
    """Makes manifests and looks after them."""


@app.command()
@takes(building)
def build(
    pairing: Pairing,
    to: Annotated[str, typer.Option(help="The manifest: a .parquet file, local or s3://.")],
    previous: Annotated[
        str | None,
        typer.Option(help="A manifest that was built before: its rows all stay, and only new ones are added."),
    ] = None,
) -> None:
    """Pairs the pictures of folders or s3:// prefixes; the same trees give the same manifest on any machine."""
    with mistakes_as_exit_code():
        built = build_manifest(pairing, to, previous=previous)
    for reason, count in built.passed_over.items():
        console.print(f"{count:,} × {reason}", highlight=False)
    console.print(
        f"{built.rows:,} pairs of {built.contents:,} contents and {built.styles:,} styles are in {to},"
        f" {built.added:,} of them new",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


@app.command(name="validate")
@takes(planning)
def validate_manifest(
    planned: Planning,
    quick: Annotated[bool, typer.Option("--quick", help="Only whether the pictures exist.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for the first thousand problems of a kind.")
    ] = None,
    allow_prefix: AllowPrefix = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger pictures are wrong.")] = MAX_LARGE_PIXELS,
    max_file_mb: Annotated[float, typer.Option(min=0, help="Larger files are wrong, in 10^6 bytes.")] = 512,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster that looks at the pictures. Default: RAY_ADDRESS, or else this process."),
    ] = None,
) -> None:
    """Checks all that planning would, with the flags of the run, and that every picture is there and can be decoded."""
    allowed = Sources(tuple(allow_prefix or ()), None, None).allowed
    look = Look(quick, max_pixels, int(max_file_mb * 1e6), allowed)
    with mistakes_as_exit_code():
        validity = _validate(planned, look, address or os.environ.get("RAY_ADDRESS"))
        if json_file is not None:
            with plain_errors("write", json_file):
                json_file.write_text(validity.to_json(), encoding="utf-8")
    print_validity(validity, console)
    raise typer.Exit(0 if validity.fine else DAMAGED)


@app.command()
def split(
    manifest: ManifestUri,
    parts: Annotated[int | None, typer.Option(min=2, help="So many of about the same size.")] = None,
    share: Annotated[str | None, typer.Option(help="Or the share of each, such as 0.9,0.1.")] = None,
    by: Annotated[
        str, typer.Option(help="content: all rows of one in one part; row: each by its pair_id.")
    ] = "content",
    seed: Annotated[int, typer.Option(min=0, help="Another gives other parts.")] = 0,
) -> None:
    """Writes parts of a manifest beside it; by a hash, so that rows stay where they are when it grows."""
    with mistakes_as_exit_code():
        for part in split_manifest(manifest, _shares(parts, share), by=by, seed=seed):
            console.print(f"{part.rows:,} rows in {part.uri}", highlight=False, soft_wrap=True, markup=False)


@app.command(name="describe")
def describe_manifest(
    manifest: ManifestUri, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Counts rows, pictures, labels, presets, resolutions and masks."""
    with mistakes_as_exit_code():
        description = describe(manifest)
    if as_json:
        typer.echo(description.to_json())
    else:
        print_description(description, console)


def _validate(planned: Planning, look: Look, address: str | None) -> Validity:
    defaults = Defaults(planned.preset, planned.options, planned.resolution, planned.style_resolution)
    looking: Looking = look_with_threads
    if address is not None:
        import ray

        from jobs.run import connect

        connect(address)
        looking = look_with_ray
    try:
        return validate(
            planned.manifest, defaults, look, image_format=planned.image_format, looking=looking, progress=_progress
        )
    finally:
        if address is not None:
            ray.shutdown()


def _progress(looked: Iterator[Looked], total: int) -> Iterable[Looked]:
    bar: Iterable[Looked] = tqdm(looked, "looking", total, unit=" pictures", dynamic_ncols=True, disable=None)
    return bar


def _shares(parts: int | None, share: str | None) -> list[float]:
    if (parts is None) == (share is None):
        raise ManifestError("give either --parts or --share")
    if parts is not None:
        return [1 / parts] * parts
    try:
        return [float(text) for text in str(share).split(",")]
    except ValueError:
        raise ManifestError(f"--share {share}: give numbers with commas between them, such as 0.9,0.1") from None


if __name__ == "__main__":
    app()
