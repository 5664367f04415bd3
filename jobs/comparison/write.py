"""Two evaluations read, compared, printed and written down."""

from __future__ import annotations

from rich.console import Console

from jobs.comparison.compare import Comparison, compare_tables, matched_tables
from jobs.comparison.page import comparison_page
from jobs.comparison.places import HTML_KEY, JSON_KEY
from jobs.comparison.told import print_comparison
from jobs.evaluate.job import read_metrics
from jobs.evaluate.pictures import ResultPictures
from jobs.storage import open_store
from jobs.storage.uris import shown


def compare_evaluations(
    a: str, b: str, console: Console, *, to: str | None = None, resamples: int = 2000, seed: int = 0
) -> Comparison:
    """Compares the evaluations of two outputs and prints what is found.

    Args:
        a: URI of a run that was evaluated, or of the evaluation of a list of triples.
        b: likewise.
        console: to print on.
        to: folder or s3:// prefix for the comparison as JSON and as a page.
        resamples: see `compare_tables`.
        seed: see `compare_tables`.

    Raises:
        JobError: one was not evaluated, or they have no pair in common.
        StorageError: something cannot be read or written.
    """
    before, after = read_metrics(a), read_metrics(b)
    comparison = compare_tables(before, after, resamples=resamples, seed=seed)
    names = shown(a), shown(b)
    print_comparison(comparison, *names, console)
    if to is not None:
        store = open_store(to)
        store.write(JSON_KEY, comparison.to_json(a, b))
        page = comparison_page(comparison, matched_tables(before, after), (ResultPictures(a), ResultPictures(b)), names)
        store.write(HTML_KEY, page.encode())
        console.print(f"{JSON_KEY} and {HTML_KEY} are in {to}", soft_wrap=True, highlight=False, markup=False)
    return comparison
