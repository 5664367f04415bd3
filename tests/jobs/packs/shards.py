"""Shards and pictures without a model, for the tests of packs."""

from jobs.packs import Sample
from jobs.plan import PlannedPair, Shard


def shard_of(layout, rows, index=3):
    """A shard of pairs p0, p1, …, every second of which has a dot in its id; two classes."""
    return Shard(index, tuple(map(pair_of, rows)), "f", layout)


def pair_of(row):
    label = f"class {row % 2}"
    return PlannedPair(
        row, f"p{row}{'.x' * (row % 2)}", "c.png", ("s.png", "t.png"), (0.5, 0.5), None, (None, None), 64, 64,
        f"images/{label}/p{row}.png", "ift", "artistic", "{}", label,
    )  # fmt: skip


def sample_of(row):
    """What is in a pack of a row; the picture's bytes tell the row."""
    return Sample.of(pair_of(row), f"picture of {row}".encode())
