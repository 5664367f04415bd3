"""All parts of all pictures that share their statistics, through all stations, in constant memory.

Of all parts that may go on, the one that has come furthest does. So a group that is pooled over all its pictures goes
station by station, and one that is pooled over a window of frames never has more of them on their way than it must.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ift.journey import Journey, State
from ift.part import Part
from ift.parts.grid import Picture, window_of
from ift.parts.scratch import Scratch
from ift.tallies import Map, Tally, pool, tensors_of

Progress = Callable[[float], None]
"""Called with the megapixels of results that the work done since the last call amounts to."""


@dataclass(frozen=True)
class Leg:
    """A part on its way to a station; the number of stations stands for the end."""

    index: int
    station: int


@dataclass
class Tour:
    """The parts of pictures on their way.

    Args:
        journey: the way.
        pictures: in their order.
        parts: of each picture.
        scratch: for what waits.
        reach: how many pictures before and after one share its map; None for all of them.
        phases: so many pictures in a row are one in several phases, and count as one for `reach`.
        progress: told of what is done.
    """

    journey: Journey
    pictures: Sequence[Picture]
    parts: Sequence[Sequence[Part]]
    scratch: Scratch
    reach: int | None = None
    phases: int = 1
    progress: Progress = lambda megapixels: None
    _held: State | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._all = [(number, part) for number, parts in enumerate(self.parts) for part in parts]
        ends = torch.tensor([len(parts) for parts in self.parts]).cumsum(0).tolist()
        self._firsts, self._ends = [0, *ends[:-1]], ends
        # How many parts have arrived at each station, and at the end.
        self._arrived = [0] * (self.journey.stations + 1)
        self._map = lru_cache(maxsize=2 * (self.journey.stations + 1))(self._solved)

    def run(self) -> None:
        """To the end: every part of the result is written.

        Raises:
            ImageError: a picture cannot be read or a result not be written.
            DivergenceError: the fixed step did not lower the objective.
        """
        while (leg := self._next()) is not None:
            self._go(leg)

    def measure(self) -> list[tuple[Tally, Map]]:
        """As far as the last station; of the pictures together, what was counted at each, and its map."""
        while (leg := self._next()) is not None and leg.station < self.journey.stations:
            self._go(leg)
        return [(self._pooled(0, station), self._map(0, station)) for station in range(self.journey.stations)]

    def _next(self) -> Leg | None:
        for station in range(self.journey.stations, 0, -1):
            index, before = self._arrived[station], self._arrived[station - 1]
            if index < before and self._pool(self._all[index][0] // self.phases)[1] <= before:
                return Leg(index, station)
        return Leg(self._arrived[0], 0) if self._arrived[0] < len(self._all) else None

    def _pool(self, picture: int) -> tuple[int, int]:
        """The first part, and the end, of all that share the map of a picture, its phases counted as one."""
        if self.reach is None:
            return 0, len(self._all)
        first, last = max(0, picture - self.reach), min(len(self.parts) // self.phases - 1, picture + self.reach)
        return self._firsts[first * self.phases], self._ends[last * self.phases + self.phases - 1]

    def _go(self, leg: Leg) -> None:
        number, part = self._all[leg.index]
        picture, last = self.pictures[number], self.journey.stations
        image = _window(picture, part)
        if not self._done(leg):
            state = self._state(leg.index, leg.station - 1, image)
            state = self._proceed(state, number, image)
            if leg.station == last:
                box = part.inside
                picture.write(box, self.journey.picture(state)[0])
                self.scratch.keep(_done(leg.index), {}, must=True)
            else:
                tally = self.journey.measure(state, image, picture.mask)
                # The state first: a tally says that all was done.
                self._keep(leg, state)
                self.scratch.keep(_tally(leg), tensors_of(tally), must=True)
        self._arrived[leg.station] += 1
        self._forget(leg)
        self.journey.rest()
        self.progress(self.journey.share(leg.station) * part.inside.height * part.inside.width / 1e6)

    def _done(self, leg: Leg) -> bool:
        """Whether an earlier tour has been there."""
        return _done(leg.index) in self.scratch or (leg.station < self.journey.stations and _tally(leg) in self.scratch)

    def _proceed(self, state: State, number: int, image: Callable[[], Tensor]) -> State:
        map_ = None if state.x is None else self._map(self._key(number), state.station)
        return self.journey.proceed(state, map_, image, self.pictures[number].mask)

    def _state(self, index: int, station: int, image: Callable[[], Tensor]) -> State:
        """A part at a station, as it was kept, or by going there once more from the last place where it was."""
        number, part = self._all[index]
        held, self._held = self._held, None
        if station < 0:
            return self.journey.depart(part)
        if held is not None and held.part is part and held.station == station:
            return held
        del held
        tensors = self.scratch.load(_state(Leg(index, station)), self.journey.model.device)
        if tensors is not None:
            return State.of(part, station, tensors)
        return self._proceed(self._state(index, station - 1, image), number, image)

    def _keep(self, leg: Leg, state: State) -> None:
        if len(self._all) == 1:
            self._held = state
            return
        before = [_state(Leg(leg.index, station)) for station in range(leg.station)]
        self.scratch.keep(_state(leg), state.tensors(), instead_of=before)

    def _forget(self, leg: Leg) -> None:
        """Lets go of what nobody will ask for any more."""
        number = self._all[leg.index][0]
        picture, phase = divmod(number, self.phases)
        complete = leg.index + 1 == self._ends[number] and phase == self.phases - 1
        if leg.station == self.journey.stations:
            for station in range(leg.station):
                self.scratch.drop(_state(Leg(leg.index, station)))
                if self.reach is not None and complete:
                    self.scratch.drop(_map(picture, station))
        if leg.station == 0 or self.reach is None:
            return
        if complete and picture >= self.reach:
            first = (picture - self.reach) * self.phases
            for index in range(self._firsts[first], self._ends[first + self.phases - 1]):
                self.scratch.drop(_tally(Leg(index, leg.station - 1)))

    def _key(self, number: int) -> int:
        """Pictures of one key have one map."""
        return 0 if self.reach is None else number // self.phases

    def _solved(self, key: int, station: int) -> Map:
        name = _map(key, station)
        tensors = self.scratch.load(name, self.journey.model.device)
        if tensors is not None:
            return self.journey.map(station, tensors)
        map_ = self.journey.solve(station, self._pooled(key, station))
        self.scratch.keep(name, tensors_of(map_), must=True)
        return map_

    def _pooled(self, key: int, station: int) -> Tally:
        first, end = self._pool(key)
        return pool(self._tally(Leg(index, station)) for index in range(first, end))

    def _tally(self, leg: Leg) -> Tally:
        tensors = self.scratch.load(_tally(leg), self.journey.model.device)
        if tensors is None:  # damaged: it is counted once more
            number, part = self._all[leg.index]
            image, mask = _window(self.pictures[number], part), self.pictures[number].mask
            tally = self.journey.measure(self._state(leg.index, leg.station, image), image, mask)
            self.scratch.keep(_tally(leg), tensors_of(tally), must=True)
            return tally
        return self.journey.tally(leg.station, tensors)


def tour_name(journey: Journey, parts: Sequence[Sequence[Part]], reach: int | None) -> Mapping[str, Any]:
    """All of a tour that can be told in short, to know it again."""
    return {
        "settings": journey.settings.to_json(),
        "dtype": str(journey.model.dtype),
        "parts": [[part.to_json() for part in each] for each in parts],
        "reach": reach,
    }


def _window(picture: Picture, part: Part) -> Callable[[], Tensor]:
    """Reads the part's window once, when it is first asked for."""
    return lru_cache(maxsize=1)(lambda: window_of(picture.pixels, part))


def _state(leg: Leg) -> str:
    return f"state-{leg.index:06d}-{leg.station}"


def _tally(leg: Leg) -> str:
    return f"tally-{leg.index:06d}-{leg.station}"


def _map(key: int, station: int) -> str:
    return f"map-{key:06d}-{station}"


def _done(index: int) -> str:
    return f"done-{index:06d}"
