"""One measured figure, with all that lies behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.benchmark.timing import Times
from jobs.errors import JobError


class NotMeasurableError(JobError):
    """A key cannot be measured here; the message says why, and what would help."""


@dataclass(frozen=True)
class Timed:
    """Something timed at a resolution.

    Attributes:
        what: in a few words.
        resolution: side of the square picture in pixels.
        times: of its repetitions.
    """

    what: str
    resolution: int
    times: Times


@dataclass(frozen=True)
class Grid:
    """A table for people; its first column holds words, the others numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table1Row:
    """A row of the supplement's Table 1, in seconds; medians.

    Attributes:
        resolution: side of the square picture in pixels.
        paper: the paper's, on a GPU.
        ours: style known.
        with_style: style encoded too.
        encoder: of a picture whose stages were timed apart, as the next two.
        transform: see `encoder`.
        decoder: see `encoder`.
        other: what those three leave of that picture.
    """

    resolution: int
    paper: float
    ours: float
    with_style: float
    encoder: float
    transform: float
    decoder: float
    other: float


@dataclass(frozen=True)
class Figure:
    """A key's value.

    Attributes:
        value: what the bar is for.
        timed: what it was made of.
        extra: values beside it, by name.
        grids: tables that explain it.
        table1: rows, from the key that measures them.
    """

    value: float
    timed: tuple[Timed, ...] = ()
    extra: Mapping[str, float] = field(default_factory=dict)
    grids: tuple[Grid, ...] = ()
    table1: tuple[Table1Row, ...] = ()


def timed(times: Mapping[str, Times], resolution: int) -> tuple[Timed, ...]:
    """What `alternate` gave, at one resolution."""
    return tuple(Timed(what, resolution, each) for what, each in times.items())
