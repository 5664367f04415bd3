"""The job on a schedule: `python -m jobs.nightly --config dataset.toml`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from jobs import stylize
from jobs.config import Config
from jobs.errors import ConfigError
from jobs.exit_codes import mistakes_as_exit_code
from jobs.flags import Output
from jobs.nightly.night import read_nightly, spend_night
from jobs.nightly.report import print_reports, read_reports
from jobs.storage import open_store

_SHOWN = 7

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console()


@app.callback(invoke_without_command=True)
def night(
    context: typer.Context,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="TOML file; `python -m jobs.stylize config` tells its keys.")
    ] = None,
) -> None:
    """Spends a night: brings the manifest up to date, does what is missing, looks whether all is there, and reports.

    If another night is at work on the output, nothing is done and the exit code is 75.
    """
    if context.invoked_subcommand is not None:
        return
    with mistakes_as_exit_code():
        if config is None:
            raise ConfigError("give --config FILE; `python -m jobs.stylize config` prints one to fill in")
        nightly = read_nightly(config)
        code = spend_night(nightly, stylize.ACTOR, console)
        print_reports(read_reports(open_store(nightly.run.output), _SHOWN), console)
    raise typer.Exit(code)


@app.command()
def history(
    output: Output,
    last: Annotated[int, typer.Option(min=1, help="Nights to show.")] = 14,
    config: Config = None,
) -> None:
    """Shows the last nights."""
    with mistakes_as_exit_code():
        print_reports(read_reports(open_store(output), last), console)


if __name__ == "__main__":
    app()
