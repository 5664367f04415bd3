"""All that waits to be made in parts, from station to station."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from jobs.commit import Outcome
from jobs.committed import committed_shards, iter_records
from jobs.ledger import waits
from jobs.parts.gathering import Gathered, GatherShard
from jobs.parts.group import Group, Member, groups_of
from jobs.parts.legs import PARTS, Kind, LegShard, Way, map_shard, part_shards
from jobs.parts.records import PARTED, TIMED
from jobs.plan import Plan
from jobs.records import STYLIZED
from jobs.run import Go
from jobs.storage import Store
from jobs.work import Work

_TOGETHER = 400.0
"""Megapixels that are on their way at a time, or one group: what waits between stations lies on the workers' disks."""


@dataclass
class _Failed:
    """Whether a part has failed, as far as is known."""

    any: bool = False

    def __call__(self, outcome: Outcome) -> None:
        self.any = self.any or outcome.failed > 0


@dataclass
class _Tour:
    """A group on its way.

    Attributes:
        group: that is meant.
        way: of it, with those who have dropped out.
        failures: by the row of a member: type and message.
    """

    group: Group
    way: Way
    failures: dict[int, tuple[str, str]] = field(default_factory=dict)

    def drop(self, member: int, failure: tuple[str, str]) -> None:
        """A member drops out; its statistics count no more from here on."""
        self.failures.setdefault(member, failure)
        self.way = replace(self.way, dropped=self.way.dropped | {member})


class PartsRun:
    """Makes what waits in parts.

    Args:
        store: of the run.
        plan: of the run.
        go: has the workers do it.
        console: for what the user should know.
    """

    def __init__(self, store: Store, plan: Plan, go: Go, console: Console) -> None:
        self._store, self._plan, self._go, self._console = store, plan, go, console

    def make(self) -> bool:
        """Makes all that waits; whether all of it is there, or failed; else a signal came."""
        groups = waiting_groups(self._store, self._plan)
        if groups:
            members = sum(len(group.members) for group in groups)
            megapixels = sum(group.megapixels for group in groups)
            self._console.print(
                f"{members} pairs, {megapixels:,.0f} megapixels, are made in parts by all workers together",
                highlight=False,
            )
        return all(self._make_together(some) for some in _waves(groups))

    def _make_together(self, groups: list[Group]) -> bool:
        tours = [_Tour(group, _way(group)) for group in groups]
        last = max(group.stations for group in groups)
        for station in range(last):
            there = [tour for tour in tours if tour.group.stations > station]
            if not (self._leg(there, "measure", station) and self._solve(there, station)):
                return False
        if not self._leg(tours, "write", last):
            return False
        if not self._gather(tours):
            return False
        for group in groups:
            sweep(self._store, f"{PARTS}{group.name}/")
        return True

    def _leg(self, tours: list[_Tour], kind: Kind, station: int) -> bool:
        """Takes the parts of some groups one leg further."""
        legs = [(tour, self._shards(tour, kind, station)) for tour in tours]
        failed = _Failed()
        if not self._do([shard for _, some in legs for shard in some], f"{kind} {station + 1}", failed):
            return False
        for tour, some in legs if failed.any else ():
            for shard in some:
                self._hear(tour, shard)
        return True

    def _shards(self, tour: _Tour, kind: Kind, station: int) -> list[LegShard]:
        own = min(station, tour.group.stations)
        return list(part_shards(tour.group, tour.way, kind, own, self._plan.fingerprint))

    def _solve(self, tours: list[_Tour], station: int) -> bool:
        alive = [tour for tour in tours if len(tour.way.dropped) < len(tour.group.members)]
        shards = [map_shard(tour.group, tour.way, station, self._plan.fingerprint) for tour in alive]
        if not self._do(shards, f"solve {station + 1}", _Failed()):
            return False
        for tour, shard in zip(alive, shards, strict=True):
            (row,) = self._rows(shard)
            if row["status"] == "failed":
                for member in tour.group.members:
                    tour.drop(member.pair.row, (row["error_type"], row["error"]))
        return True

    def _gather(self, tours: list[_Tour]) -> bool:
        gathered: dict[int, dict[int, Gathered]] = {}
        for tour in tours:
            seconds = self._seconds(tour)
            for member in tour.group.members:
                row = member.pair.row
                gathered.setdefault(member.shard, {})[row] = Gathered(
                    tour.way,
                    member.height,
                    member.width,
                    tour.group.tile_of(member),
                    tour.group.phases,
                    seconds.get(row, {}),
                    tour.failures.get(row),
                )
        works = (
            Work(GatherShard.of(self._plan.shard(index), some), frozenset(some)) for index, some in gathered.items()
        )
        return self._go(works, STYLIZED, rows=sum(map(len, gathered.values())), already=0, what="gather")

    def _do(self, shards: list[LegShard], what: str, failed: _Failed) -> bool:
        folders = {shard.way.folder(shard.kind, shard.station) for shard in shards}
        there = {key for folder in folders for key in self._store.list(folder)}
        missing = [shard for shard in shards if shard.record_key not in there]
        failed.any = bool(there)  # of what was done before nothing has been heard
        rows, already = (sum(len(shard.pairs) for shard in some) for some in (shards, missing))
        return not missing or self._go(
            (Work(shard) for shard in missing), PARTED, rows=rows, already=rows - already, what=what, heard=failed
        )

    def _hear(self, tour: _Tour, shard: LegShard) -> None:
        """Members whose parts have failed drop out."""
        for row in self._rows(shard):
            if row["status"] == "failed":
                tour.drop(row["member"], (row["error_type"], row["error"]))

    def _seconds(self, tour: _Tour) -> Mapping[int, dict[str, float]]:
        seconds: dict[int, dict[str, float]] = {}
        for shard in self._shards(tour, "write", tour.group.stations):
            for row in self._rows(shard):
                sums = seconds.setdefault(row["member"], dict.fromkeys(TIMED, 0.0))
                for stage in TIMED:
                    sums[stage] += row[f"{stage}_s"]
        return seconds

    def _rows(self, shard: LegShard) -> list[dict[str, Any]]:
        columns = ("member", "status", "error_type", "error", *(f"{stage}_s" for stage in TIMED))
        rows: list[dict[str, Any]] = PARTED.decode(self._store.read(shard.record_key), columns).to_pylist()
        return rows


def waiting_groups(store: Store, plan: Plan) -> list[Group]:
    """All that waits in a run whose ordinary work is done."""
    members = waiting_members(store, plan)
    tile, whole = int(plan.options["tile"]), int(plan.options["whole_megapixels"] * 1e6)
    return groups_of(members, tile, whole, int(plan.options["phases"]))


def waiting_members(store: Store, plan: Plan, shards: Iterable[int] | None = None) -> Iterator[Member]:
    """The pairs that wait, by their records."""
    columns = ("row", "status", "error_type", "height", "width")
    committed = committed_shards(store, plan) if shards is None else shards
    for index, table in iter_records(store, plan, committed, columns):
        waiting = {row["row"]: row for row in table.to_pylist() if waits(row)}
        if waiting:
            shard = plan.shard(index)
            for pair in shard.pairs:
                if pair.row in waiting:
                    yield Member(
                        index, shard.fingerprint, pair, waiting[pair.row]["height"], waiting[pair.row]["width"]
                    )


def sweep_parts(store: Store, plan: Plan) -> None:
    """Removes what was left of groups that have arrived; records are read only where there is something."""
    keys = list(store.list(PARTS))
    waiting = {group.name for group in waiting_groups(store, plan)} if keys else set()
    for key in keys:
        if key.split("/")[1] not in waiting:
            store.delete(key)


def sweep(store: Store, prefix: str) -> None:
    """Removes all objects below a prefix."""
    for key in list(store.list(prefix)):
        store.delete(key)


def _way(group: Group) -> Way:
    first = group.members[0]
    return Way(group.name, first.pair, (first.height, first.width), group.padded_pixels)


def _waves(groups: Iterable[Group]) -> Iterator[list[Group]]:
    wave: list[Group] = []
    together = 0.0
    for group in groups:
        megapixels = group.megapixels * group.phases
        if wave and together + megapixels > _TOGETHER:
            yield wave
            wave, together = [], 0.0
        wave.append(group)
        together += megapixels
    if wave:
        yield wave
