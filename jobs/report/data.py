"""What the script of a report works on: columns, since the names of columns would take more room than the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ift.metrics import Metric
from jobs.report.choice import BOTH, MAIN, Choice
from jobs.report.kinds import Kind, columns_of, numbers
from jobs.report.page import short
from jobs.report.renditions import Renditions

_TEXTS = ("pair_id", "status", "ruin", "error_type", "error", "label")
_FIGURES = ("row", "resolution", "width", "height")


def page_data(
    listed: pa.Table, choice: Choice, pictures: Renditions, kinds: Sequence[Kind], metrics: Sequence[Metric]
) -> dict[str, Any]:
    """What the page's script works on: columns, since names of columns would take more room than the figures."""
    by_kind = {(kind.preset, kind.method): number for number, kind in enumerate(kinds)}
    columns = columns_of(listed, [*_TEXTS, *_FIGURES, "content", "styles", "preset", "method", "seconds"])
    uris, content, styles = _coded(columns["content"], [each or () for each in columns["styles"]])
    described = [
        {"name": metric.name, "title": metric.title, "group": metric.group, "better": metric.better}
        for metric in metrics
    ]
    values = {metric.name: numbers(listed, metric.name).tolist() for metric in metrics}
    if any(value is not None for value in columns["seconds"]):
        described.append({"name": "seconds", "title": "seconds", "group": "time", "better": "lower"})
        values["seconds"] = columns["seconds"]
    return {
        "count": len(listed),
        "kinds": [kind.name for kind in kinds],
        "kind": [by_kind[key] for key in zip(columns["preset"], columns["method"], strict=True)],
        "uris": uris,
        "content": content,
        "styles": styles,
        **{name: columns[name] for name in (*_TEXTS, *_FIGURES)},
        "metrics": described,
        "values": {name: [short(value) for value in column] for name, column in values.items()},
        "main": MAIN,
        "both": BOTH,
        "pictures": pictures.pairs,
        "best": choice.best,
        "worst": choice.worst,
        "ruined": choice.ruined,
        "failed": choice.failed,
    }


def _coded(contents: Sequence[str], styles: Sequence[Sequence[str]]) -> tuple[list[str], list[int], list[list[int]]]:
    """All URIs that are different, and the columns as numbers of these."""
    codes: dict[str, int] = {}

    def code(uri: str) -> int:
        return codes.setdefault(uri, len(codes))

    coded = [code(uri) for uri in contents], [[code(uri) for uri in each] for each in styles]
    return list(codes), *coded
