"""`python -m tests.jobs.report.opening`: what a report of many pairs costs to write, and to open in Chromium."""

import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from jobs.report.renditions import PICTURES_MB
from jobs.report.write import report_page
from tests.jobs.report.browser import chromium, opened
from tests.jobs.report.evaluated import MadeUpPictures, evaluated

_TIMING = """() => {
    const { loadEventEnd, domInteractive } = performance.getEntriesByType("navigation")[0];
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return { paint: paint && paint.startTime, interactive: domInteractive, load: loadEventEnd };
}"""


def main(
    pairs: int = 10_000,
    size: Annotated[int, typer.Option(help="Longer side of the pictures in pixels.")] = 256,
    pictures_mb: float = PICTURES_MB,
    times: Annotated[int, typer.Option(help="How often it is opened.")] = 5,
):
    table = evaluated(pairs, methods=("ift", "wct", "adain"), counts=(100, 50), failed=20)
    source = MadeUpPictures(size)
    started = time.perf_counter()
    page = report_page(table, source, title="made up", pictures_mb=pictures_mb)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{page.pairs} pairs, {page.pictured} with pictures: {seconds:.1f} s, peak {memory:.0f} MB of memory")
    with TemporaryDirectory() as folder, chromium() as browser:
        (path := Path(folder, "report.html")).write_text(page.html, encoding="utf-8")
        print(f"{path.stat().st_size / 1e6:.1f} MB")
        for _ in range(times):
            seen = opened(browser, path, viewport={"width": 1280, "height": 900})
            seen.page.wait_for_load_state("load")
            print({name: f"{value:.0f} ms" for name, value in seen.page.evaluate(_TIMING).items() if value})
            seen.page.close()


if __name__ == "__main__":
    typer.run(main)
