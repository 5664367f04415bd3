"""The dispatcher against real deaths: stand-in actors that work on nothing, but live and die in Ray."""

import pytest
import ray

from jobs.dispatch import Dispatcher
from jobs.errors import JobError
from jobs.plan import PlannedPair, Shard
from jobs.records import decode_records
from jobs.storage import open_store
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
    return [Shard(index, tuple(pairs[at : at + size])) for index, at in enumerate(range(0, len(pairs), size))]


def dispatch(folder, names, row_timeout=600.0, actor=StandIn, stopping=lambda: False):
    store = open_store(str(folder))
    remote = ray.remote(actor)
    actors = [
        remote.options(num_cpus=1, max_restarts=-1, max_task_retries=0, max_concurrency=3).remote(str(folder))
        for _ in range(2)
    ]
    outcomes = []
    try:
        Dispatcher(actors, store, "f", row_timeout=row_timeout, progress=outcomes.append, stopping=stopping).run(
            iter(shards_of(names))
        )
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
    names = names_of(20)
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
    asked = iter([False, False] + 1000 * [True])
    outcomes, _, records = dispatch(tmp_path, names_of(60), stopping=lambda: next(asked))
    assert 0 < len(records) == sum(outcome.done for outcome in outcomes) < 60
