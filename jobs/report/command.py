"""`python -m jobs.evaluate report`: writes the report of an evaluation again, or elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.exit_codes import mistakes_as_exit_code
from jobs.report.renditions import PICTURES_MB
from jobs.report.write import MOST_ROWS, write_report


def report(
    output: Annotated[str, typer.Option(help="The run that was evaluated, or the evaluation of a list of triples.")],
    to: Annotated[
        str | None, typer.Option(help="The file of HTML, local or s3://. Default: report.html beside the metrics.")
    ] = None,
    pictures_mb: Annotated[
        float, typer.Option(min=0, help="Megabytes of pictures: best, worst and ruined first, then an even sample.")
    ] = PICTURES_MB,
    rows: Annotated[int, typer.Option(min=1, help="Pairs in the tables; of more, an even sample.")] = MOST_ROWS,
) -> None:
    """Writes one file of HTML with plots, pictures and tables; it opens anywhere, without a network."""
    with mistakes_as_exit_code():
        typer.echo(f"report: {write_report(output, to, pictures_mb=pictures_mb, most_rows=rows)}")
