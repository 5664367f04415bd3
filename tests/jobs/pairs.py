"""Small pictures and manifests of them, for the tests of the job."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image


def picture(path: Path, seed: int, size: tuple[int, int] = (64, 48)) -> Path:
    """A smooth random picture; the same seed gives the same one."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def stripes(path: Path, *colours: str, size: tuple[int, int] = (64, 48)) -> Path:
    """A label image: upright stripes of equal width, such as "#ff0000" for red."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.new("RGB", size)
    for place, colour in enumerate(colours):
        left, right = (size[0] * at // len(colours) for at in (place, place + 1))
        mask.paste(colour, (left, 0, right, size[1]))
    mask.save(path)
    return path


def write_manifest(folder: Path, contents: int = 4, styles: int = 2, rows: list[dict[str, str]] | None = None) -> Path:
    """Contents × styles with relative paths, and any further rows; CSV."""
    for k in range(contents):
        picture(folder / f"contents/c{k}.png", k, (64 + 8 * (k % 2), 48))
    for k in range(styles):
        picture(folder / f"styles/s{k}.png", 100 + k)
    pairs = [
        {"pair_id": f"c{c}-s{s}", "content": f"contents/c{c}.png", "style": f"styles/s{s}.png"}
        for c in range(contents)
        for s in range(styles)
    ]
    pairs += rows or []
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for pair in pairs for name in pair)), restval="")
        writer.writeheader()
        writer.writerows(pairs)
    return path


def read_run(output: Path) -> list[dict]:
    """All records of a local run, sorted by row."""
    records = [row for path in output.glob("records/*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted(records, key=lambda record: record["row"])


def assert_whole(output: Path, rows: int) -> list[dict]:
    """Every pair has exactly one record, every done one its picture with the recorded bytes; nothing else is there."""
    records = read_run(output)
    assert [record["row"] for record in records] == list(range(rows))
    promised = {record["output"]: record["sha256"] for record in records if record["status"] == "done"}
    found = {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in output.glob("images/**/*")
        if path.is_file()
    }
    assert found == promised
    assert not any(path.is_file() for path in output.glob(".partial/**/*"))
    return records
