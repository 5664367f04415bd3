"""What every measurement is given: the models, the pictures, and how to time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from ift import Style, Stylizer
from jobs.benchmark.networks import Networks
from jobs.benchmark.pictures import painted, photo
from jobs.benchmark.published import GATE, N_UPD
from jobs.benchmark.timing import Times, alternate

_BUDGET_S = 60.0  # after which what takes long is not repeated any further


@dataclass
class Bench:
    """One session of measurements.

    Attributes:
        where: the device on which everything runs, the baselines too; the GPU, if there is one, if None.
        repetitions: of each call, after one that warms up; fewer of what takes long.
        pairs: of a job.
        begin: told what is about to run, and which share of the key at hand is done, 0 to 1.
        s3: URI below which a job may write; None for a server of its own.
    """

    where: str | None
    repetitions: int
    pairs: int
    begin: Callable[[str, float], None] = lambda what, share: None
    s3: str | None = None

    @cached_property
    def model(self) -> Stylizer:
        """As anyone gets it."""
        return Stylizer.from_pretrained(device=self.where)

    @property
    def device(self) -> torch.device:
        """On which everything runs."""
        return self.model.device

    @cached_property
    def float32(self) -> Stylizer:
        """The same in float32."""
        return Stylizer.from_pretrained(device=self.device, dtype=torch.float32)

    @cached_property
    def plain(self) -> Networks:
        """For what is done the authors' way. Its memory is kept by the process as the model's is, which favours it."""
        return Networks.load(self.device)

    @cached_property
    def fast(self) -> Networks:
        """The model's precision and memory format."""
        return Networks.load(self.device, self.model.dtype, torch.channels_last)

    def content(self, resolution: int) -> Tensor:
        """(3, H, W) a photo, on the device."""
        return photo(resolution).to(self.device)

    def style_picture(self, resolution: int) -> Tensor:
        """(3, H, W) a painting, on the device."""
        return painted("starry", resolution).to(self.device)

    def style(self, resolution: int) -> Style:
        """What the model keeps of that painting."""
        return self.model.style(self.style_picture(resolution))

    def ours(self, resolution: int, **options: Any) -> Callable[[], Tensor]:
        """The photo in the style of the painting, the style known: the default settings, 15 updates and no skips."""
        options = {"n_upd": N_UPD, "gate": GATE, **options}
        return partial(self.model.stylize, self.content(resolution), self.style(resolution), **options)

    def alternate(
        self,
        calls: Mapping[str, Callable[[], object]],
        part: tuple[int, int] = (0, 1),
    ) -> dict[str, Times]:
        """Times calls in turn; see `timing.alternate`.

        Args:
            calls: what is timed, by names.
            part: which of how many parts of the key this is, counted from 0.
        """
        (index, parts), total = part, (self.repetitions + 1) * len(calls)

        def begin(name: str, number: int) -> None:
            self.begin(name, (index + number / total) / parts)

        with torch.inference_mode():
            return alternate(calls, self.repetitions, self.device, begin, _BUDGET_S / parts)
