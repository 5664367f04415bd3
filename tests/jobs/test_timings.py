import numpy as np

from jobs.records import STAGES, Record, decode_records, encode_records
from jobs.timings import timing_table


def records(rows):
    return decode_records(encode_records(rows))


def done(row, resolution, seconds, preset="photo"):
    stages = dict.fromkeys(STAGES, 0.0) | {"encoder": seconds, "total": 2 * seconds}
    return Record(
        str(row), row, "done", "ift", preset, "f", width=1000, height=500, resolution=resolution, seconds=stages
    )


def test_one_row_per_resolution_and_preset_with_the_quantiles_that_numpy_gives():
    times = [0.1, 0.2, 0.3, 0.4, 1.5]
    rows = [done(k, 256, t) for k, t in enumerate(times)] + [done(9, 512, 2.0), done(10, 512, 3.0, "artistic")]
    failed = Record("x", 11, "failed", "ift", "photo", "f", resolution=1024)
    table = timing_table(records([*rows, failed])).to_pylist()
    assert [(row["resolution"], row["preset"], row["count"]) for row in table] == [
        (256, "photo", 5),
        (512, "artistic", 1),
        (512, "photo", 1),
    ]
    first = table[0]
    for name, quantile in (("p50", 50), ("p90", 90), ("p99", 99)):
        assert first[f"encoder_{name}_s"] == np.percentile(times, quantile)
        assert first[f"total_{name}_s"] == 2 * np.percentile(times, quantile)
    assert first["pairs_per_s"] == 5 / sum(times)
    assert first["megapixels_per_s"] == 0.5 * 5 / sum(times)


def test_no_pictures_no_rows():
    assert len(timing_table(records([]))) == 0
