"""Plans: every pair once, in shards of one resolution, the same everywhere, and frozen once."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import pairwise

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ift import Settings
from jobs.errors import PlanError
from jobs.manifest import Defaults, Manifest, Pair, read_manifest
from jobs.plan import SUFFIXES, Plan, freeze_plan, load_plan, make_plan
from jobs.storage import check_key, open_store

OTHER_SETTINGS = "other resolutions, presets or settings, as options or as columns of the manifest"
WEIGHTS = "0123456789abcdef" * 4
SETTINGS = [Settings.from_options().to_json(), Settings.from_options(gate=1).to_json()]


def pair(row, **fields):
    plain = Pair(
        row=row,
        pair_id=f"pair-{row}",
        content=f"/photos/{row}.jpg",
        styles=("/styles/a.jpg",),
        style_weights=(1.0,),
        content_mask=None,
        style_masks=(None,),
        resolution=512,
        style_resolution=None,
        output=None,
        method="ift",
        preset="artistic",
        settings=SETTINGS[0],
    )
    return replace(plain, **fields)


def manifest_of(*pairs, uri="/data/manifest.csv"):
    return Manifest(uri, list(pairs))


def plan_of(*pairs, weights=WEIGHTS, image_format="png", quality=90, shard_size=None):
    return make_plan(
        manifest_of(*pairs), weights=weights, image_format=image_format, quality=quality, shard_size=shard_size
    )


WORK = st.tuples(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=2),
    st.sampled_from([None, 64, 128, 4096]),
    st.sampled_from([None, 64]),
    st.sampled_from(SETTINGS),
    st.booleans(),
    st.sampled_from(
        [(None, None), ("/masks/c.png", None), ("/masks/c.png", "/masks/s.png"), ("/masks/c.png", "label:3")]
    ),
)


def manifest_doing(works):
    return manifest_of(
        *(
            pair(
                row,
                styles=tuple(styles),
                style_weights=(1 / len(styles),) * len(styles),
                resolution=resolution,
                style_resolution=style_resolution,
                settings=text,
                output=f"own/{row}.tif" if named else None,
                content_mask=content_mask,
                style_masks=(style_mask,) * len(styles),
            )
            for row, (styles, resolution, style_resolution, text, named, (content_mask, style_mask)) in enumerate(works)
        )
    )


MANIFESTS = st.lists(WORK, min_size=1, max_size=30).map(manifest_doing)
SHARD_SIZES = st.none() | st.integers(1, 20)


def made(manifest, shard_size):
    return make_plan(manifest, weights=WEIGHTS, image_format="jpeg", quality=90, shard_size=shard_size)


@settings(deadline=None, max_examples=50)
@given(manifest=MANIFESTS, shard_size=SHARD_SIZES)
def test_every_pair_is_planned_once_and_unchanged(manifest, shard_size):
    plan = made(manifest, shard_size)
    planned = sorted((pair for shard in plan.iter_shards() for pair in shard.pairs), key=lambda pair: pair.row)
    assert plan.rows == len(planned)
    for before, after in zip(manifest.pairs, planned, strict=True):
        own = before.output or f"{before.pair_id}.jpg"
        assert asdict(after) == {**asdict(before), "output": f"images/{own}"}
        assert check_key(after.output)


@settings(deadline=None, max_examples=50)
@given(manifest=MANIFESTS, shard_size=SHARD_SIZES)
def test_shards_hold_one_resolution_and_are_as_few_as_that_allows(manifest, shard_size):
    plan = made(manifest, shard_size)
    shards = list(plan.iter_shards())
    assert [shard.index for shard in shards] == list(range(plan.shards))
    assert all(0 < len(shard.pairs) <= plan.shard_size for shard in shards)
    assert [plan.rows_of(shard.index) for shard in shards] == [len(shard.pairs) for shard in shards]
    assert [plan.record_key(shard.index) for shard in shards] == [shard.record_key for shard in shards]
    assert all(len({pair.resolution for pair in shard.pairs}) == 1 for shard in shards)
    resolutions = Counter(pair.resolution for pair in manifest.pairs)
    assert plan.shards == sum(-(-count // plan.shard_size) for count in resolutions.values())


@settings(deadline=None, max_examples=50)
@given(manifest=MANIFESTS)
def test_one_style_comes_together(manifest):
    planned = [pair for shard in made(manifest, 7).iter_shards() for pair in shard.pairs]
    groups = [(pair.resolution, pair.styles, pair.style_masks, pair.settings) for pair in planned]
    changes = sum(before != after for before, after in pairwise(groups))
    assert changes == len(set(groups)) - 1


def test_rows_of_equal_work_keep_their_order():
    plan = plan_of(*(pair(row) for row in range(40)), shard_size=16)
    assert [pair.row for shard in plan.iter_shards() for pair in shard.pairs] == list(range(40))


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (64, 1), (65, 2), (640, 10), (2048, 32), (3000, 32)])
def test_default_shard_size(rows, size):
    assert plan_of(*(pair(row) for row in range(rows))).shard_size == size


def test_a_shard_names_its_records():
    shard = plan_of(*(pair(row) for row in range(13)), shard_size=1).shard(12)
    assert (shard.name, shard.record_key) == ("shard-000012", "records/shard-000012.parquet")


@pytest.mark.parametrize("index", [-1, 2])
def test_a_shard_that_is_not_planned(index):
    with pytest.raises(IndexError, match=f"shard {index} of a plan of 2"):
        plan_of(pair(0), pair(1), shard_size=1).shard(index)


@pytest.mark.parametrize(("image_format", "suffix"), SUFFIXES.items())
def test_a_derived_output_has_the_suffix_of_the_format(image_format, suffix):
    plan = plan_of(pair(0), pair(1, output="own.webp"), image_format=image_format)
    assert [pair.output for pair in plan.shard(0).pairs + plan.shard(1).pairs] == [
        f"images/pair-0{suffix}",
        "images/own.webp",
    ]


def test_many_outputs_are_spread_over_folders():
    pairs = [pair(row, output="own/0.png" if row == 0 else None) for row in range(10_001)]
    few, many = plan_of(*pairs[:10_000]), plan_of(*pairs)
    assert all(pair.output.count("/") == 1 for pair in few.shard(1).pairs)
    outputs = {pair.row: pair.output for shard in many.iter_shards() for pair in shard.pairs}
    assert outputs.pop(0) == "images/own/0.png"
    folders = Counter(output.split("/")[1] for output in outputs.values())
    assert len(folders) == 256
    assert max(folders.values()) < 80
    assert outputs[1] == "images/fd/pair-1.png"  # printf pair-1 | sha256sum


# What cannot be planned


def test_an_unknown_image_format():
    with pytest.raises(PlanError, match="image format 'gif' is not supported: choose one of png, jpeg, webp, tiff"):
        plan_of(pair(0), image_format="gif")


def test_a_shard_size_below_one():
    with pytest.raises(PlanError, match="shard size is 0: it must be 1 or more"):
        plan_of(pair(0), shard_size=0)


def test_an_output_that_another_row_derives():
    with pytest.raises(PlanError, match=r"rows 0 and 1 \(counting from 0\) have the same output 'images/pair-0.png'"):
        plan_of(pair(0), pair(1, output="pair-0.png"))
    assert plan_of(pair(0), pair(1, output="pair-0.png"), image_format="jpeg").rows == 2


def test_an_output_below_another():
    with pytest.raises(PlanError, match=r"row 0 .* in a folder that is the output of row 1: change column output"):
        plan_of(pair(0, output="a.png/deep/b.png"), pair(1, output="a.png"))


# Fingerprints


@settings(deadline=None, max_examples=25)
@given(manifest=MANIFESTS, size=st.integers(1, 50))
def test_the_same_work_has_the_same_fingerprint_and_bytes(tmp_path_factory, manifest, size):
    first, second = made(manifest, None), made(replace(manifest, uri="/elsewhere.parquet"), size)
    assert first.fingerprint == second.fingerprint
    stores = [open_store(str(tmp_path_factory.mktemp("job"))) for _ in range(2)]
    for store, plan in zip(stores, (first, second), strict=True):
        freeze_plan(store, plan)
    assert stores[0].read(first.table_key) == stores[1].read(second.table_key)


def test_the_fingerprint_is_the_same_on_every_machine_and_for_good():
    """Should it have to change, PLAN_VERSION must too: jobs that were started before could not be resumed."""
    masked = pair(2, settings="{}", content_mask="/masks/c.png", style_masks=("label:3",))
    other = pair(1, settings="{}", resolution=None, styles=("ä", "b"), style_masks=(None, None), output="c.tif")
    plan = plan_of(pair(0, settings="{}"), other, masked)
    assert plan.fingerprint == "aec420490063b3dd2fd8088418219ce5d3cc4fbe3a7faae1b1cdde49e8d72790"


@pytest.mark.parametrize(
    "change",
    [
        {"pair_id": "other"},
        {"content": "/photos/other.jpg"},
        {"styles": ("/styles/other.jpg",)},
        {"style_weights": (0.5,)},
        {"content_mask": "/masks/c.png"},
        {"style_masks": ("label:3",)},
        {"method": "wct"},
        {"resolution": 256},
        {"resolution": None},
        {"style_resolution": 256},
        {"output": "other.png"},
        {"preset": "photo"},
        {"settings": SETTINGS[1]},
    ],
    ids=str,
)
def test_the_fingerprint_tells_rows_apart(change):
    assert plan_of(pair(0), pair(1)).fingerprint != plan_of(pair(0), pair(1, **change)).fingerprint


def test_the_fingerprint_tells_jobs_apart():
    plans = [
        plan_of(pair(0), pair(1)),
        plan_of(pair(0)),
        plan_of(pair(0, pair_id="pair-1"), pair(1, pair_id="pair-0")),
        plan_of(pair(0), pair(1), weights="f" * 64),
        plan_of(pair(0), pair(1), image_format="jpeg"),
        plan_of(pair(0), pair(1), quality=80),
    ]
    assert len({plan.fingerprint for plan in plans}) == len(plans)


# Freezing


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "job"))


def shards_of(plan: Plan):
    return list(plan.iter_shards())


@settings(deadline=None, max_examples=25)
@given(manifest=MANIFESTS, size=SHARD_SIZES)
def test_a_frozen_plan_comes_back_as_it_was(tmp_path_factory, manifest, size):
    store, plan = open_store(str(tmp_path_factory.mktemp("job"))), made(manifest, size)
    assert freeze_plan(store, plan) == plan
    assert load_plan(store) == plan
    assert shards_of(load_plan(store)) == shards_of(plan)


def test_the_pairs_are_a_plain_parquet_file(store, tmp_path):
    plan = freeze_plan(store, plan_of(pair(0), pair(1)))
    assert sorted(store.list("")) == ["plan.json", plan.table_key]
    assert plan.table_key == f"plan/{plan.fingerprint[:16]}.parquet"
    rows = pq.read_table(tmp_path / "job" / plan.table_key).to_pylist()
    assert [row["pair_id"] for row in rows] == ["pair-0", "pair-1"]
    head = json.loads(store.read("plan.json"))
    assert (head["rows"], head["shards"], head["manifest"]) == (2, 2, "/data/manifest.csv")


def test_freezing_again_keeps_the_stored_shards(store):
    first = freeze_plan(store, plan_of(*map(pair, range(9)), shard_size=2))
    again = freeze_plan(store, plan_of(*map(pair, range(9)), shard_size=4))
    assert again == first
    assert (again.shard_size, again.shards) == (2, 5)


@pytest.mark.parametrize("sizes", [[1, 2, 3], [2, 2, 2]])
def test_of_racing_drivers_one_decides_the_shards(store, sizes):
    plans = [plan_of(*map(pair, range(9)), shard_size=size) for size in sizes * 4]
    with ThreadPoolExecutor(len(plans)) as pool:
        frozen = list(pool.map(lambda plan: freeze_plan(store, plan), plans))
    assert all(plan == frozen[0] == load_plan(store) for plan in frozen)


def test_of_racing_drivers_with_different_work_one_wins(store):
    plans = [plan_of(pair(0, content=f"{driver}.jpg")) for driver in range(8)]

    def freeze(plan):
        try:
            return freeze_plan(store, plan)
        except PlanError:
            return None

    with ThreadPoolExecutor(len(plans)) as pool:
        frozen = list(pool.map(freeze, plans))
    assert [(ours, plan) for ours, plan in zip(frozen, plans, strict=True) if ours] == [
        (load_plan(store), load_plan(store))
    ]


def test_a_driver_killed_before_the_commit_mark_left_no_plan(store):
    plan = plan_of(pair(0), pair(1))
    freeze_plan(store, plan)
    store.delete("plan.json")
    with pytest.raises(PlanError, match="holds no plan"):
        load_plan(store)
    other = freeze_plan(store, plan_of(pair(0)))
    assert load_plan(store) == other != plan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pairs": [pair(0)]}, "other pairs in the manifest (2 rows then, 1 now)"),
        ({"pairs": [pair(0), pair(1, content="x")]}, "other pairs in the manifest (2 rows then, 2 now)"),
        ({"pairs": [pair(0), pair(1, settings=SETTINGS[1])]}, OTHER_SETTINGS),
        ({"pairs": [pair(0), pair(1, resolution=9)]}, OTHER_SETTINGS),
        ({"pairs": [pair(0), pair(1, output="x.png")]}, "other names of outputs"),
        (
            {"image_format": "jpeg"},
            "other image options (image_format png, quality 90 then, image_format jpeg, quality 90 now)",
        ),
        ({"weights": "f" * 64}, "other model weights (sha256 0123456789ab then, ffffffffffff now)"),
    ],
)
def test_another_plan_is_refused_with_what_differs(store, change, words):
    stored = freeze_plan(store, plan_of(pair(0), pair(1)))
    with pytest.raises(PlanError) as caught:
        freeze_plan(store, plan_of(*change.pop("pairs", [pair(0), pair(1)]), **change))
    message = str(caught.value)
    assert message == (
        f"{store.uri} holds the plan of another job: {words}. Give another --output,"
        " or the same manifest, options and weights as before"
    )
    assert load_plan(store) == stored


def test_all_that_differs_is_named(store):
    freeze_plan(store, plan_of(pair(0)))
    with pytest.raises(PlanError, match=r"other pairs .*; other resolutions.*; other image.*; other model weights"):
        freeze_plan(store, plan_of(pair(0, content="x", resolution=9), weights="f" * 64, quality=1))


def test_no_plan(store):
    with pytest.raises(PlanError, match=r"job holds no plan: nothing was run there yet"):
        load_plan(store)


@pytest.mark.parametrize(
    "damage",
    [
        lambda store, plan: store.write("plan.json", b'{"version": 2, "fing'),
        lambda store, plan: store.write("plan.json", b"[]"),
        lambda store, plan: store.write("plan.json", b'{"version": 2}'),
        lambda store, plan: store.delete(plan.table_key),
        lambda store, plan: store.write(plan.table_key, b"PAR1"),
        lambda store, plan: store.write(plan.table_key, store.read(plan.table_key)[:-50]),
    ],
)
def test_a_damaged_plan(store, damage):
    damage(store, freeze_plan(store, plan_of(pair(0), pair(1))))
    with pytest.raises(PlanError, match=r"is damaged: give another --output, or restore plan.json and plan/"):
        load_plan(store)


def test_the_pairs_of_another_plan_are_not_taken_for_its_own(store, tmp_path):
    plan = freeze_plan(store, plan_of(pair(0)))
    other_store = open_store(str(tmp_path / "other"))
    other = freeze_plan(other_store, plan_of(pair(0, content="x")))
    store.write(plan.table_key, other_store.read(other.table_key))
    with pytest.raises(PlanError, match=r"damaged.*its pairs are not those of its fingerprint"):
        load_plan(store)


def test_a_plan_of_another_version(store):
    freeze_plan(store, plan_of(pair(0)))
    store.write("plan.json", store.read("plan.json").replace(b'"version": 2', b'"version": 1'))
    with pytest.raises(PlanError, match="of version 1, this program reads version 2: use the program that started"):
        load_plan(store)


def test_from_a_manifest_file_to_shards(tmp_path):
    (tmp_path / "m.csv").write_text("content,style,resolution\na.jpg,s.jpg,64\nb.jpg,s.jpg,\nc.jpg,s.jpg,64\n")
    manifest = read_manifest(str(tmp_path / "m.csv"), Defaults(resolution=32))
    plan = freeze_plan(
        open_store(str(tmp_path / "job")),
        make_plan(manifest, weights=WEIGHTS, image_format="png", quality=90, shard_size=8),
    )
    assert [[pair.row for pair in shard.pairs] for shard in plan.iter_shards()] == [[1], [0, 2]]
    assert plan.shard(0).pairs[0].content == str(tmp_path / "b.jpg")
