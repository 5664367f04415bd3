"""`python -m jobs.experiments NAME --output DIR`: the supplement's experiments, each by one command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jobs.exit_codes import mistakes_as_exit_code
from jobs.flags import Working, takes, working

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console()

Output = Annotated[Path, typer.Option(help="Folder for the run and what comes of it; the same command goes on there.")]
Contents = Annotated[Path | None, typer.Option(help="Folder of photos of your own, instead of the demo's.")]
Styles = Annotated[Path | None, typer.Option(help="Folder of styles of your own, instead of the demo's.")]
PhotoPairFolder = Annotated[
    Path | None,
    typer.Option(
        "--photo-pairs", help="Folder with content/ and style/, whose files go by name. Default: photos in pairs."
    ),
]
Pairs = Annotated[int | None, typer.Option(min=1, help="Most pairs of a kind. Default: as the experiment says.")]
Resolution = Annotated[int | None, typer.Option(min=16, help="Longer side in pixels. Default: as the experiment says.")]


@app.callback()
def main() -> None:
    """Runs an experiment through the main job; writes tables as CSV and JSON, figures, and prints what it found."""


@app.command("trade-off")
@takes(working)
def trade_off(
    resources: Working,
    output: Output,
    contents: Contents = None,
    styles: Styles = None,
    photo_pairs: PhotoPairFolder = None,
    pairs: Pairs = None,
    resolution: Resolution = None,
) -> None:
    """Style distance at equal content preservation: every method over the range of its knob, κ or α."""
    with mistakes_as_exit_code():
        from jobs.experiments.inputs import Inputs
        from jobs.experiments.trade_off import TradeOff
        from jobs.experiments.trade_off_run import run_trade_off

        definition = TradeOff()
        sets = tuple(replace(each, pairs=pairs or each.pairs) for each in definition.sets)
        definition = replace(definition, sets=sets, resolution=resolution or definition.resolution)
        run_trade_off(definition, Inputs(output, contents, styles, photo_pairs), output, resources, console)


@app.command("photo-pairs")
@takes(working)
def photo_realistic(
    resources: Working,
    output: Output,
    contents: Contents = None,
    photo_pairs: PhotoPairFolder = None,
    pairs: Pairs = None,
    resolution: Resolution = None,
) -> None:
    """The supplement's photo-realistic analysis: 30 pairs, no masks, no post-processing, n_upd 15, n_iter 1."""
    with mistakes_as_exit_code():
        from jobs.experiments.inputs import Inputs
        from jobs.experiments.photo_pairs import PhotoPairs
        from jobs.experiments.photo_pairs_run import run_photo_pairs

        definition = PhotoPairs()
        definition = replace(
            definition, pairs=pairs or definition.pairs, resolution=resolution or definition.resolution
        )
        run_photo_pairs(definition, Inputs(output, contents, None, photo_pairs), output, resources, console)


@app.command()
@takes(working)
def table1(
    resources: Working,
    output: Output,
    contents: Contents = None,
    styles: Styles = None,
    pairs: Pairs = None,
    resolution: Annotated[
        list[int] | None, typer.Option(min=16, help="Side in pixels; may be repeated. Default: the paper's four.")
    ] = None,
) -> None:
    """The supplement's Table 1 from the job's own records, with the paper's seconds beside."""
    with mistakes_as_exit_code():
        from jobs.experiments.inputs import Inputs
        from jobs.experiments.table1 import Table1
        from jobs.experiments.table1_run import run_table1

        definition = Table1()
        definition = replace(
            definition,
            pairs=pairs or definition.pairs,
            resolutions=tuple(sorted(set(resolution or definition.resolutions))),
        )
        run_table1(definition, Inputs(output, contents, styles), output, resources, console)


@app.command("double-style")
@takes(working)
def double_style(
    resources: Working,
    output: Output,
    contents: Contents = None,
    styles: Styles = None,
    resolution: Resolution = None,
    nst_steps: Annotated[int, typer.Option(min=0, help="Of NST, which takes minutes; 0 leaves it out.")] = 0,
) -> None:
    """Two styles in one picture, by every method: how much of each is left."""
    with mistakes_as_exit_code():
        from jobs.experiments.double_style import SLOW, DoubleStyle
        from jobs.experiments.double_style_run import run_double_style
        from jobs.experiments.inputs import Inputs

        definition = DoubleStyle()
        definition = replace(definition, resolution=resolution or definition.resolution)
        if nst_steps:
            definition = replace(definition, methods=(*definition.methods, SLOW), nst_steps=nst_steps)
        run_double_style(definition, Inputs(output, contents, styles), output, resources, console)


@app.command()
def flicker(
    output: Output,
    contents: Contents = None,
    styles: Styles = None,
    frames: Annotated[int | None, typer.Option(min=5, help="Of a sequence. Default: as the experiment says.")] = None,
    resolution: Resolution = None,
) -> None:
    """Frames that share their statistics against frames one by one: how much they flicker where motion is known."""
    with mistakes_as_exit_code():
        from jobs.experiments.flicker import Flicker
        from jobs.experiments.flicker_run import run_flicker
        from jobs.experiments.inputs import Inputs

        definition = Flicker()
        definition = replace(
            definition, frames=frames or definition.frames, resolution=resolution or definition.resolution
        )
        run_flicker(definition, Inputs(output, contents, styles), output, console)


if __name__ == "__main__":
    app()
