import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.records import STAGES, Record, decode_records, encode_records
from jobs.timings import QUANTILES, Timings

SUMS = {"megapixels", "pairs_per_s", "megapixels_per_s"}


def records(rows):
    return decode_records(encode_records(rows))


def table(*parts):
    timings = Timings()
    for part in parts:
        timings.add(records(part))
    return timings.table()


def done(row, resolution, seconds, preset="photo"):
    stages = dict.fromkeys(STAGES, 0.0) | {"encoder": seconds, "total": 2 * seconds}
    return Record(
        str(row), row, "done", "ift", preset, "f", width=1000, height=500, resolution=resolution, seconds=stages
    )


def test_one_row_per_resolution_and_preset_with_the_quantiles_that_numpy_gives():
    times = [0.1, 0.2, 0.3, 0.4, 1.5]
    rows = [done(k, 256, t) for k, t in enumerate(times)] + [done(9, 512, 2.0), done(10, 512, 3.0, "artistic")]
    failed = Record("x", 11, "failed", "ift", "photo", "f", resolution=1024)
    first, *others = table([*rows, failed]).to_pylist()
    assert [(row["resolution"], row["preset"], row["count"]) for row in (first, *others)] == [
        (256, "photo", 5),
        (512, "artistic", 1),
        (512, "photo", 1),
    ]
    for name, percent in QUANTILES.items():
        assert first[f"encoder_{name}_s"] == pytest.approx(np.percentile(times, percent), rel=0.005)
        assert first[f"total_{name}_s"] == pytest.approx(2 * np.percentile(times, percent), rel=0.005)
        assert first[f"style_{name}_s"] == 0
    assert first["pairs_per_s"] == pytest.approx(5 / sum(times))
    assert first["megapixels_per_s"] == pytest.approx(0.5 * 5 / sum(times))
    assert first["megapixels"] == pytest.approx(0.5)


def test_no_pictures_no_rows():
    assert len(table()) == len(table([])) == 0


def test_what_took_no_time_has_no_rate():
    row = table([done(0, 256, 0.0)]).to_pylist()[0]
    assert row["pairs_per_s"] is None and row["megapixels_per_s"] is None and row["total_p99_s"] == 0


def test_times_that_a_record_lacks_count_as_none():
    record = done(0, 256, 1.0)
    record.seconds = {"total": 1.0}
    row = table([record]).to_pylist()[0]
    assert row["fetch_p50_s"] == 0 and row["total_p50_s"] == pytest.approx(1, rel=0.005)


seconds = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
measured = st.tuples(st.sampled_from([256, 512, 640]), st.sampled_from(["photo", "artistic"]), seconds)


@given(st.lists(measured, min_size=1, max_size=120))
def test_quantiles_are_those_of_numpy_to_half_a_percent(rows):
    found = table([done(k, resolution, time, preset) for k, (resolution, preset, time) in enumerate(rows)]).to_pylist()
    assert [(row["resolution"], row["preset"]) for row in found] == sorted({row[:2] for row in rows})
    for row in found:
        times = [
            time for resolution, preset, time in rows if (resolution, preset) == (row["resolution"], row["preset"])
        ]
        assert row["count"] == len(times)
        for name, percent in QUANTILES.items():
            assert row[f"encoder_{name}_s"] == pytest.approx(np.percentile(times, percent), rel=0.005)


@given(st.lists(measured, max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_parts_merged_are_the_whole(rows, cut, other):
    pairs = [done(k, resolution, time, preset) for k, (resolution, preset, time) in enumerate(rows)]
    start, stop = sorted((cut, other))
    whole, merged, rest = Timings(), Timings(), Timings()
    whole.add(records(pairs))
    merged.add(records(pairs[:start]))
    rest.add(records(pairs[start:stop]))
    rest.add(records(pairs[stop:]))
    merged.merge(rest)
    expected, found = whole.table(), merged.table()
    assert found.schema == expected.schema and len(found) == len(expected)
    for name in expected.schema.names:
        # Counts do not know their order; sums of fractions do, in the last digit.
        if name in SUMS:
            assert found[name].fill_null(-1).to_numpy() == pytest.approx(expected[name].fill_null(-1).to_numpy())
        else:
            assert found[name].to_pylist() == expected[name].to_pylist()
