"""Pairs whose parts are all there, or have failed, as shards that only need to be put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.parts.legs import Way
from jobs.plan import Shard


@dataclass(frozen=True)
class Gathered:
    """What has become of a pair's parts.

    Attributes:
        way: of its group.
        height: of its picture, in pixels.
        width: the same.
        tile: the longest side of its parts; None where it is one part.
        phases: that its parts are of.
        seconds: spent on its parts, by stage.
        failure: type and message, where one of its parts has failed.
    """

    way: Way
    height: int
    width: int
    tile: int | None
    phases: int
    seconds: Mapping[str, float]
    failure: tuple[str, str] | None = None


@dataclass(frozen=True)
class GatherShard(Shard):
    """Some pairs of a shard, to be put together.

    Attributes:
        gathered: of each of the pairs, by its row.
    """

    gathered: Mapping[int, Gathered] = field(default_factory=dict)

    @classmethod
    def of(cls, shard: Shard, gathered: Mapping[int, Gathered]) -> GatherShard:
        """Of a shard, the pairs of which there is something gathered."""
        pairs = tuple(pair for pair in shard.pairs if pair.row in gathered)
        return cls(shard.index, pairs, shard.fingerprint, shard.layout, gathered)
