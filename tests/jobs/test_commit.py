"""Records are committed once and replaced row by row, whoever races."""

import threading

import pytest

from jobs.commit import commit, committed_rows, recommit
from jobs.plan import PlannedPair, Shard
from jobs.records import Record
from jobs.storage import open_store


def shard_of(count):
    return Shard(
        3,
        tuple(
            PlannedPair(
                row,
                f"p{row}",
                "c",
                ("s",),
                (1.0,),
                None,
                (None,),
                None,
                None,
                f"images/p{row}.png",
                "ift",
                "photo",
                "{}",
            )
            for row in range(count)
        ),
        "f",
    )


def records_of(shard, failed=(), rows=None, actor="a"):
    records = []
    for pair in shard.pairs:
        if rows is None or pair.row in rows:
            record = Record.begin(pair, shard.fingerprint)
            record.status, record.actor = "done", actor
            if pair.row in failed:
                record.fail(ValueError("bad"))
            records.append(record)
    return records


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path))


def test_the_first_commit_stands(store):
    shard = shard_of(3)
    assert committed_rows(store, shard) is None
    commit(store, shard, records_of(shard, actor="first"))
    outcome = commit(store, shard, records_of(shard, failed={1}, actor="second"))
    assert (outcome.done, outcome.failed) == (2, 1)
    assert {row["actor"] for row in committed_rows(store, shard).values()} == {"first"}


def test_what_an_earlier_attempt_left_of_a_failed_pair_is_removed_by_the_winner_only(store):
    shard = shard_of(2)
    for pair in shard.pairs:
        store.write(pair.output, b"picture")
    commit(store, shard, records_of(shard, failed={0}))
    assert [store.exists(pair.output) for pair in shard.pairs] == [False, True]
    commit(store, shard, records_of(shard, failed={1}))
    assert store.exists(shard.pairs[1].output)


def test_only_the_rows_that_were_redone_change(store):
    shard = shard_of(4)
    commit(store, shard, records_of(shard, failed={1, 2}))
    seen = committed_rows(store, shard)
    store.write(shard.pairs[2].output, b"a wrong picture")
    outcome = recommit(store, shard, records_of(shard, rows={1, 2}, failed={2}), seen)
    assert (outcome.done, outcome.failed) == (1, 1)
    rows = committed_rows(store, shard)
    assert [rows[row]["status"] for row in range(4)] == ["done", "done", "failed", "done"]
    assert [rows[row]["attempts"] for row in range(4)] == [1, 2, 2, 1]
    assert rows[0] == seen[0] and rows[3] == seen[3]
    assert not store.exists(shard.pairs[2].output)


def test_a_record_that_changed_meanwhile_is_anothers_and_stays(store):
    shard = shard_of(2)
    commit(store, shard, records_of(shard, failed={0, 1}))
    seen = committed_rows(store, shard)
    recommit(store, shard, records_of(shard, rows={0}, actor="quick"), seen)
    store.write(shard.pairs[0].output, b"of the quick one")
    recommit(store, shard, records_of(shard, failed={0}, actor="slow"), seen)
    rows = committed_rows(store, shard)
    assert [rows[row]["actor"] for row in range(2)] == ["quick", "slow"]
    assert [rows[row]["status"] for row in range(2)] == ["done", "done"]
    assert store.exists(shard.pairs[0].output)


def test_of_many_that_redo_different_rows_none_is_lost(store):
    shard = shard_of(12)
    commit(store, shard, records_of(shard, failed=set(range(12))))
    seen = committed_rows(store, shard)

    def redo(row):
        recommit(store, shard, records_of(shard, rows={row}, actor=str(row)), seen)

    threads = [threading.Thread(target=redo, args=(row,)) for row in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = committed_rows(store, shard)
    assert {row: (rows[row]["status"], rows[row]["actor"]) for row in rows} == {
        row: ("done", str(row)) for row in range(12)
    }
