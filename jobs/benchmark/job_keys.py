"""The figures of the job: against a bare loop over the model, and against a script that is not this project."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from ift import load_image
from jobs.benchmark.bench import Bench
from jobs.benchmark.figure import Figure, Timed
from jobs.benchmark.job import JobRun, run_job, write_manifest
from jobs.benchmark.pictures import write_squares
from jobs.benchmark.scratch_s3 import scratch_prefix
from jobs.benchmark.timing import Times, alternate
from jobs.errors import JobError
from jobs.storage import open_store
from jobs.work import BATCH_ON_GPUS

_BARE_PAIRS = 32
_NAIVE_PAIRS = 24


@dataclass(frozen=True)
class Comparison:
    """A run of the job between two runs of the bare loop.

    Attributes:
        job: its run.
        bare: seconds a pair of the bare loop, before and after.
    """

    job: JobRun
    bare: Times

    @property
    def share(self) -> float:
        """Pairs/s of the job, once started, of those of the bare loop."""
        return self.bare.median / self.job.steady


class JobBench:
    """The measurements that share pictures and a run of the job.

    Args:
        bench: see `Bench`; its pairs are contents × styles, as near to a square as can be.
        folder: an empty one.
        resolution: side of the pictures in pixels.
    """

    def __init__(self, bench: Bench, folder: Path, resolution: int) -> None:
        if bench.pairs < 2:
            raise JobError("a rate needs at least two pairs: give --pairs 2 or more")
        self._bench, self._folder, self._resolution = bench, folder, resolution

    def local(self) -> Figure:
        """The job on a local folder of the bare loop."""
        return self._figure(self._local, "local")

    def s3(self) -> Figure:
        """The same with pictures and results on S3.

        Raises:
            NotMeasurableError: there is no S3.
        """
        contents, styles = self._pictures
        with scratch_prefix(self._bench.s3) as uri:
            inputs = open_store(f"{uri}/inputs")
            for path in (*contents, *styles):
                inputs.write(f"{path.parent.name}/{path.name}", path.read_bytes())
            found = self._compare("s3", f"{uri}/run", lambda path: f"{uri}/inputs/{path.parent.name}/{path.name}")
        return self._figure(found, "s3")

    def over_naive_adain(self, pairs: int = _NAIVE_PAIRS) -> Figure:
        """Pairs/s of the local job over those of `naive_adain`, in a process of its own."""
        contents, styles = self._pictures
        job = self._local.job
        self._bench.begin("the AdaIN script", 0.2)
        command = [sys.executable, "-m", "jobs.benchmark.naive_adain", contents[0].parent, styles[0].parent]
        command += [self._folder / "naive", "--pairs", pairs, "--resolution", self._resolution]
        command += ["--device", self._bench.device]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise JobError(f"the AdaIN script ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}")
        naive = Times(tuple(json.loads(done.stdout)))
        timed = (*self._timed(self._local, "local"), Timed("AdaIN script, a pair", self._resolution, naive))
        return Figure(naive.median / job.steady, timed)

    @cached_property
    def _local(self) -> Comparison:
        return self._compare("local", str(self._folder / "run"), str)

    @cached_property
    def _pictures(self) -> tuple[list[Path], list[Path]]:
        self._bench.begin("painting", 0)
        contents = math.isqrt(self._bench.pairs)
        styles = math.ceil(self._bench.pairs / contents)
        return write_squares(self._folder / "inputs", self._resolution, contents, styles)

    def _compare(self, name: str, output: str, uri: Callable[[Path], str]) -> Comparison:
        bench = self._bench
        crossed = list(itertools.islice(itertools.product(*self._pictures), bench.pairs))
        pairs = [(uri(content), uri(style)) for content, style in crossed]
        manifest = write_manifest(self._folder / f"{name}.csv", pairs)
        before = self._bare_loop(0.0)
        job = run_job(
            manifest,
            output,
            self._resolution,
            len(pairs),
            self._folder / f"{name}.log",
            lambda share: bench.begin(f"the job, {len(pairs)} pairs", 0.1 + 0.8 * share),
            gpus=bench.device.type == "cuda" or not torch.cuda.is_available(),
        )
        return Comparison(job, Times(before + self._bare_loop(0.9)))

    def _bare_loop(self, share: float) -> tuple[float, ...]:
        """Seconds a pair of the model alone, on tensors, its styles known: in batches where the job has them."""
        bench, model = self._bench, self._bench.model
        bench.begin("the bare loop", share)
        contents, styles = ([load_image(path, self._resolution) for path in paths] for paths in self._pictures)
        known = [model.style(picture) for picture in styles[:_BARE_PAIRS]]
        batch = BATCH_ON_GPUS if bench.device.type == "cuda" else 1
        turns = zip(itertools.cycle(contents), itertools.cycle(known), strict=False)
        works = [list(itertools.islice(turns, batch)) for _ in range(_BARE_PAIRS // batch)]
        loaded = itertools.cycle(
            [
                (torch.stack([picture for picture, _ in work]).to(bench.device), [style for _, style in work])
                for work in works
            ]
        )
        (times,) = alternate({"": lambda: model.stylize(*next(loaded))}, len(works), bench.device).values()
        return tuple(seconds / batch for seconds in times.seconds)

    def _figure(self, found: Comparison, place: str) -> Figure:
        rates = {"steady": found.job.steady, "whole": found.job.whole, "bare_loop": found.bare.median}
        extra = {f"job_{place}_{name}_pairs_per_s": 1 / seconds for name, seconds in rates.items()}
        return Figure(found.share, self._timed(found, place), extra)

    def _timed(self, found: Comparison, place: str) -> tuple[Timed, ...]:
        return (
            Timed("bare loop, a pair", self._resolution, found.bare),
            Timed(f"job, {place}, a pair", self._resolution, Times((found.job.steady,))),
            Timed(f"job, {place}, a pair, with its start", self._resolution, Times((found.job.whole,))),
        )
