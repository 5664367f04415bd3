"""What is done to a picture, step by step, and how far each step reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ift.network_shape import BODY, MULTIPLE
from ift.settings import Settings

Action = Literal["encode", "transform", "decode", "bound", "crop", "guide", "recolour"]


ENCODER_COST: dict[int, float] = {1: 30, 2: 90, 3: 65, 4: 130}
DECODER_COST: dict[int, float] = {1: 30, 2: 110, 3: 70, 4: 130}
"""Of a stage and of a block, for a pixel of the picture, in proportion to each other: what tells how far a tour is."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        action: `encode` to a level, `transform` there, `decode` from it; `bound` a decoded picture to [0, 1]; `crop`
            it to its real size; `guide` it along the content's edges; `recolour` it as the content.
        level: N, 1 to 4, of those that have one.
    """

    action: Action
    level: int = 0

    @property
    def is_station(self) -> bool:
        """Whether it needs statistics of all that shares them."""
        return self.action in ("transform", "recolour")

    @property
    def cost(self) -> float:
        """What it takes of the time, in proportion to other steps; all but convolutions is little."""
        tables = {"encode": ENCODER_COST, "decode": DECODER_COST}
        return tables[self.action][self.level] if self.action in tables else 1.0


def steps_of(settings: Settings) -> tuple[Step, ...]:
    """All steps from the content to the result."""
    form = _cascade if settings.form == "cascade" else _single_pass
    steps = form(settings) * (settings.n_iter if settings.iterate == "pass" else 1)
    steps.append(Step("crop"))
    if settings.guided_radius:
        steps.append(Step("guide"))
    if settings.keep_colours:
        steps.append(Step("recolour"))
    return tuple(steps)


def margins(steps: tuple[Step, ...], settings: Settings) -> tuple[int, ...]:
    """Before each step, and at the end: pixels around a core that its result depends on, multiples of 8."""
    needed = [0]
    for step in reversed(steps):
        needed.append(_reach(step, needed[-1], settings))
    return tuple(_up(margin, MULTIPLE) for margin in reversed(needed))


def encoder_reach() -> int:
    """Pixels around a core on which its features at relu4_1 depend, and so those before them."""
    steps = tuple(Step("encode", level) for level in (1, 2, 3, 4))
    return margins(steps, Settings())[0]


def skip_reach(level: int, margin: int) -> int:
    """Pixels around a core on which the skip of the encoder's stage N depends, which is needed that far around it."""
    cell = 2 ** (level - 2)
    reach = _up(margin, 2 * cell) + cell * (3 if level == 4 else 1)
    for below in range(level - 1, 0, -1):
        reach = _reach(Step("encode", below), reach, Settings())
    return _up(reach, MULTIPLE)


def _single_pass(settings: Settings) -> list[Step]:
    """Encode once and decode once, with a transformation at each level on the way."""
    steps: list[Step] = []
    encoding = settings.direction == "fine_to_coarse"
    for level in (1, 2, 3, 4):
        steps += [Step("encode", level), *(_transform(level, settings) if encoding else [])]
    for level in (4, 3, 2, 1):
        steps += [*([] if encoding else _transform(level, settings)), Step("decode", level)]
    return [*steps, Step("bound")]


def _cascade(settings: Settings) -> list[Step]:
    """The four autoencoders, each on the last one's picture, with one transformation at its deepest level."""
    steps: list[Step] = []
    for level in (4, 3, 2, 1) if settings.direction == "coarse_to_fine" else (1, 2, 3, 4):
        if settings.leaves(level):
            continue  # an autoencoder that transforms nothing would only lose detail
        steps += [Step("encode", stage) for stage in range(1, level + 1)]
        steps += _transform(level, settings)
        steps += [Step("decode", block) for block in range(level, 0, -1)]
        steps.append(Step("bound"))
    return steps


def _transform(level: int, settings: Settings) -> list[Step]:
    return [] if settings.leaves(level) else [Step("transform", level)]


def _reach(step: Step, margin: int, settings: Settings) -> int:
    """What a step needs around a core so that its result is right `margin` pixels around it."""
    if step.action == "encode":
        if step.level == 1:
            return margin + 1
        cell = 1 << (step.level - 1)  # of the result; before the pooling half of that
        return _up(margin, cell) + cell + cell // 2 * (3 if step.level == 4 else 1)
    if step.action == "decode":
        if step.level == 1:
            return margin + 1
        cell = 1 << (step.level - 2)  # of the result; of what is enlarged twice that
        return _up(_up(margin, cell) + cell * BODY[step.level], 2 * cell) + 2 * cell + 2 * cell
    if step.action == "transform" and settings.method[step.level - 1] == "avatar":
        return _up(margin, 8) + 4 * 8  # patches of 5×5 cells that overlap
    return margin + (2 * settings.guided_radius if step.action == "guide" else 0)


def _up(margin: int, cell: int) -> int:
    return -(-margin // cell) * cell
