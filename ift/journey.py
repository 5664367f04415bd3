"""A picture's way through the model, from station to station: whole, or in parts that share their statistics.

A station is where statistics of the whole are needed: a transformation, which needs the moments of the content's
features there, or the last touch of `keep_colours`. Between stations every part goes its own way. So

    measure every part  →  pool  →  solve one map  →  every part goes on through it

gives parts the result that the whole picture would have, and the frames of a group one map. A picture in one piece
goes the same way, as its only part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import Protocol

import torch
from torch import Tensor

from ift.affine import AffineMap
from ift.box import Box
from ift.content_colours import Lightness, LightnessCurve, with_colours_of
from ift.content_mask import Mask
from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.errors import SettingsError
from ift.guided_filter import GUIDED_EPSILON, guided_filter
from ift.moments import Moments
from ift.part import Part
from ift.regions import Regions
from ift.settings import LEVELS, WITHOUT_MASKS, Settings
from ift.steps import ENCODER_COST, Step, margins, skip_reach, steps_of
from ift.stopwatch import Stopwatch
from ift.style import Style, Target
from ift.tallies import Decoration, Map, Tally
from ift.transformations import transformation
from ift.transformations.style_decorator import decorate


class Networks(Protocol):
    """A model: its encoder and decoder, and where and in what precision they compute."""

    encoder: Encoder
    decoder: Decoder
    device: torch.device
    dtype: torch.dtype


@dataclass
class State:
    """Where a part is on its way.

    Attributes:
        part: of a picture.
        station: the one where it is, or the number of stations at the end.
        x: (B, C, h, w) features or picture; None before the start.
        skips: by their level.
    """

    part: Part
    station: int
    x: Tensor | None
    skips: dict[int, Tensor]

    @classmethod
    def of(cls, part: Part, station: int, tensors: Mapping[str, Tensor]) -> State:
        """From what `tensors` gave."""
        skips = {int(name.removeprefix("skip.")): tensor for name, tensor in tensors.items() if name != "x"}
        return cls(part, station, tensors.get("x"), skips)

    def tensors(self) -> dict[str, Tensor]:
        """All that is to be kept of it, by name."""
        skips = {f"skip.{level}": skip for level, skip in self.skips.items()}
        return skips if self.x is None else {"x": self.x, **skips}


class Journey:
    """The way of all pictures that share their statistics.

    Args:
        model: the networks.
        style: one for all, or, for a batch of whole pictures, one for each.
        settings: which way, and what happens at the stations.
        pixels: of a picture as padded; on average, where several share their statistics.
        areas: pixels of each label in all the pictures together; None without masks.
        kept_skips: of which levels the skips are kept at a station; the others are computed again from the content
            where they are needed, in less time than it takes to store them. All are kept where a transformation
            before them would have to be repeated as well.
        stopwatch: adds up the seconds of the stages `encoder`, `transform` and `decoder`.
        rest: called between steps, where memory that is kept may be given back.

    Attributes:
        stations: how many there are.
        halo: pixels around the core of a part that its result depends on, a multiple of 8.
        labels: of the regions with a map of their own, the batch of tallies and maps; None without masks.

    Raises:
        SettingsError: the method works on whole pictures only, or style, masks and method do not go together.
    """

    def __init__(
        self,
        model: Networks,
        style: Style | Sequence[Style],
        settings: Settings,
        pixels: float,
        areas: Mapping[int, float] | None = None,
        *,
        kept_skips: Sequence[int] = (2, 3, 4),
        stopwatch: Stopwatch | None = None,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        styles = [style] if isinstance(style, Style) else list(style)
        if "nst" in settings.method:
            raise SettingsError("nst optimises whole pictures: it cannot work in tiles, nor on groups")
        self.model, self.styles, self.settings = model, styles, settings
        self.stopwatch = stopwatch or Stopwatch(model.device)
        self.rest = rest
        self._values: tuple[int, ...] = ()
        self._last: tuple[Mask, Box, Regions] | None = None
        self.labels: tuple[int, ...] | None = None
        if areas is not None:
            if set(WITHOUT_MASKS) & set(settings.method):
                raise SettingsError(f"{' and '.join(WITHOUT_MASKS)} take no masks: choose another method")
            self._values = tuple(sorted(areas))
            self._target, self.labels = Target.of_regions(styles[0], dict(areas))
        else:
            most = max(len(picture.moments[0]) for each in styles for picture in each.pictures)
            if most > 1:
                raise SettingsError(f"a style in {most} regions needs the content's mask beside its own: give labels")
            self._target = Target.of_pictures(styles)
        self._pixels = pixels
        self._steps = steps_of(settings)
        self._margins = margins(self._steps, settings)
        self._places = [index for index, step in enumerate(self._steps) if step.is_station]
        self.stations = len(self._places)
        self.halo = self._margins[0]
        plain = settings.form == "single_pass" and settings.direction == "coarse_to_fine"
        once = settings.n_iter == 1 or settings.iterate == "level"
        self._kept_skips = tuple(kept_skips) if plain and once else (2, 3, 4)
        costs = [self._cost(step) for step in self._steps]
        ends = [0, *self._places, len(costs)]
        self._shares = [sum(costs[begin:end]) / sum(costs) for begin, end in pairwise(ends)]

    def share(self, station: int) -> float:
        """How much of all work is done on the way to a station from the one before it, or to the end."""
        return self._shares[station]

    def name(self, station: int) -> str:
        """Of its level, or of what else is done there."""
        step = self._steps[self._index(station)]
        return LEVELS[step.level - 1] if step.level else step.action

    def depart(self, part: Part) -> State:
        """The part before the first step."""
        return State(part, 0, None, {})

    def arrived(self, state: State) -> bool:
        """Whether the part is at the end of its way."""
        return state.station == self.stations and state.x is not None

    @torch.inference_mode()
    def proceed(self, state: State, map_: Map | None, image: Callable[[], Tensor], mask: Mask | None = None) -> State:
        """On to the next station, or to the end; uses up the state that it is given.

        Args:
            state: at the start, or at a station.
            map_: of the station; None at the start.
            image: gives the part's window of the content, (3, h, w) or (B, 3, h, w); called only if it is needed.
            mask: of the content.
        """
        begun = 0 if state.x is None else self._index(state.station)
        station, walk = state.station, _Walk(self, state, begun, image, mask)
        for index in range(begun, len(self._steps)):
            step = self._steps[index]
            self.rest()
            if not step.is_station:
                walk.take(step, self.wants_skip(step.level, index))
            elif index == begun and map_ is not None:
                walk.through(step, map_)
                station += 1
            else:
                return walk.state(station, self._margins[index], self._kept_skips)
        return walk.state(station, 0, ())

    @torch.inference_mode()
    def measure(self, state: State, image: Callable[[], Tensor], mask: Mask | None = None) -> Tally:
        """What a part at a station adds to the statistics: those of its core, so that all parts make the whole."""
        assert state.x is not None
        index, part = self._index(state.station), state.part
        step, extent = self._steps[index], self.extent(part, index)
        if step.action == "recolour":
            result = _cut(state.x, part.inside.seen_from(extent))
            return Lightness.of(result, self.original(image(), part, part.inside))
        with self.stopwatch.stage("transform"):
            x = _cut(state.x, part.core.seen_from(extent).over(2 ** (step.level - 1)))
            if self.labels is None:
                return Moments.of(x)
            return self.regions(part.core, mask).moments(x, step.level, self.labels)

    @torch.inference_mode()
    def solve(self, station: int, tally: Tally) -> Map:
        """The map of a station.

        Args:
            station: from 0 on.
            tally: of all parts, pooled.

        Raises:
            DivergenceError: the fixed step did not lower the objective.
        """
        if isinstance(tally, Lightness):
            return tally.curve()
        level, settings = self._steps[self._index(station)].level, self.settings
        if self.labels == ():  # no region has a partner: all stays as it is
            return AffineMap(tally.covariance)
        if settings.method[level - 1] == "avatar":
            return Decoration(tally.count, tally.mean, tally.covariance)
        with self.stopwatch.stage("transform"):
            # λ is that of a picture, however many share their statistics, or however small a share was counted.
            pixels = torch.full_like(tally.count, self._pixels / 4 ** (level - 1))
            return transformation(tally, self._target.at(level), self._target.weights, level, settings, pixels)

    def picture(self, state: State) -> Tensor:
        """The result of a part that has arrived: (B, 3, h, w) float32 in [0, 1], the pixels of `part.inside`."""
        assert state.x is not None
        return state.x

    def tally(self, station: int, tensors: Mapping[str, Tensor]) -> Tally:
        """From what `tensors_of` gave of one, on the model's device."""
        kind = Lightness if self._steps[self._index(station)].action == "recolour" else Moments
        return kind(**{name: tensor.to(self.model.device) for name, tensor in tensors.items()})

    def map(self, station: int, tensors: Mapping[str, Tensor]) -> Map:
        """From what `tensors_of` gave of one, on the model's device."""
        step = self._steps[self._index(station)]
        kinds = {"recolour": LightnessCurve, "transform": AffineMap}
        avatar = step.action == "transform" and self.settings.method[step.level - 1] == "avatar"
        kind = Decoration if avatar else kinds[step.action]
        made: Map = kind(**{name: tensor.to(self.model.device) for name, tensor in tensors.items()})
        return made

    def input(self, image: Tensor, box: Box, part: Part) -> Tensor:
        """(B, 3, h, w) of a box in the part's window, as the networks take it."""
        batch = image if image.dim() == 4 else image.unsqueeze(0)
        cut = _cut(batch, box.seen_from(part.window))
        return cut.to(self.model.device, self.model.dtype).contiguous(memory_format=torch.channels_last)

    def original(self, image: Tensor, part: Part, box: Box) -> Tensor:
        """(B, 3, h, w) float32 of a box in the part's window."""
        batch = image if image.dim() == 4 else image.unsqueeze(0)
        return _cut(batch, box.seen_from(part.window)).to(self.model.device, torch.float32)

    def regions(self, box: Box, mask: Mask | None) -> Regions:
        """The regions of a box; the last ones are remembered."""
        if mask is None:
            raise SettingsError("a journey with label areas needs the content's mask at each station")
        if self._last is None or self._last[:2] != (mask, box):
            self._last = mask, box, Regions.in_box(mask, box, self._values)
        return self._last[2]

    def decorated(self, x: Tensor, content: Decoration) -> Tensor:
        """Avatar-Net's style decorator: for each picture the affine combination of its styles (eq. 30), and α."""
        alpha = self.settings.alpha[-1]
        results = []
        for index, (one, style) in enumerate(zip(torch.split(x, 1), cycle(self.styles), strict=False)):
            moments = Moments(content.count, content.mean, content.covariance)[[index]]
            result = (1 - alpha) * one
            for picture, weight in zip(style.pictures, style.weights, strict=True):
                if picture.patches is None:
                    raise SettingsError("the method avatar needs the style's patches: use style(…, patches=True)")
                result = result + alpha * weight * decorate(one, picture.patches, moments, picture.moments[-1])
            results.append(result)
        return torch.cat(results)

    def extent(self, part: Part, index: int) -> Box:
        """What of a part's picture a state holds that waits before a step."""
        extent = part.extent(self._margins[index])
        return extent.within(part.real) if self._steps[index].action == "recolour" else extent

    def wants_skip(self, level: int, index: int) -> bool:
        """Whether the skip of the encoder's stage N at a step is to be kept, for its block or for the next station."""
        later = self._steps[index + 1 :]
        here = later[: next((place for place, step in enumerate(later) if step.is_station), None)]
        return self.settings.gate > 0 and (level in self._kept_skips or Step("decode", level) in here)

    def _cost(self, step: Step) -> float:
        again = step.action == "decode" and step.level > 1 and step.level not in self._kept_skips
        if not again or self.settings.gate == 0:
            return step.cost
        return step.cost + sum(ENCODER_COST[below] for below in range(1, step.level)) + ENCODER_COST[step.level] / 2

    def _index(self, station: int) -> int:
        return self._places[station] if station < self.stations else len(self._steps)


def travel(journey: Journey, part: Part, image: Callable[[], Tensor], mask: Mask | None = None) -> Tensor:
    """The result of a picture, or of a batch of them, that goes in one piece; arguments as for `Journey.proceed`."""
    state = journey.proceed(journey.depart(part), None, image, mask)
    while not journey.arrived(state):
        map_ = journey.solve(state.station, journey.measure(state, image, mask))
        state = journey.proceed(state, map_, image, mask)
    return journey.picture(state)


class _Walk:
    """One part between two stations, or between one of them and an end."""

    def __init__(
        self, journey: Journey, state: State, begun: int, image: Callable[[], Tensor], mask: Mask | None
    ) -> None:
        self._journey, self._part, self._image, self._mask = journey, state.part, image, mask
        self._box = state.part.window
        # Each step takes the only reference to its input, and soon lets go of what may be half of all memory in use.
        self._held: list[Tensor] = []
        self._skips = state.skips
        if state.x is not None:
            self._box = journey.extent(state.part, begun)
            self._held.append(state.x)
        state.x, state.skips = None, {}

    def take(self, step: Step, with_skip: bool) -> None:
        """A step that needs no statistics."""
        journey = self._journey
        model, settings = journey.model, journey.settings
        if not self._held:
            self._held.append(journey.input(self._image(), self._box, self._part))
        match step.action:
            case "encode":
                with journey.stopwatch.stage("encoder"):
                    x, skip = model.encoder.stage(step.level, self._held.pop(), with_skip)
                if skip is not None:
                    self._skips[step.level] = skip
            case "decode":
                skip = self._skip(step.level) if settings.gate > 0 and step.level > 1 else None
                with journey.stopwatch.stage("decoder"):
                    x = model.decoder.block(step.level, self._held.pop(), skip, settings.gate)
            case "bound":
                x = self._held.pop().clamp_(0, 1)
            case "crop":
                real = self._box.within(self._part.real)
                x = _cut(self._held.pop(), real.seen_from(self._box)).float()
                self._box = real
            case "guide":
                guide = journey.original(self._image(), self._part, self._box)
                x = guided_filter(self._held.pop(), guide, settings.guided_radius, GUIDED_EPSILON).clamp_(0, 1)
            case _:
                raise AssertionError(step)
        self._held.append(x)

    def through(self, step: Step, map_: Map) -> None:
        """A station, whose map is known."""
        journey, x = self._journey, self._held.pop()
        if isinstance(map_, LightnessCurve):
            original = journey.original(self._image(), self._part, self._box)
            self._held.append(with_colours_of(x, original, map_))
            return
        # Shifted to another mean, what was 0 can come out below: flat places turn iridescent in the decoder.
        relu = journey.settings.centred
        with journey.stopwatch.stage("transform"):
            if isinstance(map_, Decoration):
                x = journey.decorated(x, map_)
                self._held.append(x.relu_() if relu else x)
            elif journey.labels is None:
                self._held.append(map_(x, relu))
            else:
                x = journey.regions(self._box, self._mask).apply(map_, x, step.level, journey.labels)
                self._held.append(x.relu_() if relu else x)

    def state(self, station: int, margin: int, kept_skips: Sequence[int]) -> State:
        """Where the part is now, cut to what is needed from here on."""
        box = self._part.extent(margin).within(self._box)
        inside = box.seen_from(self._box)
        x = self._held.pop()
        skips = {
            level: _compact(skip, inside.over(2 ** (level - 2)))
            for level, skip in self._skips.items()
            if level in kept_skips
        }
        return State(self._part, station, _compact(x, inside.over(self._box.width // x.shape[-1])), skips)

    def _skip(self, level: int) -> Tensor:
        if level in self._skips:
            return self._skips.pop(level)
        journey, box = self._journey, self._box.grown(skip_reach(level, 0)).within(self._part.window)
        with journey.stopwatch.stage("encoder"):
            x = journey.input(self._image(), box, self._part)
            for below in range(1, level):
                x, _ = journey.model.encoder.stage(below, x)
                journey.rest()
            skip = journey.model.encoder.skip(level, x)
        return _cut(skip, self._box.seen_from(box).over(2 ** (level - 2)))


def _cut(x: Tensor, box: Box) -> Tensor:
    rows, columns = box.slices
    return x[..., rows, columns]


def _compact(x: Tensor, box: Box) -> Tensor:
    """A box of it, without the memory of the rest."""
    if x.shape[-2:] == (box.height, box.width):
        return x
    return _cut(x, box).contiguous(memory_format=torch.channels_last)
