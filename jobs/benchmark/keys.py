"""What is measured, under which name, and what it should reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.errors import JobError


@dataclass(frozen=True)
class Key:
    """One figure.

    Attributes:
        name: in benchmark.json and of `--only`.
        bar: what it should reach.
        at_most: whether it should stay at or below the bar, instead of at or above.
        what: it is, in words.
        seconds: that it takes on two CPU cores, roughly, for the estimate of the time left.
    """

    name: str
    bar: float
    at_most: bool
    what: str
    seconds: float

    def clears(self, value: float) -> bool:
        """Whether `value` reaches the bar."""
        return value <= self.bar if self.at_most else value >= self.bar

    def margin(self, value: float) -> float:
        """How many times better than the bar `value` is; below 1 it misses it. For decibels, of amplitudes."""
        if self.name == PSNR:
            return float(10 ** ((value - self.bar) / 20))
        return self.bar / value if self.at_most else value / self.bar

    @property
    def bar_in_words(self) -> str:
        """Such as ≥ 20."""
        return f"{'≤' if self.at_most else '≥'} {self.bar:g}"


PSNR = "psnr_bf16"

KEYS = (
    Key("transform_speedup_1024", 20, False, "15 updates at four levels: loop on features / in C×C", 90),
    Key("updates_150_over_15_1024", 1.10, True, "whole picture, 150 updates / 15", 40),
    Key("authors_way_speedup_512", 12, False, "the authors' way / ours", 40),
    Key("authors_way_speedup_1024", 15, False, "the authors' way / ours", 170),
    Key("authors_cascade_speedup_512", 20, False, "four autoencoders the authors' way / ours", 100),
    Key("over_bare_convolutions_512", 1.25, True, "ours / its convolutions alone", 8),
    Key("over_bare_convolutions_1024", 1.25, True, "ours / its convolutions alone", 25),
    Key("convolutions_of_matmul_peak_1024", 0.65, False, "FLOP/s of the convolutions / of matrix products", 20),
    Key("over_adain_512", 1.10, True, "ours at 15 updates / AdaIN on the same networks", 25),
    Key("job_of_bare_loop_local", 0.9, False, "pairs/s of the job / of a bare loop, local folder", 110),
    Key("job_of_bare_loop_s3", 0.9, False, "pairs/s of the job / of a bare loop, S3", 120),
    Key("job_speedup_over_naive_adain", 5, False, "pairs/s of the job / of an AdaIN script", 60),
    Key("table1_worst_ratio", 1, True, "worst of ours / the paper's GPU seconds", 40),
    Key(PSNR, 40, False, "bfloat16 against float32, dB", 30),
)


def chosen(names: Sequence[str] | None) -> list[Key]:
    """The keys of these names, in the order of `KEYS`; all if there are none.

    Raises:
        JobError: there is no such key; the message lists those there are.
    """
    known = [key.name for key in KEYS]
    for name in names or ():
        if name not in known:
            raise JobError(f"nothing is measured under the key {name!r}; the keys are:\n  " + "\n  ".join(known))
    return [key for key in KEYS if not names or key.name in names]
