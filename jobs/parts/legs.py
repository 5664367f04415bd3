"""Legs of a group's way, as shards whose pairs are parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ift.shifts import UNSHIFTED, Shift
from jobs.parts.group import Group
from jobs.plan import PlannedPair
from jobs.plan.shards import PairShard

PARTS = "parts/"
"""The folder of groups on their way; one that has arrived leaves nothing there."""

Kind = Literal["measure", "solve", "write"]
"""Parts are taken to a station and measured; a station's map is solved; parts are taken to the end and written."""

_MEGAPIXELS, _MOST_PARTS = 4.0, 32
"""Of a shard: enough to be worth a commit, little enough to be lost."""


@dataclass(frozen=True)
class Way:
    """What the parts of a group have in common.

    Attributes:
        group: its name.
        pair: one of its pairs: styles and settings are those of all.
        size: (H, W) of that pair's content.
        padded_pixels: of a member as padded, on average.
        dropped: rows of members that have failed, which count no more.
    """

    group: str
    pair: PlannedPair
    size: tuple[int, int]
    padded_pixels: float
    dropped: frozenset[int] = frozenset()

    def folder(self, kind: Kind, station: int) -> str:
        """The folder of a leg's records."""
        return f"{PARTS}{self.group}/{kind}-{station}/"

    def picture_key(self, row: int, number: int) -> str:
        """The key of a finished part of a member."""
        return f"{PARTS}{self.group}/pictures/{row}-{number:06d}.png"


@dataclass(frozen=True)
class PartPair:
    """A part, to be taken one leg further; or a map to be solved.

    Attributes:
        row: its number in the group.
        pair_id: for messages.
        content: URI of the member's content.
        styles: URIs.
        member: the member as planned.
        number: of the part within its member.
        part: as `ift.part.Part.to_json` wrote it; empty for a map.
        shift: of its phase.
    """

    row: int
    pair_id: str
    content: str
    styles: tuple[str, ...]
    member: PlannedPair
    number: int = 0
    part: str = ""
    shift: Shift = UNSHIFTED


@dataclass(frozen=True)
class LegShard(PairShard[PartPair]):
    """Some parts of a group, to be taken one leg further.

    Attributes:
        way: what all parts have in common.
        kind: of the leg.
        station: where it ends; for maps, where it is solved.
    """

    way: Way
    kind: Kind
    station: int

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.kind} {self.station} of group {self.way.group}, {self.index}"

    @property
    def record_key(self) -> str:
        """The key of its records."""
        return f"{self.way.folder(self.kind, self.station)}{self.index:06d}.parquet"


def part_shards(group: Group, way: Way, kind: Kind, station: int, fingerprint: str) -> Iterator[LegShard]:
    """A leg of all parts, but those of members that were dropped; the shards are the same ones on each leg."""
    for index, pairs in enumerate(_portions(group)):
        kept = tuple(pair for pair in pairs if pair.member.row not in way.dropped)
        if kept:
            yield LegShard(index, kept, fingerprint, way, kind, station)


def map_shard(group: Group, way: Way, station: int, fingerprint: str) -> LegShard:
    """The map of a station."""
    first = group.members[0].pair
    pair = PartPair(0, f"the map of {first.pair_id}", first.content, first.styles, first)
    return LegShard(0, (pair,), fingerprint, way, "solve", station)


def _portions(group: Group) -> Iterator[list[PartPair]]:
    portion: list[PartPair] = []
    megapixels = 0.0
    for row, (member, number, shift, part) in enumerate(group.parts()):
        pixels = part.core.height * part.core.width / 1e6
        if portion and (megapixels + pixels > _MEGAPIXELS or len(portion) == _MOST_PARTS):
            yield portion
            portion, megapixels = [], 0.0
        pair = member.pair
        name = f"{pair.pair_id}, part {number}"
        portion.append(PartPair(row, name, pair.content, pair.styles, pair, number, part.to_json(), shift))
        megapixels += pixels
    yield portion
