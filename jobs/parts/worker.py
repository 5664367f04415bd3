"""What an actor does with parts: from station to station, with features on the node's disk where there is room."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ift import Settings
from ift.content_mask import Mask
from ift.images import encode_image
from ift.journey import Journey, State
from ift.label_mask import decode_labels
from ift.part import Part
from ift.parts.grid import Pixels, window_of
from ift.parts.in_parts import KEPT_SKIPS
from ift.parts.phases import in_phase
from ift.parts.scratch import Scratch
from ift.stopwatch import Stopwatch
from ift.tallies import Map, Tally, pool, tensors_from_bytes, tensors_of, tensors_to_bytes
from jobs.parts.legs import LegShard, PartPair, Way
from jobs.parts.records import PARTED, TIMED, PartRecord
from jobs.plan import PlannedPair
from jobs.shard_worker import ShardWorkerBase
from jobs.work import Effort

if TYPE_CHECKING:
    from jobs.worker import ShardWorker

_SHARE_OF_DISK = 0.3
"""Of what is free on the node's disk, for the features that one worker keeps: there may be several."""

_SPENT = "seconds"
"""Under which name a state keeps the seconds of `TIMED` that were spent on it."""

_WAYS, _MAPS = 4, 32


@dataclass(frozen=True)
class _Errand:
    """A part on its way.

    Attributes:
        journey: of its group.
        way: of its group.
        pair: that stands for it.
        part: as it is.
        content: of its member, in the part's phase.
        mask: of its member.
    """

    journey: Journey
    way: Way
    pair: PartPair
    part: Part
    content: Pixels
    mask: Mask | None

    @cached_property
    def window(self) -> Tensor:
        """Of the content: (3, h, w)."""
        return window_of(self.content, self.part)

    def image(self) -> Tensor:
        """The same, read once, when it is first asked for."""
        return self.window


class PartWorker(ShardWorkerBase[PartRecord]):
    """Takes parts one leg further, and solves maps.

    Args:
        worker: whose model, styles, device and disk it uses.
    """

    def __init__(self, worker: ShardWorker) -> None:
        super().__init__(worker.config, worker.name, worker.model, PARTED)
        self._device = worker.device
        self._contents, self._worker = worker.contents, worker
        self._contents.sweep()
        self._journey_of = lru_cache(maxsize=_WAYS)(self._made_journey)
        self._mask_of = lru_cache(maxsize=_WAYS)(self._read_mask)
        self._map_of = lru_cache(maxsize=_MAPS)(self._read_map)
        self._scratch_of = lru_cache(maxsize=_WAYS)(self._made_scratch)

    def work_on(self, shard: LegShard, pairs: Sequence[PartPair], effort: Effort) -> list[PartRecord]:
        """Takes some parts of a shard one leg further; one record each, in the order of the rows.

        Raises:
            StorageError: as `run` does.
        """
        records = []
        for pair in pairs:
            record = PartRecord.begin(pair, shard.fingerprint)
            record.attempts += effort.tries
            try:
                with self._device:
                    self._go(shard, pair, record)
                    self._memory.enforce()
            except Exception as error:  # a part never takes others down, whatever it raises
                if self._is_setback(error, effort):
                    raise
                record.fail(self._in_words(error, pair.content))
            record.finish()
            records.append(record)
            self.beats += 1
        return records

    def _go(self, shard: LegShard, pair: PartPair, record: PartRecord) -> None:
        way, station = shard.way, shard.station
        journey = self._journey_of(way)
        journey.stopwatch = clock = Stopwatch(self.model.device)
        if shard.kind == "solve":
            record.tensors = tensors_to_bytes(tensors_of(journey.solve(station, self._pooled(shard, journey))))
            return
        errand = self._errand(journey, way, pair)
        state, spent = self._state(errand, station)
        if shard.kind == "write":
            picture = encode_image(journey.picture(state)[0], "png")
            self.store.write(way.picture_key(pair.member.row, pair.number), picture)
            record.sha256 = hashlib.sha256(picture).hexdigest()
            for stage, before in zip(TIMED, spent.tolist(), strict=True):
                setattr(record, f"{stage}_s", before + clock.seconds.get(stage, 0.0))
        else:
            record.tensors = tensors_to_bytes(tensors_of(journey.measure(state, errand.image, errand.mask)))
            spent += torch.tensor([clock.seconds.get(stage, 0.0) for stage in TIMED])
            # Before the commit: should that fail, the part is here already when it is sent again.
            before = [_name(pair, earlier) for earlier in range(station)]
            kept = {**state.tensors(), _SPENT: spent}
            self._scratch_of(way.group).keep(_name(pair, station), kept, instead_of=before)

    def _errand(self, journey: Journey, way: Way, pair: PartPair) -> _Errand:
        part, member = Part.from_json(pair.part), pair.member
        content = self._contents.open(way.group, member.row, member.content, member.resolution)
        mask = self._mask_of(member, part.size)  # groups, which alone have phases, have none
        return _Errand(journey, way, pair, part, in_phase(content, pair.shift), mask)

    def _state(self, errand: _Errand, station: int) -> tuple[State, Tensor]:
        """A part at a station, and the seconds spent on it before, from the last place where this node has kept it."""
        if station < 0:
            return errand.journey.depart(errand.part), torch.zeros(len(TIMED))
        tensors = self._scratch_of(errand.way.group).load(_name(errand.pair, station), self.model.device)
        if tensors is not None:
            spent = tensors.pop(_SPENT).cpu()
            return State.of(errand.part, station, tensors), spent
        state, spent = self._state(errand, station - 1)
        return self._proceed(errand, state), spent

    def _proceed(self, errand: _Errand, state: State) -> State:
        map_ = None if state.x is None else self._map_of(errand.way, state.station)
        return errand.journey.proceed(state, map_, errand.image, errand.mask)

    def _pooled(self, shard: LegShard, journey: Journey) -> Tally:
        """All that was measured at the station, in the order of the parts."""
        way, station = shard.way, shard.station

        def tallies() -> Iterator[Tally]:
            for key in sorted(self.store.list(way.folder("measure", station))):
                self.beats += 1
                for row in PARTED.decode(self.store.read(key), ("row", "member", "status", "tensors")).to_pylist():
                    if row["status"] == "done" and row["member"] not in way.dropped:
                        yield journey.tally(station, tensors_from_bytes(row["tensors"]))

        return pool(tallies())

    def _made_journey(self, way: Way) -> Journey:
        settings = Settings.from_json(way.pair.settings)
        mask = self._mask_of(way.pair, way.size)
        areas = None if mask is None else mask.areas()
        style = self._worker.style_of(way.pair, settings)
        return Journey(self.model, style, settings, way.padded_pixels, areas, kept_skips=KEPT_SKIPS)

    def _read_mask(self, pair: PlannedPair, size: tuple[int, int]) -> Mask | None:
        if pair.content_mask is None:
            return None
        labels = decode_labels(self._read(pair.content_mask), pair.content_mask, self._most_at_once)
        return Mask(labels, *size)

    def _read_map(self, way: Way, station: int) -> Map:
        key = f"{way.folder('solve', station)}{0:06d}.parquet"
        (row,) = PARTED.decode(self.store.read(key), ("tensors",)).to_pylist()
        return self._journey_of(way).map(station, tensors_from_bytes(row["tensors"]))

    def _made_scratch(self, group: str) -> Scratch:
        folder = self._contents.group_folder(group) / "features"
        return Scratch(folder, share=_SHARE_OF_DISK)


def _name(pair: PartPair, station: int) -> str:
    return f"state-{pair.row:06d}-{station}"
