"""Plans: every pair once, in shards of one resolution, the same everywhere, and frozen once."""

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ift import OPTIONS, Settings
from jobs.errors import PlanError
from jobs.manifest import Defaults
from jobs.plan import SUFFIXES, PlannedPair, load_plan
from jobs.plan.shards import default_shard_size
from jobs.storage import check_key, open_store
from tests.jobs.plans import WEIGHTS, pairs_of, prepare, write_jsonl

OTHER_SETTINGS = "other resolutions, presets or settings, as options or as columns of the manifest"
OTHERWISE = "Give another --output, or the same manifest, options and weights as before; a manifest may gain rows"


def row(number, **fields):
    return {
        "pair_id": f"pair-{number}",
        "content": f"/photos/{number}.jpg",
        "style": "/styles/a.jpg",
        "resolution": 512,
        **fields,
    }


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "job"))


@pytest.fixture
def plan_of(tmp_path):
    """Plans rows, in a new store unless one is given."""
    count = 0

    def plan(*rows, store=None, **options):
        nonlocal count
        count += 1
        manifest = write_jsonl(tmp_path / "manifest.jsonl", rows)
        return prepare(store or open_store(str(tmp_path / f"job-{count}")), manifest, **options).plan

    return plan


# What a plan must be: the same in plain Python

STYLES = ["/s/a.jpg", "/s/b.jpg", "/s/ä.jpg", "/s/a", "/s/漢", "/s/\U0001f600", "/s/A.jpg"]
MASKS = {
    "none": {},
    "content": {"content_mask": "/masks/c.png"},
    "picture": {"content_mask": "/masks/c.png", "style_mask": "/masks/s.png"},
    "label": {"content_mask": "/masks/d.png", "style_mask": "3"},
    "mixed": {"content_mask": "/masks/c.png", "style_mask": "none"},
}
WORK = st.tuples(
    st.lists(st.sampled_from(STYLES), min_size=1, max_size=3),
    st.sampled_from([None, 64, 128, 4096]),
    st.sampled_from([None, 64]),
    st.sampled_from([{}, {"gate": 1.0}, {"gate": 0.5, "n_upd": 3}, {"preset": "photo"}, {"method": "wct"}]),
    st.sampled_from([None, "own/{}.tif", "{}.png", "ä/b c/{}.webp"]),
    st.sampled_from(sorted(MASKS)),
)


def rows_doing(works):
    rows = []
    for number, (styles, resolution, style_resolution, knobs, output, masks) in enumerate(works):
        given = {"content": f"/photos/{number % 3}.jpg", "style": styles, "pair_id": f"id-{number}", **knobs}
        masked = dict(MASKS[masks])
        if "style_mask" in masked:
            masked["style_mask"] = [masked["style_mask"]] * len(styles)
        given |= masked | {"resolution": resolution, "style_resolution": style_resolution}
        given["group"] = None if masked else [None, "reel 1", 2][number // 2 % 3]
        rows.append({**given, "output": output and output.format(number), "label": [None, "cat", "ä b"][number % 3]})
    return rows


def reference_pairs(rows, suffix):
    """What each row becomes, in the order of the manifest."""
    pairs = []
    for number, said in enumerate(rows):
        chosen = Settings.from_options(
            said.get("preset", "artistic"), **{name: said[name] for name in OPTIONS if name in said}
        )
        masks = said.get("style_mask", [None] * len(said["style"]))
        pairs.append(
            PlannedPair(
                row=number,
                pair_id=said["pair_id"],
                content=said["content"],
                styles=tuple(said["style"]),
                style_weights=(1 / len(said["style"]),) * len(said["style"]),
                content_mask=said.get("content_mask"),
                style_masks=tuple({"none": None, "3": "label:3"}.get(mask, mask) for mask in masks),
                resolution=said["resolution"],
                style_resolution=said["style_resolution"] or said["resolution"],
                output=f"images/{said['output'] or said['pair_id'] + suffix}",
                method=chosen.method_name,
                preset=said.get("preset", "artistic"),
                settings=chosen.to_json(),
                label=said["label"],
                group=said["group"] and str(said["group"]),
            )
        )
    return pairs


def reference_shards(pairs, size):
    """Sorted by resolution, then by what is done with which styles, and cut."""
    ordered = sorted(
        pairs,
        key=lambda p: (p.resolution or 0, p.styles, tuple(m or "" for m in p.style_masks), p.settings, p.row),
    )
    shards = []
    for _, group in groupby(ordered, key=lambda pair: pair.resolution):
        members = list(group)
        shards += [tuple(members[start : start + size]) for start in range(0, len(members), size)]
    return shards


MANIFESTS = st.lists(WORK, min_size=1, max_size=30).map(rows_doing)


@pytest.mark.slow
@pytest.mark.parametrize("few_recipes", [0, 1 << 17])
@settings(deadline=None, max_examples=40)
@given(rows=MANIFESTS, shard_size=st.integers(1, 20), data=st.data())
def test_a_plan_is_what_plain_python_makes_of_the_rows(tmp_path_factory, few_recipes, rows, shard_size, data):
    folder = tmp_path_factory.mktemp("job")
    store = open_store(str(folder / "out"))
    manifest = write_jsonl(folder / "m.jsonl", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.plan.pages._FEW_RECIPES", few_recipes)
        plan = prepare(store, manifest, image_format="jpeg", shard_size=shard_size).plan
    expected = reference_shards(reference_pairs(rows, ".jpg"), shard_size)
    shards = list(plan.iter_shards())
    assert [shard.pairs for shard in shards] == expected
    assert [shard.index for shard in shards] == list(range(plan.shards)) == list(range(len(expected)))
    assert {shard.fingerprint for shard in shards} == {plan.fingerprint}
    assert [plan.rows_of(index) for index in range(plan.shards)] == list(map(len, expected))
    assert [plan.record_key(shard.index) for shard in shards] == [shard.record_key for shard in shards]
    assert plan.rows == len(rows)
    assert all(check_key(pair.output) for shard in shards for pair in shard.pairs)
    table = pa.concat_tables(plan.pages()).to_pylist()
    assert [(row["shard"], row["pair_id"]) for row in table] == [
        (shard.index, pair.pair_id) for shard in shards for pair in shard.pairs
    ]
    done = data.draw(st.sets(st.integers(0, plan.shards - 1)))
    assert [shard.index for shard in plan.iter_shards(skip=done)] == sorted(set(range(plan.shards)) - done)
    assert load_plan(store) == plan
    assert list(load_plan(store).iter_shards()) == shards
    assert prepare(store, manifest, image_format="jpeg").plan == plan


def test_pages_hold_whole_shards(plan_of, monkeypatch):
    monkeypatch.setattr("jobs.plan.pages.PAGE_ROWS", 10)
    rows = [row(number, resolution=16 if number < 7 else 32) for number in range(40)]
    plan = plan_of(*rows, shard_size=4)
    (edition,) = plan.editions
    assert [(page.first_shard, page.shards, page.rows) for page in edition.pages] == [
        (0, 2, 7), (2, 2, 8), (4, 2, 8), (6, 2, 8), (8, 3, 9),
    ]  # fmt: skip
    assert edition.smaller == {1: 3, 10: 1}
    assert [len(page) for page in plan.pages()] == [page.rows for page in edition.pages]
    assert [pair.row for shard in plan.iter_shards() for pair in shard.pairs] == list(range(40))
    read = [plan.shard(index) for index in (10, 0, 5, 3, 9, 0)]
    assert [[pair.row for pair in shard.pairs] for shard in read] == [
        [39], [0, 1, 2, 3], [19, 20, 21, 22], [11, 12, 13, 14], [35, 36, 37, 38], [0, 1, 2, 3],
    ]  # fmt: skip


def test_a_shard_larger_than_a_page_is_one_page(plan_of, monkeypatch):
    monkeypatch.setattr("jobs.plan.pages.PAGE_ROWS", 10)
    plan = plan_of(*map(row, range(50)), shard_size=20)
    assert [page.rows for page in plan.editions[0].pages] == [20, 20, 10]
    assert [len(shard.pairs) for shard in plan.iter_shards()] == [20, 20, 10]


def test_one_style_comes_together(plan_of):
    rows = [row(number, style=f"/styles/{number % 5}.jpg", gate=number % 3 / 2) for number in range(40)]
    planned = [pair for shard in plan_of(*rows, shard_size=7).iter_shards() for pair in shard.pairs]
    groups = [(pair.resolution, pair.styles, pair.style_masks, pair.settings) for pair in planned]
    changes = sum(before != after for before, after in pairwise(groups))
    assert changes == len(set(groups)) - 1 == 14


def test_rows_of_equal_work_keep_their_order(plan_of):
    plan = plan_of(*map(row, range(40)), shard_size=16)
    assert [pair.row for shard in plan.iter_shards() for pair in shard.pairs] == list(range(40))


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        (1, 1),
        (64, 1),
        (65, 2),
        (640, 10),
        (2048, 32),
        (3000, 32),
        (130_000, 32),
        (200_000, 48),
        (1_000_000, 244),
        (10_000_000, 256),
    ],
)
def test_default_shard_size(rows, size):
    assert default_shard_size(rows) == size


def test_the_default_shard_size_is_used(plan_of):
    assert plan_of(*map(row, range(65))).shards == 33


def test_a_shard_names_its_records(plan_of):
    shard = plan_of(*map(row, range(13)), shard_size=1).shard(12)
    assert (shard.name, shard.record_key) == ("shard-000012", "records/shard-000012.parquet")


@pytest.mark.parametrize("index", [-1, 2])
def test_a_shard_that_is_not_planned(plan_of, index):
    plan = plan_of(row(0), row(1), shard_size=1)
    for ask in (plan.shard, plan.rows_of):
        with pytest.raises(IndexError, match=f"shard {index} of a plan of 2"):
            ask(index)


@pytest.mark.parametrize(("image_format", "suffix"), SUFFIXES.items())
def test_a_derived_output_has_the_suffix_of_the_format(plan_of, image_format, suffix):
    plan = plan_of(row(0), row(1, output="own.webp"), image_format=image_format)
    assert [pair.output for pair in pairs_of(plan)] == [f"images/pair-0{suffix}", "images/own.webp"]


def test_many_outputs_are_spread_over_folders(plan_of):
    rows = [row(number, output="own/0.png" if number == 0 else None) for number in range(10_001)]
    few, many = plan_of(*rows[:10_000]), plan_of(*rows)
    assert all(pair.output.count("/") == 1 for pair in few.shard(1).pairs)
    outputs = {pair.row: pair.output for pair in pairs_of(many)}
    assert outputs.pop(0) == "images/own/0.png"
    folders = Counter(output.split("/")[1] for output in outputs.values())
    assert len(folders) == 256
    assert max(folders.values()) < 80
    assert outputs[1] == "images/fd/pair-1.png"  # printf pair-1 | sha256sum


def test_very_many_outputs_are_spread_over_folders_of_folders(plan_of, monkeypatch):
    monkeypatch.setattr("jobs.plan.outputs._MANY_ROWS", 2)
    monkeypatch.setattr("jobs.plan.outputs._VERY_MANY_ROWS", 3)
    for count, depth in ((2, 0), (3, 1), (4, 2)):
        for pair in pairs_of(plan_of(*map(row, range(count)))):
            digest = hashlib.sha256(pair.pair_id.encode()).hexdigest()
            folders = "".join(f"{digest[2 * level : 2 * level + 2]}/" for level in range(depth))
            assert pair.output == f"images/{folders}{pair.pair_id}.png"


# What cannot be planned


def test_an_unknown_image_format(plan_of):
    with pytest.raises(PlanError, match="image format 'gif' is not supported: choose one of png, jpeg, webp, tiff"):
        plan_of(row(0), image_format="gif")


@pytest.mark.parametrize("tile", [0, -8, 120, 1020, 8200])
def test_tiles_that_are_none(plan_of, tile):
    with pytest.raises(PlanError, match=f"the tile is {tile} pixels: it must be a multiple of 8 from 128 to 8192"):
        plan_of(row(0), tile=tile)


@pytest.mark.parametrize("megapixels", [0, -1.5, float("inf"), float("nan")])
def test_megapixels_that_are_none(plan_of, megapixels):
    with pytest.raises(PlanError, match=rf"whole_megapixels is {megapixels:g}: it must be a finite number above 0"):
        plan_of(row(0), whole_megapixels=megapixels)


@pytest.mark.parametrize("phases", [0, 9])
def test_phases_that_are_none(plan_of, phases):
    with pytest.raises(PlanError, match=f"{phases} phases: there may be 1 to 8"):
        plan_of(row(0), phases=phases)


def test_how_results_in_parts_are_made_is_kept_in_the_plan(plan_of, store):
    plan_of(row(0), tile=128, whole_megapixels=2, phases=4, store=store)
    plan = load_plan(store)
    assert (plan.options["tile"], plan.options["whole_megapixels"], plan.options["phases"]) == (128, 2.0, 4)
    options = [plan_of(row(0), tile=tile).options for tile in (136, 8192)]
    assert [(each["tile"], each["whole_megapixels"]) for each in options] == [(136, 4.5), (8192, 4.5)]
    assert plan_of(row(0), tile=128, whole_megapixels=2.0, phases=4, store=store) == plan


def test_a_shard_size_below_one(plan_of):
    with pytest.raises(PlanError, match="shard size is 0: it must be 1 or more"):
        plan_of(row(0), shard_size=0)


def test_an_output_that_another_row_derives(plan_of):
    with pytest.raises(PlanError, match=r"rows 0 and 1 \(counting from 0\) have the same output 'images/pair-0.png'"):
        plan_of(row(0), row(1, output="pair-0.png"))
    assert plan_of(row(0), row(1, output="pair-0.png"), image_format="jpeg").rows == 2


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "deep/a.tiff"])
def test_an_output_below_another(plan_of, store, name):
    with pytest.raises(PlanError, match=r"row 0 .* in a folder that is the output of row 1: change column output"):
        plan_of(row(0, output=f"{name}/deep/b.png"), row(1, output=name), store=store)
    assert list(store.list("")) == []
    assert plan_of(row(0, output=f"{name}/deep/b.png"), row(1, output=f"{name}.png")).rows == 2


# Fingerprints


def test_the_same_work_has_the_same_fingerprint_and_bytes(tmp_path):
    rows = rows_doing([(["/s/b.jpg"], k % 3 * 16 or None, None, {}, None, "none") for k in range(20)])
    stores = [open_store(str(tmp_path / name)) for name in ("one", "two")]
    plans = [
        prepare(store, write_jsonl(tmp_path / f"{count}.jsonl", rows), shard_size=5).plan
        for count, store in enumerate(stores)
    ]
    assert plans[0].fingerprint == plans[1].fingerprint
    assert plans[0].editions[0].pages == plans[1].editions[0].pages
    for page in plans[0].editions[0].pages:
        assert stores[0].read(page.key) == stores[1].read(page.key)
    assert plans[0].fingerprint == prepare(open_store(str(tmp_path / "x")), tmp_path / "0.jsonl").plan.fingerprint


def test_the_fingerprint_is_the_same_on_every_machine_and_for_good(plan_of):
    """Should it have to change, PLAN_VERSION must too: jobs that were started before could not be resumed."""
    masked = row(2, content_mask="/masks/c.png", style_mask=3, label="n01440764")
    other = row(1, resolution=None, style=["/ä", "/b"], output="c.tif", group="reel")
    plan = plan_of(row(0), other, masked)
    texts = [Settings.from_options().to_json()] * 3
    assert [pair.settings for pair in pairs_of(plan)] == texts
    settings_of = [
        hashlib.sha256(canonical([size, size, "ift", "artistic", text])).hexdigest()
        for size, text in zip((512, None, 512), texts, strict=True)
    ]
    looks = [[["/styles/a.jpg"], [1.0], [None]], [["/ä", "/b"], [0.5, 0.5], [None, None]]]
    looks.append([["/styles/a.jpg"], [1.0], ["label:3"]])
    pairs = [
        [0, 1, 2],
        ["pair-0", "pair-1", "pair-2"],
        [f"/photos/{number}.jpg" for number in range(3)],
        [None, None, "/masks/c.png"],
        [None, None, "n01440764"],
        [None, "reel", None],
        [hashlib.sha256(canonical(look)).hexdigest() for look in looks],
    ]
    options = {
        "image_format": "png", "quality": 90, "layout": "objects", "tile": 1024, "whole_megapixels": 4.5, "phases": 1
    }  # fmt: skip
    outputs = [["images/pair-0.png", "images/c.tif", "images/pair-2.png"]]
    parts = {
        "pairs": hashlib.sha256(canonical(pairs)).hexdigest(),
        "settings": hashlib.sha256(canonical([settings_of])).hexdigest(),
        "outputs": hashlib.sha256(canonical(outputs)).hexdigest(),
        "options": hashlib.sha256(canonical(options)).hexdigest(),
        "weights": WEIGHTS,
    }
    assert plan.editions[0].parts == parts
    assert plan.fingerprint == hashlib.sha256(canonical([6, parts])).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def test_the_fingerprint_covers_all_rows_of_many_in_their_order(plan_of, monkeypatch):
    rows = [row(number, style=f"/styles/{number % 7}.jpg") for number in range(25)]
    whole = plan_of(*rows)
    monkeypatch.setattr("jobs.plan.prepare.CHUNK_ROWS", 10)
    plans = [plan_of(*rows), plan_of(*rows[::-1]), plan_of(*rows[:-1])]
    plans += [plan_of(*rows[:place], {**rows[place], "gate": 1}, *rows[place + 1 :]) for place in (0, 12, 24)]
    assert len({plan.fingerprint for plan in (whole, *plans)}) == 7
    assert plan_of(*rows).fingerprint == plans[0].fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"pair_id": "other"},
        {"content": "/photos/other.jpg"},
        {"style": "/styles/other.jpg"},
        {"style": ["/styles/a.jpg", "/styles/a.jpg"]},
        {"content_mask": "/masks/c.png"},
        {"content_mask": "/masks/c.png", "style_mask": "3"},
        {"method": "wct"},
        {"resolution": 256},
        {"resolution": None},
        {"style_resolution": 256},
        {"output": "other.png"},
        {"label": "cat"},
        {"group": "reel"},
        {"preset": "photo"},
        {"gate": 0.5},
    ],
    ids=str,
)
def test_the_fingerprint_tells_rows_apart(plan_of, change):
    assert plan_of(row(0), row(1)).fingerprint != plan_of(row(0), row(1, **change)).fingerprint


def test_the_fingerprint_tells_weights_of_styles_apart(plan_of):
    rows = [row(0, style=["/a", "/b"], style_weight=weights) for weights in ([1, 2], [2, 1])]
    assert plan_of(rows[0]).fingerprint != plan_of(rows[1]).fingerprint


def test_the_fingerprint_tells_jobs_apart(plan_of):
    plans = [
        plan_of(row(0), row(1)),
        plan_of(row(0)),
        plan_of(row(0, pair_id="pair-1"), row(1, pair_id="pair-0")),
        plan_of(row(0), row(1), weights="f" * 64),
        plan_of(row(0), row(1), image_format="jpeg"),
        plan_of(row(0), row(1), quality=80),
        plan_of(row(0), row(1), layout="webdataset"),
        plan_of(row(0), row(1), tile=512),
        plan_of(row(0), row(1), whole_megapixels=4),
    ]
    assert len({plan.fingerprint for plan in plans}) == len(plans)


# Freezing


def test_the_pairs_are_plain_parquet_files(plan_of, store, tmp_path):
    plan = plan_of(row(0), row(1), store=store)
    (page,) = plan.editions[0].pages
    assert sorted(store.list("")) == ["plan.json", page.key]
    assert page.key == f"plan/{plan.fingerprint[:16]}/00000-{page.sha256[:8]}.parquet"
    rows = pq.read_table(tmp_path / "job" / page.key).to_pylist()
    assert [(row["pair_id"], row["shard"]) for row in rows] == [("pair-0", 0), ("pair-1", 1)]
    head = json.loads(store.read("plan.json"))
    assert (head["version"], head["rows"], head["shards"]) == (6, 2, 2)
    assert head["manifest"] == plan.manifest == str(tmp_path / "manifest.jsonl")


def test_the_head_stays_small(plan_of, store):
    plan_of(*map(row, range(20_000)), store=store)
    assert len(store.read("plan.json")) < 2000 + 3 * 300


def test_freezing_again_keeps_the_stored_shards(plan_of, store):
    first = plan_of(*map(row, range(9)), shard_size=2, store=store)
    again = plan_of(*map(row, range(9)), shard_size=4, store=store)
    assert again == first
    assert again.shards == 5


def test_nothing_is_left_in_the_folder_for_temporary_files(plan_of, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    plan_of(*map(row, range(9)))
    with pytest.raises(PlanError):
        plan_of(row(0), row(1, output="pair-0.png"))
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("sizes", [[1, 2, 3], [2, 2, 2]])
def test_of_racing_drivers_one_decides_the_shards(store, tmp_path, sizes):
    manifest = write_jsonl(tmp_path / "m.jsonl", map(row, range(9)))
    with ThreadPoolExecutor(6) as pool:
        frozen = list(pool.map(lambda size: prepare(store, manifest, shard_size=size), sizes * 2))
    plan = load_plan(store)
    assert all((prepared.plan, prepared.added) == (plan, 0) for prepared in frozen)
    assert [pair.row for pair in pairs_of(plan)] == list(range(9))
    assert all(len(shard.pairs) == plan.rows_of(shard.index) for shard in plan.iter_shards())


def test_of_racing_drivers_with_different_work_one_wins(store, tmp_path):
    manifests = [write_jsonl(tmp_path / f"{n}.jsonl", [row(0, content=f"/{n}.jpg")]) for n in range(6)]

    def freeze(manifest):
        try:
            return prepare(store, manifest).plan
        except PlanError:
            return None

    with ThreadPoolExecutor(len(manifests)) as pool:
        frozen = list(pool.map(freeze, manifests))
    plan = load_plan(store)
    assert [(manifest, ours) for manifest, ours in zip(manifests, frozen, strict=True) if ours] == [
        (plan.manifest, plan)
    ]


def test_a_driver_killed_before_the_commit_mark_left_no_plan(plan_of, store):
    plan = plan_of(row(0), row(1), store=store)
    store.delete("plan.json")
    with pytest.raises(PlanError, match="holds no plan"):
        load_plan(store)
    other = plan_of(row(0), store=store)
    assert load_plan(store) == other != plan


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([row(0)], {}, "other pairs in the manifest (2 rows then, 1 now; missing: 'pair-1')"),
        (
            [row(0), row(1, content="/x")],
            {},
            "other pairs in the manifest (2 rows then, 2 now; changed: 'pair-1')",
        ),
        (
            [row(0, style="/x"), row(2)],
            {},
            "other pairs in the manifest (2 rows then, 2 now; missing: 'pair-1'; changed: 'pair-0')",
        ),
        ([row(0), row(1, gate=1)], {}, f"{OTHER_SETTINGS} (changed: 'pair-1')"),
        ([row(0), row(1, resolution=99)], {}, f"{OTHER_SETTINGS} (changed: 'pair-1')"),
        ([row(0), row(1)], {"defaults": Defaults("photo")}, f"{OTHER_SETTINGS} (changed: 'pair-0', 'pair-1')"),
        ([row(0), row(1, group="x")], {}, "other pairs in the manifest (2 rows then, 2 now; changed: 'pair-1')"),
        ([row(0), row(1, output="x.png")], {}, "other names of outputs (changed: 'pair-1')"),
        (
            [row(0), row(1)],
            {"image_format": "jpeg"},
            "other options of the output (image_format png, quality 90, layout objects, tile 1024, whole_megapixels"
            " 4.5, phases 1 then, image_format jpeg, quality 90, layout objects, tile 1024, whole_megapixels 4.5,"
            " phases 1 now)",
        ),
        (
            [row(0), row(1)],
            {"weights": "f" * 64},
            "other model weights (sha256 0123456789ab then, ffffffffffff now)",
        ),
    ],
)
def test_another_plan_is_refused_with_what_differs(plan_of, store, rows, options, words):
    stored = plan_of(row(0), row(1), store=store)
    with pytest.raises(PlanError) as caught:
        plan_of(*rows, store=store, **options)
    assert str(caught.value) == f"{store.uri} holds the plan of another job: {words}. {OTHERWISE}"
    assert load_plan(store) == stored


def test_all_that_differs_is_named(plan_of, store):
    plan_of(row(0), store=store)
    with pytest.raises(
        PlanError, match=r"other pairs .*; other resolutions.*; other options of the output.*; other model weights"
    ):
        plan_of(row(0, content="/x", resolution=99), weights="f" * 64, quality=1, store=store)


def test_of_many_differences_the_first_are_named(plan_of, store):
    plan_of(*map(row, range(9)), store=store)
    with pytest.raises(PlanError, match=r"missing: 'pair-0', 'pair-1', 'pair-2' and 3 more"):
        plan_of(*map(row, range(6, 9)), store=store)


def test_no_plan(store):
    with pytest.raises(PlanError, match=r"job holds no plan: nothing was run there yet"):
        load_plan(store)


@pytest.mark.parametrize(
    "damage",
    [
        lambda head: head[:30],
        lambda head: b"[]",
        lambda head: b'{"version": 6}',
        lambda head: b"\xff" + head,
        lambda head: head.replace(b'"rows": 2', b'"rows": 3'),
        lambda head: head.replace(b'"shards": 2', b'"shards": 1'),
        lambda head: head.replace(WEIGHTS.encode(), b"0" * 64),
    ],
)
def test_a_damaged_head(plan_of, store, damage):
    plan_of(row(0), row(1), store=store)
    head = store.read("plan.json")
    store.write("plan.json", damage(head))
    assert store.read("plan.json") != head
    with pytest.raises(PlanError, match=r"is damaged: give another --output, or restore plan.json and plan/"):
        load_plan(store)


@pytest.mark.parametrize(
    "damage",
    [
        lambda store, key: store.delete(key),
        lambda store, key: store.write(key, b"PAR1"),
        lambda store, key: store.write(key, store.read(key)[:-50]),
    ],
)
def test_a_damaged_page(plan_of, store, damage):
    plan = plan_of(row(0), row(1), store=store)
    damage(store, plan.editions[0].pages[0].key)
    for use in (lambda plan: plan.shard(1), lambda plan: list(plan.iter_shards()), lambda plan: list(plan.pages())):
        with pytest.raises(PlanError, match=r"is damaged: give another --output, or restore plan.json and plan/"):
            use(load_plan(store))


def test_the_pairs_of_another_plan_are_not_taken_for_its_own(plan_of, store, tmp_path):
    plan = plan_of(row(0), store=store)
    other_store = open_store(str(tmp_path / "other"))
    other = plan_of(row(0, content="/x"), store=other_store)
    store.write(plan.editions[0].pages[0].key, other_store.read(other.editions[0].pages[0].key))
    with pytest.raises(PlanError, match=r"damaged.*its pairs are not those of its fingerprint"):
        load_plan(store).shard(0)


def test_a_plan_of_another_version(plan_of, store):
    plan_of(row(0), store=store)
    store.write("plan.json", store.read("plan.json").replace(b'"version": 6', b'"version": 5'))
    with pytest.raises(PlanError, match="of version 5, this program reads version 6: use the program that started"):
        load_plan(store)


def test_from_a_manifest_file_to_shards(tmp_path, store):
    (tmp_path / "m.csv").write_text("content,style,resolution\na.jpg,s.jpg,64\nb.jpg,s.jpg,\nc.jpg,s.jpg,64\n")
    plan = prepare(store, tmp_path / "m.csv", Defaults(resolution=32), shard_size=8).plan
    assert [[pair.row for pair in shard.pairs] for shard in plan.iter_shards()] == [[1], [0, 2]]
    assert plan.shard(0).pairs[0].content == str(tmp_path / "b.jpg")


def test_without_room_to_plan_the_way_out_is_named(plan_of, store, monkeypatch):
    monkeypatch.setattr("jobs.plan.workspace._MEMORY", "1MB")
    with pytest.raises(PlanError, match=r"no room to plan in .*: free some, or set TMPDIR to a folder with more"):
        plan_of(*map(row, range(20_000)), store=store)
    assert list(store.list("")) == []
