"""The dispatcher against real deaths: stand-in actors that work on nothing, but live and die in Ray."""

import pytest
import ray

from jobs import dispatch as dispatching
from jobs.commit import commit
from jobs.dispatch import Dispatcher
from jobs.errors import JobError, StorageUnavailableError
from jobs.events import Draining, PairFailed, ShardCommitted, StoreSetback, WorkerDied
from jobs.plan import PlannedPair, Shard
from jobs.records import Record, decode_records
from jobs.storage import open_store
from jobs.storage.local import LocalStore
from jobs.work import Work
from tests.stand_ins import StandIn, Stillborn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def shards_of(names, size=3):
    pairs = [
        PlannedPair(
            row, name, "c", ("s",), (1.0,), None, (None,), None, None, f"images/{name}.png", "ift", "photo", "{}"
        )
        for row, name in enumerate(names)
    ]
    return [Shard(index, tuple(pairs[at : at + size]), "f") for index, at in enumerate(range(0, len(pairs), size))]


def dispatch(folder, names, actor=StandIn, stopping=lambda: False, redo=None, **options):
    """Works through shards of three pairs each, or through the rows of shards in `redo`."""
    store = open_store(str(folder))
    remote = ray.remote(actor)
    actors = [
        remote.options(num_cpus=1, max_restarts=-1, max_task_retries=0, max_concurrency=4).remote(str(folder))
        for _ in range(2)
    ]
    if actor is StandIn:
        ray.get([handle.ready.remote() for handle in actors])
    outcomes, warnings = [], []
    options = {"row_timeout": 600.0, **options}
    dispatcher = Dispatcher(actors, store, progress=outcomes.append, warn=warnings.append, stopping=stopping, **options)
    shards = shards_of(names)
    works = map(Work, shards) if redo is None else (Work(shards[index], rows) for index, rows in redo.items())
    try:
        dispatcher.run(iter(works))
    finally:
        for handle in actors:
            ray.kill(handle)
    records = [row for key in store.list("records/") for row in decode_records(store.read(key)).to_pylist()]
    return outcomes, {record["pair_id"]: record for record in records}, records


def names_of(count, **special):
    names = [f"p{k}" for k in range(count)]
    for name, at in special.items():
        names[at] = name
    return names


def assert_all_recorded_once(names, records):
    assert sorted(record["pair_id"] for record in records) == sorted(names)


def test_every_shard_is_done_once(tmp_path):
    names = names_of(20, slow1=0, slow2=8)
    outcomes, _, records = dispatch(tmp_path, names)
    assert_all_recorded_once(names, records)
    assert sorted(outcome.shard for outcome in outcomes) == list(range(7))
    assert len({record["actor"] for record in records}) == 2


def test_a_poisonous_row_fails_alone(tmp_path):
    names = names_of(20, poison=7)
    outcomes, by_id, records = dispatch(tmp_path, names)
    assert_all_recorded_once(names, records)
    assert by_id["poison"]["status"] == "failed"
    assert by_id["poison"]["error_type"] == "ProcessDiedError"
    assert by_id["poison"]["attempts"] == 4
    assert all(record["status"] == "done" for record in records if record["pair_id"] != "poison")
    assert sum(outcome.failed for outcome in outcomes) == 1
    assert sum(outcome.done for outcome in outcomes) == 19


def test_a_death_without_a_cause_costs_nothing_but_time(tmp_path):
    names = names_of(20, once1=1, once2=10)
    _, _, records = dispatch(tmp_path, names)
    assert_all_recorded_once(names, records)
    assert all(record["status"] == "done" for record in records)


def test_a_death_after_the_commit_is_not_repeated(tmp_path):
    names = names_of(9, late=4)
    outcomes, _, records = dispatch(tmp_path, names)
    assert_all_recorded_once(names, records)
    assert sum(outcome.done for outcome in outcomes) == 9


def test_a_hanging_row_is_found_and_fails_alone(tmp_path):
    names = names_of(9, hang=4)
    _, by_id, records = dispatch(tmp_path, names, row_timeout=1.5)
    assert_all_recorded_once(names, records)
    assert by_id["hang"]["status"] == "failed" and "hung" in by_id["hang"]["error"]
    assert all(record["status"] == "done" for record in records if record["pair_id"] != "hang")


def test_two_poisons_in_one_shard_are_told_apart(tmp_path):
    names = names_of(6, poison_a=3, poison_b=5)
    _, by_id, records = dispatch(tmp_path, names)
    assert_all_recorded_once(names, records)
    assert {name for name, record in by_id.items() if record["status"] == "failed"} == {"poison_a", "poison_b"}


def test_a_commit_that_storage_refuses_ends_the_job_with_the_reason(tmp_path):
    with pytest.raises(JobError, match="no space left"):
        dispatch(tmp_path, names_of(6, broken=2))


def test_an_actor_that_cannot_start_ends_the_job_with_the_reason(tmp_path):
    with pytest.raises(JobError, match="these weights fit nothing"):
        dispatch(tmp_path, names_of(3), actor=Stillborn)


def test_stopping_finishes_what_is_begun_and_starts_no_more(tmp_path):
    outcomes, _, records = dispatch(tmp_path, names_of(60), stopping=lambda: any(tmp_path.glob("records/shard-*")))
    assert 0 < len(records) == sum(outcome.done for outcome in outcomes) < 60


def test_a_slow_row_that_lives_is_no_hanging_row(tmp_path):
    names = names_of(6, slow=4)
    _, by_id, records = dispatch(tmp_path, names, row_timeout=1.5)
    assert_all_recorded_once(names, records)
    assert by_id["slow"]["status"] == "done" and by_id["slow"]["attempts"] == 1


def test_a_store_that_is_away_for_a_while_fails_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatching, "_PAUSE_S", 0.2)
    names = names_of(12, away1=1, away2=10)
    _, by_id, records = dispatch(tmp_path, names)
    assert_all_recorded_once(names, records)
    assert all(record["status"] == "done" for record in records)
    assert by_id["away1"]["attempts"] == 2


def test_an_object_that_no_store_ever_delivers_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatching, "_PAUSE_S", 0.2)
    names = names_of(12, gone=4)
    _, by_id, records = dispatch(tmp_path, names, storage_patience=2)
    assert_all_recorded_once(names, records)
    assert by_id["gone"]["error_type"] == "StorageUnavailableError"
    assert [record["pair_id"] for record in records if record["status"] == "failed"] == ["gone"]


def test_when_no_store_answers_for_long_the_job_ends_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatching, "_PAUSE_S", 0.2)
    monkeypatch.setattr(LocalStore, "exists", _unavailable)
    with pytest.raises(StorageUnavailableError, match=r"for 1 s.*run the same command again later.*ever"):
        dispatch(tmp_path, ["gone"], storage_patience=1)


def test_what_happens_is_told_with_shards_and_pairs(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatching, "_PAUSE_S", 0.2)
    events = []
    outcomes, _, _ = dispatch(tmp_path, names_of(12, poison=4, away=10), tell=events.append)
    of = {kind: [event for event in events if type(event) is kind] for kind in (*map(type, events), Draining)}
    assert [(event.shard, event.done, event.failed) for event in of[ShardCommitted]] == [
        (outcome.shard, outcome.done, outcome.failed) for outcome in outcomes
    ]
    (failed,) = of[PairFailed]
    assert (failed.shard, failed.pair_id, failed.error_type) == (1, "poison", "ProcessDiedError")
    assert [event.pair_ids for event in of[WorkerDied]] == [(), (), ("poison",), ("poison",)]
    assert all(1 in event.shards for event in of[WorkerDied])
    assert [(event.shard, event.setbacks) for event in of[StoreSetback]] == [(3, 1)]
    assert of[Draining] == []


def test_a_shard_that_stood_before_its_process_died_is_told_as_it_stands(tmp_path):
    events = []
    outcomes, by_id, _ = dispatch(tmp_path, names_of(9, late=4, bad=5), tell=events.append)
    assert by_id["bad"]["status"] == "failed"
    assert sorted((outcome.shard, outcome.done, outcome.failed) for outcome in outcomes) == [
        (0, 3, 0), (1, 2, 1), (2, 3, 0)
    ]  # fmt: skip
    assert [event.pair_id for event in events if type(event) is PairFailed] == ["bad"]


def test_a_stop_is_told_once_with_what_is_still_in_flight(tmp_path):
    events = []
    dispatch(tmp_path, names_of(60), stopping=lambda: any(tmp_path.glob("records/shard-*")), tell=events.append)
    (draining,) = [event for event in events if type(event) is Draining]
    told = [event for event in events if type(event) in (Draining, ShardCommitted)]
    assert len(told) - 1 - told.index(draining) == draining.in_flight > 0


def _unavailable(*_):
    raise StorageUnavailableError("no answer")


def commit_all(folder, names, failed):
    """Records of all shards, as a run would have left them."""
    store = open_store(str(folder))
    for shard in shards_of(names):
        records = [Record.begin(pair, shard.fingerprint) for pair in shard.pairs]
        for record in records:
            record.status = "done"
            if record.pair_id in failed:
                record.fail(ValueError("bad"))
        commit(store, shard, records)


def test_rows_are_redone_and_their_records_replaced(tmp_path):
    names = names_of(9, a=0, b=4, c=5)
    commit_all(tmp_path, names, failed="abc")
    outcomes, by_id, records = dispatch(tmp_path, names, redo={0: frozenset({0}), 1: frozenset({4})})
    assert_all_recorded_once(names, records)
    assert {name for name, record in by_id.items() if record["status"] == "failed"} == {"c"}
    assert [by_id[name]["attempts"] for name in names] == [2, 1, 1, 1, 2, 1, 1, 1, 1]
    assert sum(outcome.done for outcome in outcomes) == 2


def test_a_poisonous_row_that_is_redone_fails_alone_again(tmp_path):
    names = names_of(6, poison=4, b=5)
    commit_all(tmp_path, names, failed=("poison", "b"))
    _, by_id, records = dispatch(tmp_path, names, redo={1: frozenset({4, 5})})
    assert_all_recorded_once(names, records)
    assert by_id["poison"]["error_type"] == "ProcessDiedError" and by_id["poison"]["attempts"] == 5
    assert [by_id[name]["attempts"] for name in ("p3", "b")] == [1, 4]
    assert by_id["b"]["status"] == "done"


def test_redoing_a_shard_whose_records_are_gone_does_all_of_it(tmp_path):
    names = names_of(6)
    commit_all(tmp_path, names, failed=())
    (tmp_path / "records/shard-000001.parquet").unlink()
    _, _, records = dispatch(tmp_path, names, redo={1: frozenset({4})})
    assert_all_recorded_once(names, records)
