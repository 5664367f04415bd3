"""Pictures stylized in parts: exactly, or with statistics from a sample of the parts."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Sequence
from functools import partial, reduce
from operator import add

from ift.allocator import MemoryCeiling, MemoryLimit, resident_bytes
from ift.errors import SettingsError
from ift.journey import Journey, Networks
from ift.moments import Moments
from ift.network_shape import padded_size
from ift.part import Part
from ift.parts.grid import Picture, window_of
from ift.parts.phases import in_phases
from ift.parts.scratch import Scratch
from ift.parts.tour import Progress, Tour, tour_name
from ift.settings import Settings
from ift.stopwatch import Stopwatch
from ift.style import Style
from ift.tallies import Map, Tally, pool
from ift.tiling import parts_of

KEPT_SKIPS = (4,)
"""The skip of stage 4 costs nearly all of the encoder and little room; the others are made again in less time than it
takes to write and read them."""


def journey_of(
    model: Networks, pictures: Sequence[Picture], style: Style, settings: Settings, stopwatch: Stopwatch | None = None
) -> Journey:
    """The way of pictures that share their statistics.

    Raises:
        SettingsError: the method works on whole pictures only, or style, masks and method do not go together.
    """
    masks = [picture.mask for picture in pictures]
    if any(mask is None for mask in masks) and any(mask is not None for mask in masks):
        raise SettingsError("some pictures of the group have masks and some have none: give all or none")
    areas = None
    if masks[0] is not None:
        areas = dict(reduce(add, (Counter(mask.areas()) for mask in masks if mask is not None)))
    sizes = [padded_size(picture.pixels.height, picture.pixels.width) for picture in pictures]
    pixels = sum(height * width for height, width in sizes) / len(sizes)
    return Journey(model, style, settings, pixels, areas, kept_skips=KEPT_SKIPS, stopwatch=stopwatch)


def stylize_in_parts(
    model: Networks,
    pictures: Sequence[Picture],
    style: Style,
    settings: Settings,
    scratch: Scratch,
    *,
    tile: int | None = None,
    reach: int | None = None,
    sample: int | None = None,
    phases: int = 1,
    identity: str = "",
    progress: Progress = lambda megapixels: None,
    memory: int | None = None,
) -> dict[str, float]:
    """Stylizes pictures that share their statistics, part by part, each part as it would be in the whole.

    Args:
        model: the networks.
        pictures: to be read from, and written to; one, or a group in its order.
        style: for all of them.
        settings: all but NST, which optimises whole pictures.
        scratch: for what waits. A tour that was broken off goes on there.
        tile: the longest side of a part, in pixels, a multiple of 8; None for whole pictures.
        reach: for long sequences, how many pictures before and after one share its statistics; None for all.
        sample: so many of the parts are measured, instead of all; None for the exact statistics.
        phases: from how many places of the networks' 8-pixel lattice each picture is stylized, all with one map, and
            the results averaged (`ift.parts.phases`). With more than one, a tour that was broken off begins again.
        identity: all that decides the result beside settings and parts, such as files and their times of change.
        progress: told of what is done.
        memory: bytes that the whole process may hold; the tiles must be such that it can.

    Returns:
        With a sample, for each level how far its second moment is from that of all parts, as a share of it.

    Raises:
        SettingsError: the method, masks, style or tile do not fit.
        ImageError: a picture cannot be read, or a result not be written.
        DivergenceError: the fixed step did not lower the objective.
    """
    if sample is not None and (sample < 1 or reach is not None):
        raise SettingsError("a sample needs 1 part or more, and goes with one map for all pictures")
    journey = journey_of(model, pictures, style, settings)
    pictures = in_phases(pictures, phases)
    if phases > 1:  # what is averaged is held in memory, so there is nothing that a later tour could go on with
        identity = f"{identity} {uuid.uuid4()}"
    journey.rest = (MemoryLimit() if memory is None else MemoryCeiling(_ceiling(memory))).enforce
    parts = [parts_of(each.pixels.height, each.pixels.width, tile, journey.halo) for each in pictures]
    scratch.begin({**tour_name(journey, parts, reach), "sample": sample, "identity": identity})
    tour = partial(Tour, journey, scratch=scratch)
    told = progress if phases == 1 else lambda megapixels: progress(megapixels / phases)
    if sample is None or sample >= sum(map(len, parts)):
        tour(pictures, parts, reach=reach, phases=phases, progress=told).run()
        return {}
    chosen = _sample(parts, sample)
    solved = tour([pictures[number] for number in chosen], list(chosen.values())).measure()
    measured = _straight_through(journey, pictures, parts, [map_ for _, map_ in solved], told)
    errors = {}
    for station, ((tally, _), whole) in enumerate(zip(solved, measured, strict=True)):
        if isinstance(tally, Moments) and isinstance(whole, Moments):
            errors[journey.name(station)] = float(whole.distance(tally).max())
    return errors


def _ceiling(memory: int) -> int:
    """What the process may hold when a step begins, so that there is room for the step."""
    return resident_bytes() + max(memory - resident_bytes(), 0) // 3


def _sample(parts: Sequence[Sequence[Part]], count: int) -> dict[int, list[Part]]:
    """Some parts by the number of their picture, always the same ones."""
    everything = [(number, part) for number, each in enumerate(parts) for part in each]
    drawn = sorted(random.Random(0).sample(range(len(everything)), count))  # noqa: S311 (no secret)
    chosen: dict[int, list[Part]] = {}
    for number, part in (everything[index] for index in drawn):
        chosen.setdefault(number, []).append(part)
    return chosen


def _straight_through(
    journey: Journey,
    pictures: Sequence[Picture],
    parts: Sequence[Sequence[Part]],
    maps: Sequence[Map],
    progress: Progress,
) -> list[Tally]:
    """Every part from the start to the end, since all maps are known; what all of them together count to."""
    tallies: list[Tally] = []
    for picture, each in zip(pictures, parts, strict=True):
        for part in each:
            image = partial(window_of, picture.pixels, part)
            state = journey.proceed(journey.depart(part), None, image, picture.mask)
            counted = []
            for map_ in maps:
                counted.append(journey.measure(state, image, picture.mask))
                state = journey.proceed(state, map_, image, picture.mask)
            tallies = [pool(both) for both in zip(tallies, counted, strict=True)] if tallies else counted
            picture.write(part.inside, journey.picture(state)[0])
            journey.rest()
            progress(part.inside.height * part.inside.width / 1e6)
    return tallies
