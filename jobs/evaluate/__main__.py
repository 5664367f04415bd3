"""Evaluation: `python -m jobs.evaluate --output RUN`; and `report` and `compare` beside it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from jobs.comparison.command import compare
from jobs.exit_codes import mistakes_as_exit_code
from jobs.flags import MaxFailed, Sources, Working, sources, takes, working
from jobs.report.command import report

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(report)
app.command()(compare)
console = Console()

_SIGNAL = 128  # exit codes from here on: a signal ended it


@app.callback(invoke_without_command=True)
@takes(working)
@takes(sources)
def evaluate(
    context: typer.Context,
    output: Annotated[
        str | None, typer.Option(help="The run to judge; or where the evaluation of --triples goes.")
    ] = None,
    triples: Annotated[
        str | None,
        typer.Option(
            help="Instead of a run: a Parquet, CSV or JSONL file with columns content, style and result, or a folder"
            " with content/, style/ and result/."
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Another run, or evaluation of a list, that --output is compared with.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try the pairs that could not be judged once more.")] = False,
    with_report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html at the end.")] = True,
    max_failed: MaxFailed = 0.1,
    *,
    resources: Working,
    read: Sources,
) -> None:
    """Judges every picture of a run that was not judged yet, or has changed since, against its content and styles.

    --weights and --vgg19 are those of the network that judges, whatever weights the run was made with. What is found
    lies in evaluation/ below the run's output.
    """
    if context.invoked_subcommand is not None:
        return
    if output is None:
        raise typer.BadParameter("name the run to judge", context, param_hint="--output")
    from jobs.evaluate.job import Options, evaluate_run, evaluate_triples

    options = Options(read, retry, max_failed)
    with mistakes_as_exit_code():
        if triples is None:
            code = evaluate_run(output, resources, console, options)
        else:
            code = evaluate_triples(triples, output, resources, console, options)
        if with_report and code < _SIGNAL:
            from jobs.report import write_report

            console.print(f"report: {write_report(output)}", highlight=False, markup=False, soft_wrap=True)
        if reference is not None and code < _SIGNAL:
            code = evaluate_run(reference, resources, console, options) or code
            if code < _SIGNAL:
                from jobs.comparison.write import compare_evaluations

                compare_evaluations(reference, output, console)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
