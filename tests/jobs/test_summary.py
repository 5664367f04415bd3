import io
import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from jobs.records import encode_records
from jobs.storage import open_store
from jobs.summary import Summary, print_summary, quoted, summarize
from tests.jobs.recorded import START, done, failed, finish, plan_pairs


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "out"))


def printed(summary, width=200):
    text = io.StringIO()
    print_summary(summary, Console(file=text, width=width))
    return text.getvalue()


def test_a_run_half_way_is_summed_up_in_figures_words_and_json(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 10, shard_size=2, resolutions=(256,))
    finish(store, plan.shard(0))
    finish(store, plan.shard(1), {2: ValueError("no good"), 3: OSError("worse")})
    retried = [done(plan.shard(2), pair, b"x", attempts=1 + (pair.row == 4)) for pair in plan.shard(2).pairs]
    store.create(plan.record_key(2), encode_records(retried))
    summary, timings = summarize(store, plan, 1.23456)
    assert (summary.rows, summary.done, summary.failed, summary.left, summary.retried) == (10, 4, 2, 4, 1)
    assert (summary.shards, summary.shards_done, summary.editions, summary.seconds) == (5, 3, 1, 1.235)
    assert summary.errors == [
        {"type": "ValueError", "count": 1, "example": "no good"},
        {"type": "OSError", "count": 1, "example": "worse"},
    ]
    # One pair a second, as the rows' times have it.
    assert summary.pairs_per_minute == 60 and summary.seconds_left == 4
    assert summary.last_finished == "2023-11-14T22:13:25+00:00"
    assert timings["count"].to_pylist() == [4] and summary.timings == timings.to_pylist()
    read = json.loads(summary.to_json())
    assert Summary(**read) == summary and read["fingerprint"] == plan.fingerprint
    text = printed(summary)
    assert f"4 done, 2 failed, 4 left of 10 pairs in {store.uri}" in text
    assert "1 × ValueError: no good" in text and "00:04 for the 4 pairs left" in text


def test_a_run_that_has_not_begun_has_no_rate_and_no_table(store, tmp_path):
    summary, timings = summarize(store, plan_pairs(store, tmp_path, 3))
    assert (summary.done, summary.failed, summary.left) == (0, 0, 3)
    assert summary.last_finished is summary.pairs_per_minute is summary.seconds_left is None
    assert len(timings) == 0 and summary.errors == summary.timings == []
    assert printed(summary).strip() == f"0 done, 0 failed, 3 left of 3 pairs in {store.uri}"


def test_a_finished_run_has_nothing_left_to_wait_for(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 4)
    finish(store, plan.shard(0))
    summary, _ = summarize(store, plan)
    assert summary.seconds_left is None and "left" not in printed(summary)


def test_the_rate_is_that_of_the_last_ten_minutes_of_activity(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 100, shard_size=50)
    shard = plan.shard(0)
    # 40 pairs in quick succession; after a night, ten more, one every 30 seconds.
    times = [START + k for k in range(40)] + [START + 40_000 + 30 * k for k in range(10)]
    records = [done(shard, pair, b"x", finished_at=at) for pair, at in zip(shard.pairs, times, strict=True)]
    store.create(shard.record_key, encode_records(records))
    summary, _ = summarize(store, plan)
    assert summary.pairs_per_minute == 2 and summary.seconds_left == 50 * 30


def test_an_example_is_of_the_lowest_row_however_the_shards_lie(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 12, shard_size=2, resolutions=(512, 256))  # odd rows come first
    for shard in plan.iter_shards():
        finish(store, shard, {pair.row: OSError(f"row {pair.row}") for pair in shard.pairs if pair.row > 3})
    assert summarize(store, plan)[0].errors == [{"type": "OSError", "count": 8, "example": "row 4"}]


def test_kinds_of_failure_beyond_count_are_lumped_together(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 1200, shard_size=600)
    for shard in plan.iter_shards():
        store.create(
            shard.record_key,
            encode_records(failed(shard, pair, ValueError("x"), error_type=f"Error{pair.row}") for pair in shard.pairs),
        )
    summary, _ = summarize(store, plan)
    assert summary.failed == 1200
    assert summary.errors[0] == {"type": "other kinds", "count": 200, "example": "x"}
    assert [error["type"] for error in summary.errors[1:]] == ["Error0", "Error1", "Error2", "Error3"]


def test_of_many_resolutions_the_most_frequent_are_shown(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 63, resolutions=[256] * 20 + [512] * 13 + list(range(600, 630)))
    for shard in plan.iter_shards():
        store.create(shard.record_key, encode_records(done(shard, pair, b"x") for pair in shard.pairs))
    summary, timings = summarize(store, plan)
    assert len(timings) == len(summary.timings) == 32
    table, _, words = printed(summary, width=80).partition("and 26 more resolutions and presets")
    assert "256 px" in table and "512 px" in table and "63 done" in words
    assert max(map(len, table.splitlines())) <= 80


def test_what_an_error_quotes_is_no_markup_and_no_escape_sequence(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 4)
    finish(store, plan.shard(0), {0: ValueError("[/] [red]\x1b[2J\ntwo lines :smile:")})
    text = printed(summarize(store, plan)[0])
    assert r"[/] [red]\x1b[2J\ntwo lines :smile:" in text and "\x1b" not in text


@given(st.text(max_size=300))
def test_a_text_from_outside_is_printed_as_it_is_or_with_its_escapes(text):
    out = io.StringIO()
    Console(file=out, width=10_000).print(quoted(text) + "|", highlight=False, emoji=False, soft_wrap=True)
    assert out.getvalue().endswith("|\n") and out.getvalue()[:-1].isprintable()
    if text.isprintable():
        assert out.getvalue() == text + "|\n"


outcomes = st.lists(
    st.tuples(st.sampled_from(["done", "ValueError", "OSError", None]), st.integers(1, 3)), min_size=1, max_size=40
)


@pytest.mark.slow
@settings(max_examples=40)
@given(outcomes, st.integers(1, 7))
def test_figures_are_those_that_are_counted_by_hand(tmp_path_factory, rows, shard_size):
    folder = tmp_path_factory.mktemp("run")
    store = open_store(str(folder / "out"))
    plan = plan_pairs(store, folder, len(rows), shard_size=shard_size)
    counted = []
    for shard in plan.iter_shards():
        outcome = {pair.row: rows[pair.row] for pair in shard.pairs}
        if any(kind is None for kind, _ in outcome.values()):
            continue  # not committed
        records = [
            done(shard, pair, b"x", attempts=attempts)
            if kind == "done"
            else failed(shard, pair, ValueError(str(pair.row)), attempts=attempts, error_type=kind)
            for pair, (kind, attempts) in ((pair, outcome[pair.row]) for pair in shard.pairs)
        ]
        store.create(shard.record_key, encode_records(records))
        counted += [(row, *outcome[row]) for row in outcome]
    summary, timings = summarize(store, plan)
    kinds = Counter(kind for _, kind, _ in counted)
    count = kinds.pop("done", 0)
    assert (summary.done, summary.failed) == (count, kinds.total())
    assert summary.left == len(rows) - len(counted)
    assert summary.retried == sum(attempts > 1 for _, _, attempts in counted)
    assert {error["type"]: error["count"] for error in summary.errors} == dict(kinds)
    for error in summary.errors:
        assert error["example"] == str(min(row for row, kind, _ in counted if kind == error["type"]))
    assert pa.compute.sum(timings["count"]).as_py() == (count or None)
    times = sorted(START + row for row, _, _ in counted)
    if len(times) > 1:
        assert summary.pairs_per_minute == pytest.approx(60 * (len(times) - 1) / np.ptp(times), abs=0.001)
