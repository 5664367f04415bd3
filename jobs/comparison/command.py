"""`python -m jobs.evaluate compare A B`: whether B is better than A, or different at all."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.comparison.places import HTML_KEY, JSON_KEY
from jobs.exit_codes import mistakes_as_exit_code


def compare(
    a: Annotated[str, typer.Argument(help="A run that was evaluated, or the evaluation of a list: what was before.")],
    b: Annotated[str, typer.Argument(help="Another one with the same pairs: what is to be judged.")],
    to: Annotated[str | None, typer.Option(help=f"Folder or s3:// prefix for {JSON_KEY} and {HTML_KEY}.")] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap behind the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of its random numbers.")] = 0,
) -> None:
    """Prints what has changed from A to B, with 95 % intervals; pairs are matched by pair_id or by their pictures."""
    from rich.console import Console

    from jobs.comparison.write import compare_evaluations

    with mistakes_as_exit_code():
        compare_evaluations(a, b, Console(), to=to, resamples=resamples, seed=seed)
