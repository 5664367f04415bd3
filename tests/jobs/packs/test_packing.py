"""Whoever races and whoever dies, a picture is in one pack at most, and where its record says.

Workers take turns at single requests to the store, in an order that the test chooses, and some die between two.
"""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.commit import commit, committed_rows, recommit
from jobs.errors import NotFoundInStoreError, StorageError
from jobs.outputs import open_outputs
from jobs.packs import put_in_packs
from jobs.packs.format import format_of_layout, pack_key
from jobs.packs.packing import open_pack
from jobs.records import Record
from jobs.storage import open_store
from tests.jobs.packs.shards import sample_of, shard_of

ROWS = range(5)


class Killed(BaseException):
    """A process is gone."""


class Memory:
    """A store of a dict; its requests are whole."""

    def __init__(self):
        self.objects = {}

    def read(self, key):
        if key not in self.objects:
            raise NotFoundInStoreError(key)
        return self.objects[key]

    def create(self, key, data):
        return self.objects.setdefault(key, data) == data

    def replace(self, key, data, expected):
        if self.objects.get(key) != expected:
            return False
        self.objects[key] = data
        return True


class Turns:
    """A store that makes each request only when its worker is called; the call may be the last thing it hears."""

    def __init__(self, store):
        self._store = store
        self._called, self._answered = threading.Event(), threading.Event()
        self._die = False
        self.over = False

    def read(self, key):
        self._wait()
        return self._store.read(key)

    def create(self, key, data):
        self._wait()
        return self._store.create(key, data)

    def replace(self, key, data, expected):
        self._wait()
        return self._store.replace(key, data, expected)

    def _wait(self):
        self._answered.set()
        self._called.wait()
        self._called.clear()
        if self._die:
            raise Killed

    def run(self, work):
        """In a thread, to the first request."""

        def body():
            try:
                work(self)
            except Killed:
                pass
            finally:
                self.over = True
                self._answered.set()

        self._thread = threading.Thread(target=body, daemon=True)
        self._thread.start()
        self._answered.wait()

    def turn(self, die):
        """One request, up to the next."""
        self._die = die
        self._answered.clear()
        self._called.set()
        self._answered.wait()

    def end(self):
        self._thread.join()


def worker(shard, failing, again):
    """What a worker does with a shard whose rows `failing` fail with it; `again` for those that had failed."""

    def work(store):
        seen = committed_rows(store, shard) if again else None
        rows = ROWS if seen is None else [row for row, record in seen.items() if record["status"] == "failed"]
        outputs, records = open_outputs(store, shard), []
        for pair in shard.pairs:
            if pair.row in rows:
                record = Record.begin(pair, shard.fingerprint)
                if pair.row in failing:
                    record.fail(OSError("no"))
                else:
                    outputs.keep(pair, sample_of(pair.row).picture)
                    record.output, record.status = pair.output, "done"
                records.append(record)
        outputs.settle(records)
        if seen is None:
            commit(store, shard, records)
        else:
            recommit(store, shard, records, seen)

    return work


def packs(store, shard):
    """Of each pack the ids in it."""
    names = (pack_key(shard, number) for number in range(20))
    return {key: set(open_pack(store, shard, key)) for key in names if key in store.objects}


def assert_once(store, shard):
    there = packs(store, shard)
    ids = [pair_id for ids in there.values() for pair_id in ids]
    assert len(ids) == len(set(ids))
    for record in (committed_rows(store, shard) or {}).values():
        if record["status"] == "done":
            assert record["pair_id"] in there[record["pack"]]


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_each_picture_is_in_one_pack_and_where_its_record_says(layout, data):
    store, shard = Memory(), shard_of(layout, ROWS)
    failures = st.sets(st.sampled_from(ROWS))
    workers = []
    for _ in range(data.draw(st.integers(1, 4), "workers")):
        turns = Turns(store)
        turns.run(worker(shard, data.draw(failures, "failing"), data.draw(st.booleans(), "again")))
        workers.append(turns)
    while alive := [turns for turns in workers if not turns.over]:
        alive[data.draw(st.integers(0, len(alive) - 1), "next")].turn(die=data.draw(st.integers(0, 9), "fate") == 0)
        assert_once(store, shard)
    for turns in workers:
        turns.end()
    # Who comes after all of them finds the rest to do, and everything is once where it should be.
    for again in (False, True):
        last = Turns(store)
        last.run(worker(shard, set(), again))
        while not last.over:
            last.turn(die=False)
        last.end()
    assert_once(store, shard)
    rows = committed_rows(store, shard)
    assert [rows[row]["status"] for row in ROWS] == ["done"] * len(ROWS)
    assert sorted(pair_id for ids in packs(store, shard).values() for pair_id in ids) == sorted(
        pair.pair_id for pair in shard.pairs
    )


def test_the_second_takes_what_the_first_has_put_there(tmp_path):
    store, shard = open_store(str(tmp_path)), shard_of("webdataset", ROWS)
    put_in_packs(store, shard, [sample_of(0), sample_of(1)])
    packed = put_in_packs(store, shard, [sample_of(1), sample_of(2)])
    assert {name: (where.pack, where.picture) for name, where in packed.items()} == {
        "p1.x": ("images/shard-000003.tar", b"picture of 1"),
        "p2": ("images/shard-000003.1.tar", b"picture of 2"),
    }
    assert put_in_packs(store, shard, []) == {}
    assert sorted(store.list("")) == ["images/shard-000003.1.tar", "images/shard-000003.tar"]


def test_a_damaged_pack_is_told_with_the_way_out(tmp_path):
    store, shard = open_store(str(tmp_path)), shard_of("parquet", ROWS)
    store.write(pack_key(shard, 0), format_of_layout("parquet").encode([sample_of(0)])[:-9])
    with pytest.raises(StorageError, match=r"shard-000003.parquet in .* is damaged: .*`verify --repair`"):
        put_in_packs(store, shard, [sample_of(1)])
