"""Evaluations that nobody ran: tables of metrics with pictures to go with them."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

from ift.metrics import METRICS
from jobs.errors import NotFoundInStoreError

SCHEMA = pa.schema(
    [
        *((name, pa.int64()) for name in ("row", "attempts", "resolution", "width", "height")),
        *((name, pa.string()) for name in ("pair_id", "status", "error_type", "error", "content", "result", "pack")),
        *((name, pa.string()) for name in ("method", "preset", "label", "ruin")),
        ("styles", pa.list_(pa.string())),
        *((name, pa.float64()) for name in METRICS),
        *((name, pa.float64()) for name in ("seconds", "finished_at")),
    ]
)


def evaluated(pairs, *, methods=("ift", "wct"), counts=(10, 7), failed=2, ruined=3, size=64, **columns):
    """Metrics of so many pairs, some of them failed and some ruined; LPIPS is not there.

    `counts` are those of contents and styles; `columns` are put in place of those that were made up.
    """
    random = np.random.default_rng(0)
    rows = np.arange(pairs)
    bad = rows >= pairs - failed
    kinds = [methods[row % len(methods)] for row in rows]
    shift = np.array([methods.index(kind) for kind in kinds])
    made = {
        "row": rows,
        "attempts": np.ones(pairs, np.int64),
        "pair_id": [f"pair-{row}" for row in rows],
        "status": ["failed" if each else "done" for each in bad],
        "error_type": ["ImageError" if each else None for each in bad],
        "error": ["content.png is damaged" if each else None for each in bad],
        "content": [f"contents/c{row % counts[0]}.png" for row in rows],
        "styles": [[f"styles/s{row // len(methods) % counts[1]}.png"] for row in rows],
        "result": [None if bad[row] else f"images/{row}.png" for row in rows],
        "method": kinds,
        "preset": ["artistic"] * pairs,
        "resolution": np.full(pairs, size),
        "width": np.full(pairs, size),
        "height": np.full(pairs, size * 3 // 4),
        "ruin": ["flat" if row < ruined else None for row in rows],
        "seconds": np.where(bad, np.nan, random.uniform(0.1, 0.2, pairs)),
        "finished_at": 1.7e9 + rows,
        "lpips": np.full(pairs, np.nan),
    }
    for name in METRICS:
        made.setdefault(name, np.where(bad, np.nan, random.beta(4, 5, pairs) + 0.1 * shift))
    made |= columns
    arrays = {
        name: pa.array(made.get(name, [None] * pairs), SCHEMA.field(name).type, from_pandas=True)
        for name in SCHEMA.names
    }
    return pa.table(arrays, SCHEMA)


class MadeUpPictures:
    """Pictures that are there for whoever asks, but for the rows named; of results, each is another one."""

    def __init__(self, size=64, missing=()):
        self.size, self.missing, self.read = size, set(missing), []

    def content(self, row, /):
        return self._picture(row["content"], 1)

    def style(self, row, number, /):
        return self._picture(row["styles"][number], 2)

    def result(self, row, /):
        if row["row"] in self.missing:
            raise NotFoundInStoreError(f"{row['result']} is gone")
        return self._picture(row["result"], 3)

    def _picture(self, name, seed):
        self.read.append(name)
        random = np.random.default_rng([seed, *name.encode()])
        coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((self.size, self.size * 3 // 4), Image.Resampling.BICUBIC)
        noisy = np.asarray(picture).astype(int) + random.integers(-12, 13, (*picture.size[::-1], 3))  # as texture is
        buffer = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "png", compress_level=1)
        return buffer.getvalue()
