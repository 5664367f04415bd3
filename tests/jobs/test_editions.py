"""A manifest that has grown: its new rows join the plan, and nothing that was planned changes."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import ManifestError, PlanError
from jobs.manifest import Defaults
from jobs.plan import load_plan
from jobs.storage import open_store
from tests.jobs.plans import prepare, write_jsonl


def row(number, **fields):
    return {"pair_id": f"pair-{number}", "content": f"/photos/{number}.jpg", "style": "/styles/a.jpg", **fields}


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "job"))


@pytest.fixture
def grow(store, tmp_path):
    """Prepares the plan of rows in the test's one store."""

    def prepare_rows(*rows, **options):
        return prepare(store, write_jsonl(tmp_path / "manifest.jsonl", rows), **options)

    return prepare_rows


def planned(plan):
    return [[pair.pair_id for pair in shard.pairs] for shard in plan.iter_shards()]


def test_new_rows_join_in_shards_of_their_own(grow, store):
    first = grow(*map(row, range(5)), shard_size=2)
    second = grow(*map(row, range(8)), shard_size=2)
    third = grow(*map(row, range(9)), shard_size=2)
    assert [prepared.added for prepared in (first, second, third)] == [0, 3, 1]
    plan = third.plan
    assert plan == load_plan(store)
    assert (plan.rows, plan.shards, len(plan.editions)) == (9, 6, 3)
    assert planned(plan) == [["pair-0", "pair-1"], ["pair-2", "pair-3"], ["pair-4"],
                             ["pair-5", "pair-6"], ["pair-7"], ["pair-8"]]  # fmt: skip
    assert [plan.rows_of(index) for index in range(6)] == [2, 2, 1, 2, 1, 1]
    assert list(plan.iter_shards())[:3] == list(first.plan.iter_shards())
    assert [plan.shard(index).fingerprint for index in (0, 3, 5)] == [edition.fingerprint for edition in plan.editions]
    assert plan.fingerprint == first.plan.fingerprint
    assert len({edition.fingerprint for edition in plan.editions}) == 3
    assert pa.concat_tables(plan.pages())["shard"].to_pylist() == [0, 0, 1, 1, 2, 3, 3, 4, 5]
    assert [shard.index for shard in plan.iter_shards(skip={0, 1, 2, 4})] == [3, 5]
    heads = [key for key in store.list("") if key.endswith(".json")]
    assert sorted(heads) == ["plan.json", "plan/edition-0001.json", "plan/edition-0002.json"]


def test_the_fingerprint_of_an_edition_tells_what_came_before(grow, store, tmp_path):
    grow(row(0))
    grown = grow(row(0), row(2)).plan.editions[1]
    other = open_store(str(tmp_path / "other"))
    prepare(other, write_jsonl(tmp_path / "m.jsonl", [row(1)]))
    same_rows = prepare(other, write_jsonl(tmp_path / "m.jsonl", [row(1), row(2)])).plan.editions[1]
    assert (grown.parts, grown.rows) == (same_rows.parts, 1)
    assert grown.fingerprint != same_rows.fingerprint


def test_the_same_manifest_again_is_not_even_parsed(grow, store, monkeypatch):
    grow(row(0))
    plan = grow(row(0), row(1)).plan
    monkeypatch.setattr("jobs.plan.prepare.load_manifest", None)
    monkeypatch.setattr("jobs.plan.prepare.open_workspace", None)
    again = grow(row(0), row(1), shard_size=7)
    assert (again.plan, again.added) == (plan, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"defaults": Defaults("photo")},
        {"defaults": Defaults(resolution=99)},
        {"defaults": Defaults(options={"gate": 0.5})},
        {"weights": "f" * 64},
        {"quality": 7},
        {"image_format": "tiff"},
    ],
)
def test_other_options_are_never_taken_for_the_same(grow, options):
    grow(row(0), row(1))
    with pytest.raises(PlanError, match="holds the plan of another job"):
        grow(row(0), row(1), **options)


def test_other_allowed_places_are_looked_at_anew(grow, tmp_path):
    grow(row(0))
    with pytest.raises(ManifestError, match="row 0"):
        grow(row(0), allowed=[str(tmp_path)])
    assert grow(row(0), allowed=["/photos", "/styles"]).added == 0


def test_the_same_bytes_elsewhere_are_other_pictures(store, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    rows = [{"content": "c.jpg", "style": "s.jpg"}]
    prepare(store, write_jsonl(tmp_path / "a/m.jsonl", rows))
    with pytest.raises(PlanError, match=r"changed: 'c-s-[0-9a-f]{16}'"):
        prepare(store, write_jsonl(tmp_path / "b/m.jsonl", rows))


def test_the_order_of_rows_and_the_format_may_change(grow, store, tmp_path):
    plan = grow(*map(row, range(5))).plan
    again = grow(*map(row, (3, 1, 4, 0, 2)))
    assert (again.plan, again.added) == (plan, 0)
    (tmp_path / "m.csv").write_text(
        "style,content,pair_id\n" + "".join(f"/styles/a.jpg,/photos/{n}.jpg,pair-{n}\n" for n in (6, 4, 3, 2, 1, 0))
    )
    grown = prepare(store, tmp_path / "m.csv")
    assert grown.added == 1
    assert grown.plan.shard(5).pairs[0].pair_id == "pair-6"
    assert grown.plan.shard(5).pairs[0].row == 0  # in the manifest that brought it


def test_derived_ids_grow_as_well(store, tmp_path):
    rows = [{"content": f"{n}.jpg", "style": "s.jpg"} for n in range(4)]
    prepare(store, write_jsonl(tmp_path / "m.jsonl", rows[:3]))
    assert prepare(store, write_jsonl(tmp_path / "m.jsonl", rows[::-1])).added == 1


def test_an_output_that_a_row_names_must_stay(grow):
    plan = grow(row(0, output="a.png"), row(1)).plan
    with pytest.raises(PlanError, match="other names of outputs"):
        grow(row(0, output="b.png"), row(1), row(2))
    with pytest.raises(PlanError, match="other names of outputs"):
        grow(row(0, output="a.png"), row(1, output="b.png"))
    assert grow(row(0), row(1, output="pair-1.png")).plan == plan  # says nothing, and says the same


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"output": "x.png"}, {"output": "x.png"}, r"row 1 .* has it too"),
        ({"output": "pair-1.png"}, {}, "which the pair 'pair-0' has that was planned before: change column output"),
        ({}, {"output": "pair-0.png"}, "which the pair 'pair-0' has that was planned before: change column output"),
        ({"output": "x.png"}, {"output": "x.png/y.png"}, "a folder that is the output of the planned pair 'pair-0'"),
        ({"output": "x.png/y.png"}, {"output": "x.png"}, "the planned pair 'pair-0' has .* in a folder .* of row 1"),
    ],
)
def test_new_rows_take_no_output_that_is_planned(grow, store, old, new, words):
    grow(row(0, **old))
    with pytest.raises((PlanError, ManifestError), match=words):
        grow(row(0), row(1, **new)) if "too" not in words else grow(row(0, **old), row(1, **new))
    assert len(load_plan(store).editions) == 1


def test_a_new_row_may_not_take_a_planned_output_that_its_row_no_longer_names(grow):
    grow(row(0, output="x.png"))
    with pytest.raises(PlanError, match=r"row 1 .* the output 'images/x.png', which the pair 'pair-0' has"):
        grow(row(0), row(1, output="x.png"))


def test_an_edition_spreads_its_names_by_all_rows(grow, monkeypatch):
    monkeypatch.setattr("jobs.plan.outputs._MANY_ROWS", 3)
    grow(*map(row, range(3)))
    plan = grow(*map(row, range(4))).plan
    assert [plan.shard(index).pairs[0].output for index in range(4)] == [
        "images/pair-0.png",
        "images/pair-1.png",
        "images/pair-2.png",
        "images/fd/pair-3.png",
    ]  # printf pair-3 | sha256sum


def test_a_manifest_that_shrinks_again_is_refused(grow):
    grow(row(0))
    grow(row(0), row(1))
    with pytest.raises(PlanError, match=r"2 rows then, 1 now; missing: 'pair-1'\)"):
        grow(row(0))


def test_a_changed_row_is_named_whatever_else_is_new(grow):
    grow(row(0), row(1))
    with pytest.raises(PlanError, match=r"2 rows then, 3 now; changed: 'pair-0'\)"):
        grow(row(0, style="/styles/b.jpg"), row(1), row(2))


def test_a_group_that_is_planned_gains_no_rows(grow, store):
    film = [row(number, group="film") for number in range(2)]
    plan = grow(row(9), *film).plan
    with pytest.raises(PlanError) as caught:
        grow(row(9), *film, row(2, group="film"), row(3))
    assert str(caught.value) == (
        f"{store.uri} holds the plan of another job: the group 'film' has gained rows, without which its pictures were"
        " planned: give these rows another group. Give another --output, or the same manifest, options and weights as"
        " before; a manifest may gain rows"
    )
    assert load_plan(store) == plan
    grown = grow(row(9), *film, row(2, group="film 2"), row(3, group="film 2"), row(4))
    assert (grown.added, pa.concat_tables(grown.plan.pages())["group"].to_pylist()) == (
        3, [None, "film", "film", "film 2", "film 2", None],
    )  # fmt: skip
    with pytest.raises(PlanError, match="the groups 'film', 'film 2' have gained rows, without which"):
        grow(row(9), *film, *(row(number, group="film 2") for number in (2, 3, 5)), row(4), row(6, group="film"))


@pytest.mark.parametrize(
    "fields", [{"style": "/styles/b.jpg"}, {"gate": 0.5}, {"method": "wct"}, {"style_resolution": 64}], ids=str
)
def test_a_group_may_be_done_in_another_way_as_well(grow, fields):
    """Which is another group, for it shares no map with the first."""
    film = [row(number, group="film", style_resolution=32) for number in range(2)]
    grow(*film)
    assert grow(*film, *({**row(number, group="film"), **fields} for number in (2, 3))).added == 2
    with pytest.raises(PlanError, match="the group 'film' has gained rows"):
        grow(*film, row(4, group="film", style_resolution=32, resolution=99, label="other"))


def test_of_racing_drivers_one_adds_the_edition(grow, store, tmp_path):
    grow(row(0))
    manifest = write_jsonl(tmp_path / "more.jsonl", map(row, range(7)))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda size: prepare(store, manifest, shard_size=size), (1, 2, 3, 2)))
    plan = load_plan(store)
    assert all(prepared.plan == plan for prepared in found)
    assert len(plan.editions) == 2
    assert sorted(chain.from_iterable(planned(plan))) == [f"pair-{n}" for n in range(7)]


def test_drivers_with_more_and_more_rows_end_up_with_all(store, tmp_path):
    manifests = [write_jsonl(tmp_path / f"{n}.jsonl", map(row, range(n))) for n in (1, 3, 6)]

    def tried(manifest):
        try:
            return prepare(store, manifest).added
        except PlanError:
            return None

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(tried, manifests))
    plan = prepare(store, manifests[-1]).plan
    assert sorted(chain.from_iterable(planned(plan))) == [f"pair-{n}" for n in range(6)]


def test_a_driver_killed_before_the_edition_counts_added_nothing(grow, store):
    first = grow(row(0)).plan
    grown = grow(row(0), row(1)).plan
    store.delete("plan/edition-0001.json")
    assert load_plan(store) == first
    assert grow(row(0), row(1)).plan == grown


@pytest.mark.parametrize(
    "damage",
    [
        lambda head: head[:-20],
        lambda head: head.replace(b'"first_shard": 1', b'"first_shard": 2'),
        lambda head: json.dumps({**json.loads(head), "previous": "0" * 64}).encode(),
    ],
)
def test_a_damaged_edition(grow, store, damage):
    grow(row(0))
    grow(row(0), row(1))
    key = "plan/edition-0001.json"
    store.write(key, damage(store.read(key)))
    with pytest.raises(PlanError, match=r"is damaged: give another --output, or restore plan.json and plan/ \(plan/ed"):
        load_plan(store)


def test_an_edition_of_another_plan_does_not_follow(grow, store, tmp_path):
    grow(row(0))
    grow(row(0), row(1))
    other = open_store(str(tmp_path / "other"))
    for count in (2, 3):
        prepare(other, write_jsonl(tmp_path / "m.jsonl", map(row, range(count))))
    store.write("plan/edition-0001.json", other.read("plan/edition-0001.json"))
    with pytest.raises(PlanError, match="it does not follow the edition before"):
        load_plan(store)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=4).map(sorted),
    sizes=st.lists(st.none() | st.integers(1, 5), min_size=4, max_size=4),
    seed=st.randoms(use_true_random=False),
)
def test_every_row_is_planned_once_however_the_manifest_grew(tmp_path_factory, counts, sizes, seed):
    folder = tmp_path_factory.mktemp("grown")
    store = open_store(str(folder / "job"))
    rows = [row(n, resolution=seed.choice([None, 16, 32]), style=f"/{seed.choice('abc')}") for n in range(12)]
    before = []
    for count, size in zip(counts, sizes, strict=False):
        now = rows[:count]
        seed.shuffle(now)
        prepared = prepare(store, write_jsonl(folder / "m.jsonl", now), shard_size=size)
        shards = list(prepared.plan.iter_shards())
        assert shards[: len(before)] == before
        assert sum(len(shard.pairs) for shard in shards) - sum(len(shard.pairs) for shard in before) == (
            prepared.added or (0 if before else count)
        )
        assert sorted(pair.pair_id for shard in shards for pair in shard.pairs) == sorted(r["pair_id"] for r in now)
        assert [shard.index for shard in shards] == list(range(prepared.plan.shards))
        assert [len(shard.pairs) for shard in shards] == [prepared.plan.rows_of(shard.index) for shard in shards]
        before = shards
