"""What is written down about each pair that was judged."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import pyarrow as pa

from ift.metrics import METRICS
from jobs.evaluate.triple import Triple
from jobs.ledger import RecordKind, said_of

STAGES = ("fetch", "decode", "describe", "judge", "total")
"""Parts of a pair's time, each a column `<stage>_s` in seconds; `describe` is 0 where all styles and the content were
in the cache."""

DESCRIPTORS = ("descriptor", "content_descriptor", "style_descriptors")
"""Columns that are in the record objects only: mean relu4_1 features, 512 numbers of float16 each, as bytes."""


@dataclass
class JudgedRecord:
    """What was found about one pair.

    Attributes:
        row: as `Triple.row`.
        status: `done` or `failed`; a failed record has `error_type` and `error`, and no metrics.
        attempts: how often the pair was tried, counting processes that died on it.
        content: URI of the content.
        styles: URIs of the styles.
        style_weights: the share of each style.
        result: as `Triple.result`.
        pack: as `Triple.pack`.
        width: of the result, in pixels.
        height: of the result, in pixels.
        sha256: of the picture that was judged; None where there was none, or not the one that the run has recorded.
        seconds: as `Triple.seconds`: of the stylization, not of the judgement.
        ruin: None, or what has ruined the picture.
        metrics: by the names in `ift.metrics.METRICS`; None where one is not defined.
        stages: seconds of the judgement, by the names in `STAGES`.
        finished_at: seconds since 1970, UTC.
        descriptor: see `DESCRIPTORS`; of the result.
        content_descriptor: of the content.
        style_descriptors: of each style.
    """

    row: int
    pair_id: str
    status: str
    content: str
    styles: tuple[str, ...]
    style_weights: tuple[float, ...]
    fingerprint: str
    error_type: str | None = None
    error: str | None = None
    attempts: int = 1
    result: str | None = None
    pack: str | None = None
    method: str | None = None
    preset: str | None = None
    settings: str | None = None
    label: str | None = None
    resolution: int | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    seconds: float | None = None
    ruin: str | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    finished_at: float = 0.0
    descriptor: bytes | None = None
    content_descriptor: bytes | None = None
    style_descriptors: tuple[bytes, ...] | None = None

    @classmethod
    def begin(cls, triple: Triple, fingerprint: str) -> JudgedRecord:
        """The record of a pair that nothing has been done about yet."""
        return cls(
            triple.row, triple.pair_id, "pending", triple.content, triple.styles, triple.style_weights, fingerprint,
            result=triple.result, pack=triple.pack, method=triple.method, preset=triple.preset,
            settings=triple.settings, label=triple.label, resolution=triple.resolution, sha256=triple.sha256,
            seconds=triple.seconds,
        )  # fmt: skip

    def fail(self, error: BaseException) -> None:
        """Marks the pair as failed with what went wrong."""
        self.status = "failed"
        self.error_type, self.error = said_of(error)
        self.ruin = self.descriptor = self.content_descriptor = self.style_descriptors = None
        self.metrics = {}


_MADE = ("metrics", "stages")
_PLAIN = [f.name for f in fields(JudgedRecord) if f.name not in (*_MADE, "finished_at", *DESCRIPTORS)]
_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(("row", "attempts", "resolution", "width", "height"), pa.int64()),
    "seconds": pa.float64(),
    "styles": pa.list_(pa.string()),
    "style_weights": pa.list_(pa.float64()),
}

METRICS_SCHEMA = pa.schema(
    [pa.field(name, _TYPES.get(name, pa.string())) for name in _PLAIN]
    + [pa.field(name, pa.float64()) for name in METRICS]
    + [pa.field(f"{stage}_s", pa.float64()) for stage in STAGES]
    + [pa.field("finished_at", pa.float64())]
)
"""Columns of metrics.parquet."""

SCHEMA = pa.schema(
    [
        *METRICS_SCHEMA,
        pa.field("descriptor", pa.binary()),
        pa.field("content_descriptor", pa.binary()),
        pa.field("style_descriptors", pa.list_(pa.binary())),
    ]
)
"""Columns of a record object."""


def _row(record: JudgedRecord) -> dict[str, Any]:
    row = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in _MADE}
    figures = {name: record.metrics.get(name) for name in METRICS}
    return row | figures | {f"{stage}_s": record.stages.get(stage) for stage in STAGES}


JUDGED = RecordKind(SCHEMA, JudgedRecord.begin, _row, "delete it and evaluate again: its pairs are judged anew")
"""The records of an evaluation."""
