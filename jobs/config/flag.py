"""`--config FILE` for the commands of the job: what the file says is their defaults."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.config.reading import read_config
from jobs.exit_codes import mistakes_as_exit_code


def _take(context: typer.Context, uri: str | None) -> str | None:
    """Has the command take from the file what no flag gives."""
    if uri is not None and not context.resilient_parsing:
        with mistakes_as_exit_code():
            context.default_map = read_config(uri).values("run")
    return uri


Config = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        callback=_take,
        is_eager=True,
        help="TOML file, local or s3://: its table `run` gives flags, which those given here overrule; see `config`.",
    ),
]
