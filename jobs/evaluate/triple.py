"""What is judged: a result, the content it was made of and the styles it was to have."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.plan.shards import PairShard


class NotStylizedError(Exception):
    """The run has no picture of a pair, so there is nothing to judge."""


@dataclass(frozen=True)
class Triple:
    """One pair to be judged.

    Attributes:
        row: of the run's manifest, or of the list, from 0.
        pair_id: unique in the run or list.
        content: URI.
        styles: URIs, one or more.
        style_weights: the share of each style; they sum to 1.
        result: of a run, the key of the picture in its store; else a URI. None where there is no picture.
        pack: key of the pack that holds the picture; None where it is an object or file of its own.
        sha256: of the picture as the run has recorded it; None where nobody has.
        failure: why there is no picture; None where there is one.
        resolution: the longer side that was asked for; None for the content's own size, or where nobody knows.
        style_resolution: the longer side of the styles in pixels; None for their own size in a run, and for that of
            the result in a list.
        method: of the settings in short; None where nobody knows.
        preset: that the settings started from; None where nobody knows.
        settings: as JSON; None where nobody knows.
        label: the class of the content; None if it has none.
        seconds: that encoder, transformation and decoder took of the run; None where nobody knows.
    """

    row: int
    pair_id: str
    content: str
    styles: tuple[str, ...]
    style_weights: tuple[float, ...]
    result: str | None
    pack: str | None = None
    sha256: str | None = None
    failure: str | None = None
    resolution: int | None = None
    style_resolution: int | None = None
    method: str | None = None
    preset: str | None = None
    settings: str | None = None
    label: str | None = None
    seconds: float | None = None


TripleShard = PairShard[Triple]
"""Triples that are judged, and whose records are committed, together; of a run, those of its plan's shard."""
