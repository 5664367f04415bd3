"""Which function measures which key."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from jobs.benchmark import model_keys
from jobs.benchmark.bench import Bench
from jobs.benchmark.figure import Figure
from jobs.benchmark.job_keys import JobBench
from jobs.benchmark.keys import PSNR
from jobs.benchmark.table1 import table1


@contextmanager
def measures(bench: Bench, forced: Collection[str] = ()) -> Iterator[dict[str, Callable[[], Figure]]]:
    """What measures each of `KEYS`, by name; files of the job live until the context ends.

    Each raises NotMeasurableError where it cannot be measured, and another JobError where something went wrong.

    Args:
        bench: see `Bench`.
        forced: names of keys that are measured even where they mean little.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        yield _by_name(bench, JobBench(bench, Path(folder), 512), forced)


def _by_name(bench: Bench, job: JobBench, forced: Collection[str]) -> dict[str, Callable[[], Figure]]:
    return {
        "transform_speedup_1024": partial(model_keys.transform_speedup, bench, 1024),
        "updates_150_over_15_1024": partial(model_keys.many_updates, bench, 1024),
        "authors_way_speedup_512": partial(model_keys.over_authors_way, bench, 512),
        "authors_way_speedup_1024": partial(model_keys.over_authors_way, bench, 1024),
        "authors_cascade_speedup_512": partial(model_keys.over_authors_cascade, bench, 512),
        "over_bare_convolutions_512": partial(model_keys.over_bare_convolutions, bench, 512),
        "over_bare_convolutions_1024": partial(model_keys.over_bare_convolutions, bench, 1024),
        "convolutions_of_matmul_peak_1024": partial(model_keys.convolutions_of_matmul_peak, bench, 1024),
        "over_adain_512": partial(model_keys.over_adain, bench, 512, also=1024),
        "job_of_bare_loop_local": job.local,
        "job_of_bare_loop_s3": job.s3,
        "job_speedup_over_naive_adain": job.over_naive_adain,
        "table1_worst_ratio": partial(table1, bench),
        PSNR: partial(model_keys.psnr_of_bfloat16, bench, 512, forced=PSNR in forced),
    }
