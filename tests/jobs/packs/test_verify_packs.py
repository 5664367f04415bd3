"""Packs against their records: what is wrong is found, taken away, and done again, and nothing else is."""

import pytest

from jobs.commit import commit, committed_rows, recommit
from jobs.errors import NotFoundInStoreError
from jobs.manifest import Defaults
from jobs.outputs import open_outputs
from jobs.packs import Sample, open_pack, put_in_packs
from jobs.packs.format import format_of_layout
from jobs.pictures import Pictures
from jobs.plan import prepare_plan
from jobs.records import Record, decode_records, encode_records
from jobs.storage import open_store
from jobs.verify import DAMAGED, DAMAGED_PACK, MISSING, STRAY, UNRECORDED, repair_storage, verify

both = pytest.mark.parametrize("pictures", [True, False], ids=["thorough", "quick"])


def picture_of(pair):
    return f"picture of {pair.pair_id}".encode()


def work(store, shard, failing=(), rows=None):
    """What a worker does, without a model: a whole shard, or some of its rows again."""
    outputs, records = open_outputs(store, shard), []
    for pair in shard.pairs:
        if rows is None or pair.row in rows:
            record = Record.begin(pair, shard.fingerprint)
            if pair.row in failing:
                record.fail(OSError("no"))
            else:
                outputs.keep(pair, picture_of(pair))
                record.output, record.status = pair.output, "done"
            records.append(record)
    seen = None if rows is None else committed_rows(store, shard)
    outputs.settle(records)
    if seen is None:
        commit(store, shard, records)
    else:
        recommit(store, shard, records, seen)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "out"))


@pytest.fixture(params=["webdataset", "parquet"])
def plan(request, store, tmp_path):
    """Three shards of four, the last still to be done; row 5 failed."""
    manifest = tmp_path / "m.csv"
    manifest.write_text("pair_id,content,style\n" + "".join(f"p{k},c.png,s.png\n" for k in range(12)))
    made = prepare_plan(
        store,
        str(manifest),
        Defaults(),
        weights="w",
        image_format="png",
        quality=95,
        layout=request.param,
        shard_size=4,
    ).plan
    work(store, made.shard(0))
    work(store, made.shard(1), failing={5})
    return made


def pack_of(store, shard, row):
    return committed_rows(store, shard)[row]["pack"]


def found(verdict):
    return {(finding.kind, finding.key) for finding in verdict.findings}


def mend(store, verdict):
    """What `verify --repair` does, and then verifies again."""
    assert repair_storage(store, verdict) == []
    for index, rows in verdict.redo.items():
        work(store, verdict.plan.shard(index), rows=rows)
    again = verify(store)
    assert again.fine, again.findings
    return again


@both
def test_an_intact_run_has_no_findings(store, plan, pictures):
    put_in_packs(store, plan.shard(2), [Sample.of(pair, picture_of(pair)) for pair in plan.shard(2).pairs[:2]])
    put_in_packs(store, plan.shard(2), [Sample.of(pair, picture_of(pair)) for pair in plan.shard(2).pairs[2:]])
    verdict = verify(store, pictures=pictures)
    assert verdict.fine and (verdict.recorded, verdict.pictures, verdict.unfinished) == (8, 7, 1)


@both
def test_a_pack_that_is_gone_is_done_again(store, plan, pictures):
    key = pack_of(store, plan.shard(1), 4)
    store.delete(key)
    verdict = verify(store, pictures=pictures)
    assert found(verdict) == {(MISSING, key)} and dict(verdict.redo) == {1: frozenset({4, 6, 7})}
    assert mend(store, verdict).pictures == 7


def test_damaged_packs_are_set_aside_and_done_again(store, plan):
    keys = [pack_of(store, plan.shard(index), 4 * index) for index in (0, 1)]
    form = format_of_layout(plan.layout)
    store.write(keys[0], store.read(keys[0])[:700])
    other = [Sample.of(pair, b"another picture") for pair in plan.shard(1).pairs if pair.row != 5]
    store.write(keys[1], form.encode(other))
    verdict = verify(store)
    assert found(verdict) == {(DAMAGED_PACK, key) for key in keys}
    assert dict(verdict.redo) == {0: frozenset({0, 1, 2, 3}), 1: frozenset({4, 6, 7})}
    assert "'p4': it has 15 bytes, its record says 13" in " ".join(finding.problem for finding in verdict.findings)
    mend(store, verdict)
    assert open_pack(store, plan.shard(1), keys[1])["p4"] == b"picture of p4"
    assert form.decode(store.read(f"lost+found/{keys[1]}"))["p4"] == b"another picture"


def test_a_picture_too_many_in_a_pack_is_damage(store, plan):
    shard, key = plan.shard(0), pack_of(store, plan.shard(0), 0)
    samples = [Sample.of(pair, picture_of(pair)) for pair in (*shard.pairs, plan.shard(1).pairs[0])]
    store.write(key, format_of_layout(plan.layout).encode(samples))
    verdict = verify(store)
    assert found(verdict) == {(DAMAGED_PACK, key)}
    mend(store, verdict)


@both
def test_a_pack_whose_worker_died_before_it_was_recorded_is_found_again(store, plan, pictures):
    shard = plan.shard(1)
    (pair,) = (pair for pair in shard.pairs if pair.row == 5)
    packed = put_in_packs(store, shard, [Sample.of(pair, picture_of(pair))])
    verdict = verify(store, pictures=pictures)
    assert found(verdict) == {(UNRECORDED, packed["p5"].pack)} and dict(verdict.redo) == {1: frozenset({5})}
    assert mend(store, verdict).pictures == 8
    assert sorted(store.list("images/")) == sorted({pack_of(store, plan.shard(k // 4), k) for k in range(8)})


@both
def test_what_belongs_to_nothing_is_a_stray(store, plan, pictures):
    suffix = pack_of(store, plan.shard(0), 0).rpartition(".")[2]
    strays = ["images/p0.png", f"images/shard-000009.{suffix}", f"images/shard-000001.7.{suffix}"]
    for key in strays:
        store.write(key, b"?")
    verdict = verify(store, pictures=pictures)
    assert found(verdict) == {(STRAY, key) for key in strays} and dict(verdict.redo) == {}
    mend(store, verdict)


def test_records_that_name_another_place_are_damaged(store, plan):
    key = plan.record_key(0)
    for pack in (None, "images/p0.png", pack_of(store, plan.shard(1), 4)):
        table = decode_records(store.read(key)).to_pylist()
        records = []
        for row in table:
            seconds = {name[:-2]: row.pop(name) for name in list(row) if name.endswith("_s")}
            records.append(Record(**row | {"pack": pack}, seconds=seconds))
        store.write(key, encode_records(records))
        verdict = verify(store)
        assert (DAMAGED, key) in found(verdict)
    mend(store, verdict)


def test_pictures_are_read_from_wherever_they_are(store, plan):
    shard = plan.shard(1)
    work(store, shard, rows={5})
    pictures = Pictures(store)
    assert len({pack_of(store, shard, row) for row in range(4, 8)}) == 2
    assert all(pictures.read(shard, pair) == picture_of(pair) for pair in shard.pairs)
    with pytest.raises(NotFoundInStoreError):
        Pictures(store).read(plan.shard(2), plan.shard(2).pairs[0])
