"""Where an evaluation keeps what it finds: below a run's output, or in a place of its own for a list of triples."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.plan import PLAN_KEY
from jobs.storage import Store, open_store
from jobs.storage.uris import absolute_uri

EVALUATION = "evaluation"
"""The folder below a run's output."""

SOURCE_KEY = "source.json"
METRICS_KEY = "metrics.parquet"
SUMMARY_KEY = "evaluation.json"
REPORT_KEY = "report.html"


@dataclass(frozen=True)
class Place:
    """Where an evaluation is.

    Attributes:
        output: what the user calls it.
        store: of all that the evaluation writes.
        run: the run that is judged; None where it is a list of triples.
    """

    output: str
    store: Store
    run: Store | None


def open_place(output: str) -> Place:
    """The evaluation of the run at `output`, or of the list whose evaluation has that place.

    Where neither is there yet, it is taken for a run, which then has no plan.

    Raises:
        StorageError: the URI names no place, or the store cannot be reached.
    """
    uri = absolute_uri(output)
    store = open_store(uri)
    if store.exists(SOURCE_KEY) and not store.exists(PLAN_KEY):
        return Place(output, store, None)
    return Place(output, open_store(f"{uri.rstrip('/')}/{EVALUATION}"), store)
