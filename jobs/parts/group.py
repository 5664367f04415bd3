"""Pairs that share their statistics, and the parts that they fall into; a large picture is a group of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ift.network_shape import padded_size
from ift.part import Part
from ift.settings import Settings
from ift.shifts import Shift
from ift.steps import margins, steps_of
from ift.tiling import parts_in_phases
from jobs.plan import PlannedPair


@dataclass(frozen=True)
class Member:
    """A pair that waits.

    Attributes:
        shard: the index of its shard.
        fingerprint: of the shard.
        pair: as planned.
        height: of its content as it will be stylized, in pixels.
        width: the same.
    """

    shard: int
    fingerprint: str
    pair: PlannedPair
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Of the content."""
        return self.height * self.width


@dataclass(frozen=True)
class Group:
    """Members that share their statistics, with one style and one way of doing it.

    Attributes:
        name: of its folder in the output; says who belongs to it.
        members: by their rows.
        tile: the longest side of a part, in pixels.
        whole: pixels up to which a member is one part.
        phases: of the networks' lattice, over which each member is averaged.
    """

    name: str
    members: tuple[Member, ...]
    tile: int
    whole: int
    phases: int

    @property
    def settings(self) -> Settings:
        """How it is stylized."""
        return Settings.from_json(self.members[0].pair.settings)

    @property
    def stations(self) -> int:
        """How many there are on the way."""
        return sum(step.is_station for step in steps_of(self.settings))

    @property
    def megapixels(self) -> float:
        """Of all members."""
        return sum(member.pixels for member in self.members) / 1e6

    @property
    def padded_pixels(self) -> float:
        """Of a member as padded, on average."""
        sizes = [padded_size(member.height, member.width) for member in self.members]
        return sum(height * width for height, width in sizes) / len(sizes)

    def tile_of(self, member: Member) -> int | None:
        """The longest side of a member's parts; None where it is one part."""
        return None if member.pixels <= self.whole else self.tile

    def parts(self) -> Iterator[tuple[Member, int, Shift, Part]]:
        """Every part with its member, its number within that, and its phase."""
        settings = self.settings
        halo = margins(steps_of(settings), settings)[0]
        for member in self.members:
            parts = parts_in_phases(member.height, member.width, self.tile_of(member), halo, self.phases)
            for number, (shift, part) in enumerate(parts):
                yield member, number, shift, part


def groups_of(members: Iterable[Member], tile: int, whole: int, phases: int) -> list[Group]:
    """The groups that pairs belong to, in the order of their first rows.

    Args:
        members: pairs that wait, in any order.
        tile: the longest side of a part, in pixels.
        whole: pixels up to which a member is one part.
        phases: of frames of a group; a pair of no group has one.
    """
    by_key: dict[str, list[Member]] = {}
    for member in sorted(members, key=lambda member: member.pair.row):
        by_key.setdefault(_key(member.pair), []).append(member)
    return [
        Group(_name(key, each), tuple(each), tile, whole, 1 if each[0].pair.group is None else phases)
        for key, each in by_key.items()
    ]


def _key(pair: PlannedPair) -> str:
    """Rows of one group that take another style, or take it otherwise, are another group."""
    if pair.group is None:
        return json.dumps(pair.row)
    style = pair.styles, pair.style_weights, pair.style_masks, pair.style_resolution
    return json.dumps([pair.group, style, pair.settings])


def _name(key: str, members: list[Member]) -> str:
    """Other members, sizes or plans would be other statistics, and what nodes have kept of them is not for this one."""
    who = [[member.fingerprint, member.pair.row, member.height, member.width] for member in members]
    return hashlib.sha256(json.dumps([key, who]).encode()).hexdigest()[:24]
