"""`python -m jobs.benchmark`: how fast the model and the job are on this machine, as ratios within one run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from jobs.benchmark.keys import Key, chosen
from jobs.errors import JobError
from jobs.exit_codes import mistakes_as_exit_code

if TYPE_CHECKING:
    from jobs.benchmark.bench import Bench

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console()


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option(help="Folder for benchmark.json, .parquet, .md and .png.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Measure this alone; may be repeated.")] = None,
    repetitions: Annotated[
        int, typer.Option(min=1, help="Alternations, fewer of what takes long; medians are shown.")
    ] = 5,
    pairs: Annotated[int, typer.Option(min=2, help="Of the job.")] = 256,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; if not given, the GPU if there is one.")] = None,
    s3: Annotated[
        str | None, typer.Option(help="s3:// prefix for the job on S3; if not given, a SeaweedFS of its own.")
    ] = None,
) -> None:
    """Measures everything on this machine, and prints it beside what it should reach, with the paper's Table 1."""
    if context.invoked_subcommand is not None:
        return
    with mistakes_as_exit_code():
        keys = chosen(only)
        from jobs.benchmark.bench import Bench  # PyTorch

        _measure(keys, Bench(device, repetitions, pairs, s3=s3), only or (), output)


@app.command()
def methods(
    resolution: Annotated[int, typer.Option(help="Side of the square picture in pixels.")] = 512,
    repetitions: Annotated[int, typer.Option(min=1, help="Alternations; medians are printed.")] = 5,
    nst_steps: Annotated[int, typer.Option(help="Steps of NST, which is timed once; 0 to leave it out.")] = 5,
) -> None:
    """Times the stylization of a picture by every method, its style known, as ratios to IFT."""
    from jobs.benchmark.methods import compare_methods
    from jobs.benchmark.report import show

    with mistakes_as_exit_code():
        show([compare_methods(resolution, repetitions, nst_steps)], console)


@app.command()
def profile(
    resolution: Annotated[int, typer.Option(help="Side of the square picture in pixels.")] = 512,
    preset: Annotated[str, typer.Option(help="A preset of the model.")] = "artistic",
    repetitions: Annotated[int, typer.Option(min=1, help="Pictures that are profiled.")] = 5,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; if not given, the GPU if there is one.")] = None,
) -> None:
    """Shows where the time of a picture goes, by stage and by operator."""
    with mistakes_as_exit_code():
        from jobs.benchmark.bench import Bench
        from jobs.benchmark.profile import profile_picture
        from jobs.benchmark.report import show

        show(profile_picture(Bench(device, repetitions, 0), resolution, preset), console)


@app.command()
def large(
    size: Annotated[
        list[str] | None, typer.Option(help="Of pictures, WIDTHxHEIGHT; may be repeated, the least first.")
    ] = None,
    memory: Annotated[str, typer.Option(help="For the whole command.")] = "2.5GB",
    preset: Annotated[str, typer.Option(help="A preset of the model.")] = "artistic",
) -> None:
    """Stylizes pictures that fit no memory, and shows seconds, memory and seams: 4 to 96 megapixels, ten minutes."""
    with mistakes_as_exit_code():
        from jobs.benchmark.large import measure_large
        from jobs.benchmark.report import show

        sizes = [_size(text) for text in size or ("2400x1680", "6000x4000", "12000x8000")]
        show([measure_large(sizes, memory, preset)], console)


@app.command()
def photo(
    to: Annotated[Path, typer.Argument(help="A .tif file.")],
    size: Annotated[str, typer.Argument(help="WIDTHxHEIGHT in pixels.")] = "32768x32768",
) -> None:
    """Makes a photo of any size, with grain: something to try large pictures on."""
    with mistakes_as_exit_code():
        from jobs.benchmark.large import enlarged

        enlarged(to, *_size(size))


@app.command(context_settings={"ignore_unknown_options": True})
def memory(
    command: Annotated[list[str], typer.Argument(help="To be run, after --.")],
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between samples.")] = 1.0,
    table: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file to write.")] = None,
    after: Annotated[list[Path] | None, typer.Option(help="Tables of runs before it, for the picture.")] = None,
) -> None:
    """Runs a command, and shows how much memory it and all that it starts take as it goes on."""
    with mistakes_as_exit_code():
        from jobs.benchmark.memory import draw, follow, read_samples

        code, samples = follow(command, every, table)
        if picture is not None:
            draw([*map(read_samples, after or ()), samples], picture)
        peak = max((sample.bytes for sample in samples), default=0)
        console.print(f"at the most {peak / 1e9:.2f} GB in all its processes", highlight=False)
    raise typer.Exit(code)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{2,6})x([0-9]{2,6})", text)
    if match is None:
        raise JobError(f"--size {text}: give WIDTHxHEIGHT in pixels, such as 12000x8000")
    return int(match[1]), int(match[2])


def _measure(keys: list[Key], bench: Bench, forced: Sequence[str], output: Path | None) -> None:
    """Prints each figure as it is known, and all of them at the end; writes even those of a run that is cut short."""
    from jobs.benchmark.bar import Bar
    from jobs.benchmark.figure import NotMeasurableError
    from jobs.benchmark.machine import describe_machine
    from jobs.benchmark.measure import measures
    from jobs.benchmark.report import Report, in_one_line, show

    report = Report(describe_machine(bench.device, bench.model.dtype))
    try:
        with Bar(keys, console) as bar, measures(bench, forced) as by_name:
            bench.begin = bar.begin
            for key in keys:
                bar.enter(key)
                try:
                    report.figures[key] = by_name[key.name]()
                    console.print(in_one_line(key, report.figures[key]), highlight=False)
                except NotMeasurableError as reason:
                    report.skipped[key] = str(reason)
                    console.print(f"{key.name}  not measured: {escape(str(reason))}", highlight=False)
    finally:
        show(report.grids(), console)
        if output is not None:
            for path in report.write(output):
                console.print(path, highlight=False)


if __name__ == "__main__":
    app()
