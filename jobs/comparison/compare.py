"""What has changed between two evaluations, metric by metric."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ift.metrics import Metric
from jobs.comparison.bootstrap import FEWEST_LEVELS, Interval, mean_intervals, resampled_factors
from jobs.comparison.pairing import Pairing, match_pairs
from jobs.errors import JobError
from jobs.report.kinds import numbers, present

LEVEL = 0.95
NOTHING_SHOWN = "no difference shown"


@dataclass(frozen=True)
class Difference:
    """How one metric differs, second minus first.

    Attributes:
        name: of the metric.
        title: of the metric.
        better: which direction is better; None where neither is.
        count: pairs that have it in both.
        mean_a: its mean in the first, over these pairs.
        mean_b: in the second.
        difference: the mean of the pairs' differences.
        low: end of the interval of that mean; None if there are fewer than two pairs.
        high: the other end.
        improved: share of the pairs that are better in the second, equal ones not counted; None where neither
            direction is better.
        verdict: "better" or "worse" ("higher" or "lower" where neither is better) if the interval is on one side of
            0, else `NOTHING_SHOWN`.
    """

    name: str
    title: str
    better: str | None
    count: int
    mean_a: float
    mean_b: float
    difference: float
    low: float | None
    high: float | None
    improved: float | None
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Two evaluations, pair by pair.

    Attributes:
        pairs: that were judged in both.
        by_id: pairs that were matched by pair_id.
        by_pictures: pairs that were matched by content and styles.
        only_a: rows of the first without a counterpart.
        only_b: rows of the second without a counterpart.
        failed_a: matched pairs that failed in the first.
        failed_b: matched pairs that failed in the second.
        ruined_a: pairs of `pairs` whose picture is suspected to be ruined in the first.
        ruined_b: in the second.
        contents: different contents among `pairs`.
        styles: different combinations of styles.
        resampled: what was drawn anew for the intervals: "content", "style", or "pair".
        resamples: how often.
        seed: of the random numbers.
        metrics: in the order of `METRICS`.
        notes: what to keep in mind, a sentence each.
    """

    pairs: int
    by_id: int
    by_pictures: int
    only_a: int
    only_b: int
    failed_a: int
    failed_b: int
    ruined_a: int
    ruined_b: int
    contents: int
    styles: int
    resampled: tuple[str, ...]
    resamples: int
    seed: int
    metrics: tuple[Difference, ...]
    notes: tuple[str, ...] = field(default=())

    def to_json(self, a: str, b: str) -> bytes:
        """As one JSON object, with the names of the two."""
        return (json.dumps({"a": a, "b": b, **asdict(self)}, indent=2, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True)
class Matched:
    """The pairs that were judged in both: two tables with the same pair in the same row."""

    a: pa.Table
    b: pa.Table
    pairing: Pairing


def matched_tables(a: pa.Table, b: pa.Table) -> Matched:
    """The rows of both that are done and belong together.

    Raises:
        JobError: there are none.
    """
    pairing = match_pairs(a, b)
    left, right = a.take(pairing.a), b.take(pairing.b)
    both = pc.and_(pc.equal(left["status"], "done"), pc.equal(right["status"], "done"))
    matched = Matched(left.filter(both), right.filter(both), pairing)
    if not len(matched.a):
        raise JobError(
            f"the evaluations have no judged pair in common (of {len(a):,} and {len(b):,}): neither pair_id nor content"
            " and styles agree. Compare runs of the same manifest, or give both the same pair_id column"
        )
    return matched


def compare_tables(a: pa.Table, b: pa.Table, *, resamples: int = 2000, seed: int = 0) -> Comparison:
    """Compares the tables of metrics of two evaluations.

    Args:
        a: as metrics.parquet; what was before.
        b: likewise; what is to be judged.
        resamples: of the bootstrap, see `mean_intervals`.
        seed: of its random numbers.

    Raises:
        JobError: they have no pair in common.
    """
    matched = matched_tables(a, b)
    metrics = [metric for metric in present(matched.a) if metric in present(matched.b)]
    before, after = (_stacked(table, metrics) for table in (matched.a, matched.b))
    factors = {
        "content": _codes(matched.a["content"].to_pylist()),
        "style": _codes([tuple(styles or ()) for styles in matched.a["styles"].to_pylist()]),
    }
    levels = {name: int(codes.max()) + 1 for name, codes in factors.items()}
    drawn = resampled_factors(factors)
    intervals = mean_intervals(after - before, list(drawn.values()), resamples=resamples, seed=seed, level=LEVEL)
    differences = tuple(
        _difference(metric, before[:, at], after[:, at], intervals[at])
        for at, metric in enumerate(metrics)
        if np.isfinite(after[:, at] - before[:, at]).any()
    )
    pairing = matched.pairing
    return Comparison(
        len(matched.a),
        pairing.by_id,
        pairing.by_pictures,
        pairing.only_a,
        pairing.only_b,
        _failed(a, pairing.a),
        _failed(b, pairing.b),
        len(matched.a) - matched.a["ruin"].null_count,
        len(matched.b) - matched.b["ruin"].null_count,
        levels["content"],
        levels["style"],
        tuple(drawn) or ("pair",),
        resamples,
        seed,
        differences,
        tuple(_notes(len(matched.a), levels, tuple(drawn), len(differences))),
    )


def _difference(
    metric: Metric, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], interval: Interval | None
) -> Difference:
    known = np.isfinite(before) & np.isfinite(after)
    before, after = before[known], after[known]
    improved = None
    if metric.better:
        improved = float(np.mean(after > before if metric.better == "higher" else after < before))
    return Difference(
        metric.name,
        metric.title,
        metric.better,
        len(before),
        float(before.mean()),
        float(after.mean()),
        float((after - before).mean()),
        interval.low if interval else None,
        interval.high if interval else None,
        improved,
        verdict_of(metric.better, interval),
    )


def verdict_of(better: str | None, interval: Interval | None) -> str:
    """In words, whether an interval of a difference is on one side of 0; see `Difference.verdict`."""
    if interval is None or interval.low <= 0 <= interval.high:
        return NOTHING_SHOWN
    direction = "higher" if interval.low > 0 else "lower"
    if better is None:
        return direction
    return "better" if direction == better else "worse"


def _notes(pairs: int, levels: dict[str, int], drawn: Sequence[str], metrics: int) -> list[str]:
    by = " and ".join(f"{name}s" for name in drawn) or "pairs"
    notes = [
        f"Intervals hold the mean difference with {LEVEL:.0%} confidence, each on its own. With {metrics} metrics,"
        f" about {metrics * (1 - LEVEL):.1f} verdicts would come from chance alone if nothing had changed: trust what"
        " several metrics of a group say, or what was asked before looking.",
        f"They come from drawing {by} anew" + (", since pairs that share one are not independent." if drawn else "."),
    ]
    fixed = [name for name in levels if name not in drawn and levels[name] < min(FEWEST_LEVELS, pairs)]
    notes += [
        f"There {'is' if levels[name] == 1 else 'are'} only {levels[name]} {name}{'' if levels[name] == 1 else 's'}:"
        " what is found holds for no other."
        for name in fixed
    ]
    if pairs < 10:
        notes.append(f"{pairs} pairs are too few for intervals to be taken at their word.")
    return notes


def _stacked(table: pa.Table, metrics: Sequence[Metric]) -> npt.NDArray[np.float64]:
    """(rows, metrics)."""
    columns = [numbers(table, metric.name) for metric in metrics]
    return np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))


def _codes(values: Sequence[Any]) -> npt.NDArray[np.int64]:
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], np.int64)


def _failed(table: pa.Table, places: npt.NDArray[np.int64]) -> int:
    return len(table.take(places).filter(pc.equal(pc.field("status"), "failed")))
