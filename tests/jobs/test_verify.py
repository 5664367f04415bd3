import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from jobs.errors import PlanError, StorageError
from jobs.inventory import Named, open_inventory
from jobs.parquet import to_parquet
from jobs.records import SCHEMA, decode_records, encode_records
from jobs.storage import Store, open_store
from jobs.verify import DAMAGED, MISSING, STRAY, WRONG_BYTES, WRONG_SIZE, print_verdict, repair_storage, verify
from tests.jobs.recorded import contents, done, finish, picture_of, plan_pairs

both = pytest.mark.parametrize("pictures", [True, False], ids=["thorough", "quick"])


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "out"))


@pytest.fixture
def plan(store, tmp_path):
    """Five shards of four, four, four, four and two pairs; the last is still to be done, and rows 5 and 6 failed."""
    plan = plan_pairs(store, tmp_path, 18)
    for index in range(4):
        finish(store, plan.shard(index), {5: ValueError("no"), 6: OSError("no")})
    return plan


def found(verdict):
    """The findings in short."""
    return {(finding.kind, finding.key) for finding in verdict.findings}


def redo(verdict):
    return dict(verdict.redo)


def printed(verdict):
    text = io.StringIO()
    print_verdict(verdict, Console(file=text, width=200))
    return text.getvalue()


def tamper(store, plan, row, values):
    """Writes other values into the record of a row."""
    shard = next(shard for shard in plan.iter_shards() if any(pair.row == row for pair in shard.pairs))
    records = decode_records(store.read(shard.record_key)).to_pylist()
    rows = [record | values if record["row"] == row else record for record in records]
    store.write(shard.record_key, to_parquet(pa.Table.from_pylist(rows, SCHEMA)))
    return shard.index


@both
def test_an_intact_run_has_no_findings_and_what_is_in_work_is_none(store, plan, pictures):
    last = plan.shard(4).pairs
    store.write(last[0].output, b"finished, and not committed yet")
    steps = []
    verdict = verify(store, pictures=pictures, progress=steps.append)
    assert verdict.fine and found(verdict) == set() and redo(verdict) == {} and len(verdict.strays) == 0
    assert (verdict.rows, verdict.recorded, verdict.pictures, verdict.unfinished) == (18, 16, 14, 1)
    assert sum(steps) == 16
    text = printed(verdict)
    assert f"16 records read, 14 pictures {'read' if pictures else 'looked for'} in {store.uri}: nothing wrong" in text
    assert "2 of 18 pairs have no intact record: `run` does them" in text
    assert json.loads(verdict.to_json())["findings"] == []


@both
def test_where_nothing_was_run_there_is_nothing_to_verify(store, pictures):
    with pytest.raises(PlanError, match="no plan"):
        verify(store, pictures=pictures)


@both
def test_a_picture_that_is_gone_is_named_with_its_pair(store, plan, pictures):
    pair = plan.shard(2).pairs[1]
    store.delete(pair.output)
    verdict = verify(store, pictures=pictures)
    (finding,) = verdict.findings
    assert (finding.kind, finding.key, finding.shard, finding.row) == (MISSING, pair.output, 2, pair.row)
    assert finding.pair_id == pair.pair_id and "no such object" in finding.problem
    assert redo(verdict) == {2: frozenset({pair.row})} and not verdict.fine
    text = printed(verdict)
    assert "1 × missing picture: `verify --repair` does the pair again" in text and f"of pair {pair.pair_id}" in text
    read = json.loads(verdict.to_json())
    assert read["counts"] == {MISSING: 1} and read["findings"][0]["pair_id"] == pair.pair_id


def test_bytes_that_are_not_the_recorded_ones_are_found_when_pictures_are_read(store, plan):
    short, other = plan.shard(0).pairs[0], plan.shard(0).pairs[2]
    store.write(short.output, picture_of(short)[:-1])
    store.write(other.output, picture_of(other)[:-1] + b"?")
    verdict = verify(store)
    assert found(verdict) == {(WRONG_SIZE, short.output), (WRONG_BYTES, other.output)}
    assert redo(verdict) == {0: frozenset({short.row, other.row})}
    assert verify(store, pictures=False).fine


@both
def test_what_no_record_and_no_plan_names_is_a_stray(store, plan, pictures):
    failed_pair = plan.shard(1).pairs[1]
    strays = {
        failed_pair.output: "failed record",
        "images/p0.png.bak": "names it",
        "images/sub/[red]\x1b[2J.png": "names it",
        "records/shard-000005.parquet": "names it",
        "records/notes.txt": "names it",
    }
    for key in set(strays) - {"images/sub/[red]\x1b[2J.png"}:
        store.write(key, b"what is this?")
    hostile = store.root / "images/sub/[red]\x1b[2J.png"
    hostile.parent.mkdir(exist_ok=True)
    hostile.write_bytes(b"!")
    for key in ("notes.txt", "lost+found/images/x.png", "plan-of-mine/x"):  # not the job's folders
        store.write(key, b"")
    verdict = verify(store, pictures=pictures)
    assert {finding.key: finding.kind for finding in verdict.findings} == dict.fromkeys(strays, STRAY)
    assert all(strays[finding.key] in finding.problem for finding in verdict.findings)
    assert sorted(verdict.strays.to_pylist()) == sorted(strays) and redo(verdict) == {}
    assert next(f.pair_id for f in verdict.findings if f.key == failed_pair.output) == failed_pair.pair_id
    assert "[red]\\x1b[2J" in printed(verdict) and "\x1b" not in printed(verdict)


def without_a_column(data):
    return to_parquet(pq.read_table(pa.BufferReader(data)).drop_columns(["total_s"]))


def cut_off(data):
    return data[: len(data) // 2]


@both
@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"PAR1" * 9, cut_off, without_a_column])
def test_a_record_object_that_cannot_be_read_has_its_shard_done_anew(store, plan, pictures, damage):
    key = plan.record_key(1)
    store.write(key, damage(store.read(key)))
    verdict = verify(store, pictures=pictures)
    assert found(verdict) == {(DAMAGED, key)} and redo(verdict) == {1: None}
    # Its two pictures belong to it all the same, and are no strays.
    assert (verdict.recorded, verdict.pictures, verdict.unfinished) == (12, 12, 2)


@both
@pytest.mark.parametrize(
    ("row", "values", "words"),
    [
        (9, {"row": 0}, "row 0: is no row of this shard"),
        (9, {"row": 8}, "row 8 has 2 records"),
        (9, {"row": 77}, "row 9: pair 'p9' has no record"),
        (9, {"pair_id": "p8"}, "row 9, pair 'p9': the record is of pair 'p8'"),
        (9, {"fingerprint": "f"}, "another plan, 'f'"),
        (9, {"status": "pending"}, "the status is 'pending'"),
        (9, {"status": "failed"}, "failed, and yet promises a picture"),
        (9, {"sha256": None}, "not with which output, size and SHA-256"),
        (9, {"bytes": None}, "not with which output, size and SHA-256"),
        (9, {"output": "images/p8.png"}, "promises 'images/p8.png' instead of 'images/p9.png'"),
        (5, {"status": "done"}, "not with which output"),
        (5, {"output": "images/p5.png"}, "failed, and yet promises a picture"),
        (5, {"sha256": "00"}, "failed, and yet promises a picture"),
    ],
)
def test_records_that_are_not_those_of_the_plan_have_their_shard_done_anew(store, plan, pictures, row, values, words):
    index = tamper(store, plan, row, values)
    verdict = verify(store, pictures=pictures)
    assert found(verdict) == {(DAMAGED, plan.record_key(index))} and redo(verdict) == {index: None}
    assert words in verdict.findings[0].problem and len(verdict.strays) == 0


@both
def test_the_records_of_another_shard_are_damage(store, plan, pictures):
    store.write(plan.record_key(3), store.read(plan.record_key(2)))
    verdict = verify(store, pictures=pictures)
    assert found(verdict) == {(DAMAGED, plan.record_key(3))} and redo(verdict) == {3: None}


def test_too_many_records_and_too_few_are_damage(store, plan):
    records = decode_records(store.read(plan.record_key(2)))
    for damaged in (records.slice(1), pa.concat_tables([records, records.slice(0, 1)]), records.slice(0, 0)):
        store.write(plan.record_key(2), to_parquet(damaged))
        assert redo(verify(store, pictures=False)) == {2: None}


def test_the_order_of_the_records_does_not_matter(store, plan):
    records = decode_records(store.read(plan.record_key(2)))
    store.write(plan.record_key(2), to_parquet(records.take([3, 1, 0, 2])))
    assert verify(store).fine


@dataclass
class Busy:
    """A store at which others are at work: something happens just before the first call that fits."""

    store: Store
    method: str
    prefix: str
    happens: Callable[[], object]
    happened: bool = False

    def __getattr__(self, name):
        def call(key, *arguments):
            if name == self.method and key.startswith(self.prefix) and not self.happened:
                self.happened = True
                self.happens()
            return getattr(self.store, name)(key, *arguments)

        return getattr(self.store, name) if name == "uri" else call


@both
def test_a_shard_that_is_committed_between_the_listings_gives_no_false_findings(store, plan, pictures):
    busy = Busy(store, "list", "records/", lambda: finish(store, plan.shard(4)))
    verdict = verify(busy, pictures=pictures)
    assert busy.happened and verdict.fine, verdict.findings
    assert verdict.recorded == 18 and verdict.pictures == 16


@both
def test_a_shard_that_is_committed_after_the_listings_is_still_to_be_done(store, plan, pictures):
    shard = plan.shard(4)
    for pair in shard.pairs:
        store.write(pair.output, picture_of(pair))
    records = encode_records(done(shard, pair, picture_of(pair)) for pair in shard.pairs)
    busy = Busy(store, "read", "records/", lambda: store.create(shard.record_key, records))
    verdict = verify(busy, pictures=pictures)
    assert busy.happened and verdict.fine and verdict.unfinished == 2


@both
def test_a_plan_that_grows_meanwhile_explains_what_was_listed(store, tmp_path, pictures):
    def grow():
        grown = plan_pairs(store, tmp_path, 10)
        for shard in grown.iter_shards():
            finish(store, shard)

    plan_pairs(store, tmp_path, 6)
    busy = Busy(store, "list", "images/", grow)
    verdict = verify(busy, pictures=pictures)
    assert busy.happened and verdict.fine and (verdict.rows, verdict.recorded) == (10, 10)


@both
def test_records_that_are_set_aside_meanwhile_are_those_of_a_shard_to_be_done(store, plan, pictures):
    busy = Busy(store, "read", "records/", lambda: store.delete(plan.record_key(3)))
    verdict = verify(busy, pictures=pictures, threads=1)
    assert busy.happened and verdict.fine and verdict.recorded == 12 and verdict.unfinished == 4


def what_is_left_is_removed(store, plan, pair):
    store.delete(pair.output)


def another_attempt_is_recorded(store, plan, pair):
    data = picture_of(pair)
    figures = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    tamper(store, plan, pair.row, {"status": "done", "output": pair.output, **figures})


@both
@pytest.mark.parametrize("action", [what_is_left_is_removed, another_attempt_is_recorded])
def test_the_picture_of_a_failed_pair_is_no_stray_when_it_turns_out_to_be_in_work(store, plan, pictures, action):
    pair = plan.shard(1).pairs[1]
    store.write(pair.output, picture_of(pair))
    busy = Busy(store, "read", plan.record_key(3), lambda: action(store, plan, pair))
    assert verify(busy, pictures=pictures, threads=1).fine and busy.happened
    assert verify(store, pictures=pictures).fine


def test_repair_moves_strays_and_damaged_records_and_loses_nothing(store, plan):
    store.write("images/stray.png", b"mine")
    store.write("records/notes.txt", b"notes")
    store.write(plan.record_key(2), b"damaged")
    store.delete(plan.shard(0).pairs[0].output)
    before = contents(store)
    verdict = verify(store)
    assert repair_storage(store, verdict) == []
    moved = {"images/stray.png", "records/notes.txt", plan.record_key(2)}
    assert contents(store) == {f"lost+found/{key}" if key in moved else key: data for key, data in before.items()}
    assert repair_storage(store, verdict) == []  # once more is no more
    after = verify(store)
    assert found(after) == {(MISSING, plan.shard(0).pairs[0].output)}

    store.write(plan.record_key(2), b"damaged otherwise")
    assert repair_storage(store, verify(store)) == []
    assert store.read(f"lost+found/{plan.record_key(2)}") == b"damaged"
    assert store.read(f"lost+found/{plan.record_key(2)}.1") == b"damaged otherwise"


def test_repair_goes_on_where_it_was_killed(store, plan):
    store.write("images/stray.png", b"mine")
    verdict = verify(store)
    store.write("lost+found/images/stray.png", b"mine")  # copied, and not deleted yet
    assert repair_storage(store, verdict) == []
    assert not store.exists("images/stray.png") and not store.exists("lost+found/images/stray.png.1")


def test_what_cannot_be_moved_is_left_and_named(store, plan):
    (store.root / "images/back\\slash.png").write_bytes(b"")
    verdict = verify(store)
    (problem,) = repair_storage(store, verdict)
    assert "back" in problem and "by hand" in problem
    assert (store.root / "images/back\\slash.png").exists()


def test_a_run_is_whole_again_after_repair_and_redoing(store, plan):
    finish(store, plan.shard(4))
    intact = contents(store)
    pairs = plan.shard(0).pairs
    store.delete(pairs[0].output)
    store.write(pairs[1].output, b"other bytes")
    store.write(plan.record_key(1), b"damaged")
    verdict = verify(store)
    repair_storage(store, verdict)
    for index, rows in verdict.redo.items():
        shard = verdict.plan.shard(index)
        if rows is None:
            finish(store, shard, {5: ValueError("no"), 6: OSError("no")})
        for pair in shard.pairs:
            if rows is not None and pair.row in rows:
                store.write(pair.output, picture_of(pair))
    assert verify(store).fine
    assert {key: data for key, data in contents(store).items() if not key.startswith("lost+found/")} == intact


def test_only_the_first_findings_of_a_kind_are_kept_and_all_are_counted_and_redone(store, tmp_path):
    plan = plan_pairs(store, tmp_path, 1100, shard_size=550)
    for shard in plan.iter_shards():
        store.create(shard.record_key, encode_records(done(shard, pair, b"x") for pair in shard.pairs))
    store.write("images/stray", b"")
    verdict = verify(store, pictures=False)
    assert verdict.counts == {MISSING: 1100, STRAY: 1}
    assert Counter(finding.kind for finding in verdict.findings) == {MISSING: 1000, STRAY: 1}
    rows = [frozenset(pair.row for pair in shard.pairs) for shard in plan.iter_shards()]
    assert redo(verdict) == dict(enumerate(rows))
    assert "and 1,095 more, in verify.json (the first 1,000)" in printed(verdict)


def test_a_store_that_does_not_answer_is_no_finding(store, plan):
    def refuse():
        raise StorageError("access denied")

    with pytest.raises(StorageError, match="access denied"):
        verify(Busy(store, "read", "images/", refuse))


@dataclass
class Run:
    """A finished run of 24 pairs in shards of three, where one pair in five failed, in memory to start from."""

    objects: dict
    pairs: list
    record_keys: list


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    store = open_store(str(folder / "out"))
    plan = plan_pairs(store, folder, 24, shard_size=3)
    for shard in plan.iter_shards():
        finish(store, shard, {row: ValueError("no") for row in range(0, 24, 5)})
    pairs = [(pair, shard.index) for shard in plan.iter_shards() for pair in shard.pairs]
    return Run(contents(store), sorted(pairs, key=lambda p: p[0].row), [plan.record_key(k) for k in range(plan.shards)])


tamperings = st.dictionaries(
    st.integers(0, 23), st.sampled_from(["gone", "cut", "changed", "emptied", "extended"]), max_size=8
)
damages = st.dictionaries(st.integers(0, 7), st.sampled_from(["cut", "other", "absent"]), max_size=3)
strays = st.sets(st.sampled_from(["images/x.png", "images/a/b", "records/shard-000008.parquet", "records/x"]))


@pytest.mark.slow
@given(tamperings, damages, strays, st.booleans())
def test_what_was_tampered_with_is_what_is_found(run, tmp_path_factory, changes, damage, added, pictures):
    store = open_store(str(tmp_path_factory.mktemp("tampered") / "out"))
    objects = dict(run.objects)
    expected, again = set(), {}
    for index, how in damage.items():
        key = run.record_keys[index]
        if how == "absent":
            del objects[key]
        else:
            objects[key] = objects[key][:-9] if how == "cut" else run.objects[run.record_keys[index - 1]]
            expected.add((DAMAGED, key))
            again[index] = None
    for row, how in changes.items():
        pair, index = run.pairs[row]
        if row % 5 == 0:  # a failed pair: any picture is one too much, unless its record is lost
            objects[pair.output] = b"too much"
            if index not in damage:
                expected.add((STRAY, pair.output))
            continue
        data = objects.pop(pair.output)
        if how != "gone":
            objects[pair.output] = {
                "cut": data[:-1], "changed": b"?" + data[1:], "emptied": b"", "extended": data + b"?"
            }[how]  # fmt: skip
        kind = {"gone": MISSING, "changed": WRONG_BYTES}.get(how, WRONG_SIZE)
        if index not in damage and (pictures or how == "gone"):
            expected.add((kind, pair.output))
            again[index] = again.get(index, frozenset()) | {row}
    for key in added:
        objects[key] = b"stray"
        expected.add((STRAY, key))
    for key, data in objects.items():
        path = store.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    verdict = verify(store, pictures=pictures, threads=2)
    assert found(verdict) == expected and redo(verdict) == again
    assert verdict.counts.total() == len(verdict.findings) == len(expected)
    assert set(verdict.strays.to_pylist()) == {key for kind, key in expected if kind == STRAY}


@settings(max_examples=30)
@given(st.data())
def test_an_inventory_tells_the_differences_of_sets(data):
    texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    keys = st.sets(st.builds("".join, st.tuples(st.sampled_from(["", "images/", "records/"]), texts)), max_size=30)
    listed, everything = data.draw(keys), sorted(data.draw(keys))
    states = {key: data.draw(st.sampled_from(["promised", "planned", "failed", "records"])) for key in everything}
    both = {key for key in listed if data.draw(st.booleans())}
    states |= {key: data.draw(st.sampled_from(["promised", "planned", "failed", "records"])) for key in both}
    with open_inventory() as inventory:
        inventory.add_listed(iter(listed))
        inventory.add_named(Named(key, state, 3, at, f"id {key}") for at, (key, state) in enumerate(states.items()))
        assert set(inventory.listed_records()) == {key for key in listed if key.startswith("records/")}
        absent = list(inventory.absent())
        assert {named.key for named in absent} == {k for k, s in states.items() if s == "promised"} - listed
        assert [named.row for named in absent] == sorted(named.row for named in absent)
        unexpected = dict(inventory.unexpected())
        assert set(unexpected) == {key for key in listed if states.get(key, "failed") == "failed"}
        for key, named in unexpected.items():
            assert (named is None) == (key not in states) and (named is None or named.pair_id == f"id {key}")
        assert inventory.planned() == sum(states.get(key) == "planned" for key in listed)


def test_an_inventory_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_inventory() as inventory:
        inventory.add_listed(f"images/{k}" for k in range(100_000))
        assert any(tmp_path.iterdir())
        assert sum(1 for _ in inventory.unexpected()) == 100_000
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_on_s3_a_run_is_verified_and_repaired_all_the_same(s3, tmp_path):
    store = open_store(f"s3://{s3.bucket()}/some/run")
    plan = plan_pairs(store, tmp_path, 18)
    for index in range(4):
        finish(store, plan.shard(index), {5: ValueError("no")})
    assert verify(store).fine and verify(store, pictures=False).fine
    pairs = plan.shard(2).pairs
    store.delete(pairs[0].output)
    store.write(pairs[1].output, b"other bytes")
    store.write("images/stray.png", b"mine")
    store.write(plan.record_key(3), b"damaged")
    verdict = verify(store)
    assert found(verdict) == {
        (MISSING, pairs[0].output),
        (WRONG_SIZE, pairs[1].output),
        (STRAY, "images/stray.png"),
        (DAMAGED, plan.record_key(3)),
    }
    assert redo(verdict) == {2: frozenset({pairs[0].row, pairs[1].row}), 3: None}
    assert repair_storage(store, verdict) == []
    assert store.read("lost+found/images/stray.png") == b"mine"
    assert {finding.kind for finding in verify(store, pictures=False).findings} == {MISSING}
