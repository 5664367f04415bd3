"""Runs without a model: a plan, and records and pictures as a worker would leave them, the latter of a few bytes."""

import csv
import hashlib

from jobs.manifest import Defaults
from jobs.plan import prepare_plan
from jobs.records import STAGES, Record, encode_records

START = 1.7e9  # seconds since 1970


def plan_pairs(store, folder, count, *, shard_size=4, resolutions=(256,)):
    """The plan of `count` pairs named p0, p1, …; their contents are never read."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["pair_id", "content", "style", "resolution"])
        writer.writerows([f"p{k}", "c.png", "s.png", resolutions[k % len(resolutions)]] for k in range(count))
    return prepare_plan(
        store, str(manifest), Defaults(), weights="w" * 64, image_format="png", quality=95, shard_size=shard_size
    ).plan


def done(shard, pair, data, **changes):
    """The record of a pair with the picture `data`; a second of work for each row before it, and one of its own."""
    record = Record.begin(pair, shard.fingerprint)
    record.status, record.output = "done", pair.output
    record.bytes, record.sha256 = len(data), hashlib.sha256(data).hexdigest()
    record.width, record.height = 200, 100
    record.finished_at = START + pair.row
    record.seconds = dict.fromkeys(STAGES, 0.5)
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def failed(shard, pair, error, **changes):
    """The record of a pair that failed."""
    record = Record.begin(pair, shard.fingerprint)
    record.fail(error)
    record.finished_at = START + pair.row
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def picture_of(pair):
    """Some bytes, other ones for each pair."""
    return f"picture of {pair.pair_id}".encode()


def finish(store, shard, errors=None):
    """Does a shard: a picture and a record for each pair, a failed record for the rows of `errors`."""
    records = []
    for pair in shard.pairs:
        if errors and pair.row in errors:
            records.append(failed(shard, pair, errors[pair.row]))
        else:
            store.write(pair.output, picture_of(pair))
            records.append(done(shard, pair, picture_of(pair)))
    assert store.create(shard.record_key, encode_records(records))
    return records


def contents(store):
    """All objects of a store, by key."""
    return {key: store.read(key) for key in store.list("")}
