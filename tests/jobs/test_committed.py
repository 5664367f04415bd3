import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.committed import Committed, committed_shards, failed_rows, iter_records
from jobs.parquet import to_parquet
from jobs.records import SCHEMA, DamagedRecordsError
from jobs.storage import open_store
from tests.jobs.recorded import finish, plan_pairs


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "out"))


@pytest.fixture
def plan(store, tmp_path):
    return plan_pairs(store, tmp_path, 22, shard_size=3)


def test_the_shards_with_a_record_object_are_told_from_all_other_names(store, plan):
    for index in (0, 3, 7):
        finish(store, plan.shard(index))
    others = [
        "records/shard-000008.parquet",  # of a plan of eight shards
        "records/shard-0000000.parquet",
        "records/shard-1.parquet",
        "records/shard-٠٠٠٠٠٢.parquet",
        "records/shard-000002.parquet.bak",
        "records/sub/shard-000002.parquet",
        "records/notes.txt",
    ]
    for key in others:
        store.write(key, b"")
    committed = committed_shards(store, plan)
    assert list(committed) == [0, 3, 7] and len(committed) == 3
    assert [index in committed for index in (-1, 0, 2, 7, 8, 10**9)] == [False, True, False, True, False, False]
    assert sorted(committed.others) == sorted(others)
    assert [shard.index for shard in plan.iter_shards(skip=committed)] == [1, 2, 4, 5, 6]


def test_nothing_is_committed_before_the_first_record(store, plan):
    committed = committed_shards(store, plan)
    assert (list(committed), len(committed), 0 in committed, committed.others) == ([], 0, False, [])


def test_records_come_in_the_order_asked_for_with_the_columns_asked_for(store, plan):
    for shard in plan.iter_shards():
        finish(store, shard)
    found = list(iter_records(store, plan, [5, 0, 7]))
    assert [index for index, _ in found] == [5, 0, 7]
    for index, table in found:
        assert table.schema == SCHEMA
        assert table["pair_id"].to_pylist() == [pair.pair_id for pair in plan.shard(index).pairs]
    some = list(iter_records(store, plan, Committed(plan, store.list("records/")), ("status", "row")))
    assert all(table.schema.names == ["row", "status"] for _, table in some)
    assert [row for _, table in some for row in table["row"].to_pylist()] == list(range(22))


class Counting:
    """A store that counts its reads."""

    def __init__(self, store):
        self.store, self.reads, self.uri = store, 0, store.uri

    def read(self, key):
        self.reads += 1
        return self.store.read(key)


def test_no_more_than_a_bounded_number_of_records_is_read_ahead(store, plan):
    finish(store, plan.shard(3))
    counting = Counting(store)
    records = iter_records(counting, plan, [3] * 300, ("row",))
    for _ in range(100):
        next(records)
    records.close()
    assert 100 <= counting.reads <= 164


def other_columns(data):
    return to_parquet(pq.read_table(pa.BufferReader(data)).drop_columns(["sha256"]))


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-20], lambda data: b"?", other_columns])
def test_a_damaged_record_object_is_named_with_the_way_out(store, plan, damage):
    for index in (0, 1, 2):
        finish(store, plan.shard(index))
    key = plan.record_key(1)
    store.write(key, damage(store.read(key)))
    with pytest.raises(DamagedRecordsError, match=f"{key} in {store.uri} is damaged: .*`verify --repair`"):
        list(iter_records(store, plan, range(3), ("row",)))


def test_failed_rows_are_those_with_a_failed_record(store, plan):
    assert list(failed_rows(store, plan)) == []
    finish(store, plan.shard(0))
    finish(store, plan.shard(2), {7: ValueError("no"), 8: OSError("no")})
    finish(store, plan.shard(4), {12: ValueError("no")})
    assert list(failed_rows(store, plan)) == [(2, frozenset({7, 8})), (4, frozenset({12}))]
