import hashlib
from dataclasses import replace

import pytest
import torch

from ift import Stylizer, load_image
from ift.images import encode_image
from jobs.manifest import Defaults, read_manifest
from jobs.plan import make_plan
from jobs.records import decode_records
from jobs.worker import ShardWorker, WorkerConfig
from tests.jobs.pairs import picture, stripes, write_manifest


def plan_of(folder, rows=None, shard_size=100, contents=4, styles=2, **defaults):
    manifest = read_manifest(str(write_manifest(folder, contents, styles, rows)), Defaults(**defaults))
    return make_plan(manifest, weights="w", image_format="png", quality=95, shard_size=shard_size)


def worker_for(folder, plan, **changes):
    config = WorkerConfig(str(folder / "out"), plan.fingerprint, 95, None, None, io_threads=2, max_pixels=10**6)
    return ShardWorker(replace(config, **changes))


def test_pictures_are_what_the_library_makes_and_records_say_so(tmp_path):
    plan = plan_of(tmp_path, preset="photo")
    worker = worker_for(tmp_path, plan)
    outcome = worker.run(plan.shard(0))
    assert (outcome.done, outcome.failed) == (8, 0)
    records = decode_records((tmp_path / "out/records/shard-000000.parquet").read_bytes()).to_pylist()
    assert [record["row"] for record in records] == list(range(8))
    model = Stylizer.from_pretrained()
    for record, pair in zip(records, sorted(plan.shard(0).pairs, key=lambda p: p.row), strict=True):
        style = model.style(load_image(pair.styles[0]))
        expected = encode_image(model.stylize(load_image(pair.content), style, preset="photo"), "png")
        written = (tmp_path / "out" / record["output"]).read_bytes()
        assert written == expected
        assert record["sha256"] == hashlib.sha256(written).hexdigest() and record["bytes"] == len(written)
        assert (record["width"], record["height"]) == load_image(pair.content).shape[:0:-1]
        assert record["total_s"] >= record["encoder_s"] > 0
        assert record["fingerprint"] == plan.fingerprint and record["finished_at"] > 0


@pytest.fixture(scope="module")
def model():
    return Stylizer.from_pretrained()


def written(folder, plan, name):
    """The bytes of a picture that a run has written, by its pair's id."""
    (output,) = (pair.output for shard in plan.iter_shards() for pair in shard.pairs if pair.pair_id == name)
    return (folder / "out" / output).read_bytes()


def records_of(folder):
    records = decode_records((folder / "out/records/shard-000000.parquet").read_bytes()).to_pylist()
    return {record["pair_id"]: record for record in records}


QUICK = {"n_upd": 3}

METHODS = {
    "wct": {"method": "wct", "alpha": 0.5},
    "ost": {"method": "ost"},
    "adain": {"method": "adain", "alpha": (1, 1, 1, 0.5)},
    "avatar": {"method": "avatar"},
    "levels": {"method": "adain,ift,wct,avatar", "preset": "photo"},
    "nst": {"method": "nst", "nst_steps": 1},
    "colours": {"keep_colours": True},
    "guided": {"guided_radius": 3},
}


def test_every_method_gives_what_the_library_gives(tmp_path, model):
    def text(value):
        return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

    plain = {"content": "contents/c0.png", "style": "styles/s0.png;styles/s1.png", "style_weight": "3;1"}
    rows = [
        {**plain, "pair_id": name, **{column: text(value) for column, value in options.items()}}
        for name, options in METHODS.items()
    ]
    plan = plan_of(tmp_path, rows, contents=1, options=QUICK)
    worker = worker_for(tmp_path, plan, batch_size=8)
    assert worker.run(plan.shard(0)).failed == 0
    pictures = [load_image(tmp_path / f"styles/s{k}.png") for k in range(2)]
    content, records = load_image(tmp_path / "contents/c0.png"), records_of(tmp_path)
    results = {}
    for name, options in METHODS.items():
        style = model.style(pictures, [3, 1], patches="avatar" in str(options))
        results[name] = encode_image(model.stylize(content, style, **options, **QUICK), "png")
        assert written(tmp_path, plan, name) == results[name]
        assert records[name]["method"] == options.get("method", "ift")
    assert len(set(results.values())) == len(METHODS)


RED, BLUE = 256, 258


def test_masks_give_what_the_library_gives(tmp_path, model):
    content, styles = "contents/c0.png", "styles/s0.png;styles/s1.png"
    stripes(tmp_path / "masks/halves.png", "#ff0000", "#0000ff", size=(128, 96))  # twice its content's size
    stripes(tmp_path / "masks/thirds.png", "#0000ff", "#00ff00", "#ff0000", size=(60, 12))
    masks = {"free": "", "image": "masks/thirds.png;none", "both": "masks/thirds.png;blue", "label": "256;258"}
    rows = [
        {"pair_id": name, "content": content, "style": styles, "content_mask": "masks/halves.png", "style_mask": mask}
        for name, mask in masks.items()
    ]
    rows.append({"pair_id": "unmasked", "content": content, "style": styles})
    plan = plan_of(tmp_path, rows, contents=1, options=QUICK)
    assert worker_for(tmp_path, plan, batch_size=4).run(plan.shard(0)).failed == 0
    assert {record["attempts"] for record in records_of(tmp_path).values()} == {1}

    halves = torch.full((48, 64), RED)
    halves[:, 32:] = BLUE
    columns = torch.full((64,), BLUE)
    columns[(torch.arange(64) + 0.5) * 3 / 64 > 1], columns[(torch.arange(64) + 0.5) * 3 / 64 > 2] = 257, RED
    thirds = columns.expand(48, 64)
    picture, *pictures = (load_image(tmp_path / name) for name in (content, "styles/s0.png", "styles/s1.png"))
    labels = {"free": [None, None], "image": [thirds, None], "both": [thirds, BLUE], "label": [RED, BLUE]}
    results = {"unmasked": model.stylize(picture, model.style(pictures), **QUICK)}
    for name, each in labels.items():
        results[name] = model.stylize(picture, model.style(pictures, labels=each), labels=halves, **QUICK)
    expected = {name: encode_image(result, "png") for name, result in results.items()}
    assert {name: written(tmp_path, plan, name) for name in expected} == expected
    assert len(set(expected.values())) == 5


def test_masks_follow_the_resolution(tmp_path, model):
    stripes(tmp_path / "m.png", "#ff0000", "#0000ff")
    row = {"pair_id": "small", "content": "contents/c0.png", "style": "styles/s0.png", "content_mask": "m.png"}
    rows = [{**row, "style_mask": "m.png", "resolution": "48", "style_resolution": "56"}]
    plan = plan_of(tmp_path, rows, contents=1, styles=1, options=QUICK)
    worker = worker_for(tmp_path, plan)
    assert [worker.run(shard).failed for shard in plan.iter_shards()] == [0, 0]
    content, style = load_image(tmp_path / "contents/c0.png", 48), load_image(tmp_path / "styles/s0.png", 56)
    masks = [torch.full(image.shape[-2:], RED) for image in (content, style)]
    for mask in masks:
        mask[:, mask.shape[1] // 2 :] = BLUE
    expected = model.stylize(content, model.style(style, labels=masks[1]), labels=masks[0], **QUICK)
    assert expected.shape == (3, 36, 48)
    assert written(tmp_path, plan, "small") == encode_image(expected, "png")


def test_a_broken_mask_fails_alone_and_says_which_file(tmp_path):
    whole = stripes(tmp_path / "good.png", "#ff0000", "#0000ff")
    (tmp_path / "torn.png").write_bytes(whole.read_bytes()[:-40])
    stripes(tmp_path / "big.png", "#ff0000", "#0000ff", size=(1200, 900))
    masks = {
        "good": ("good.png", "good.png"),
        "missing": ("gone.png", "good.png"),
        "torn": ("torn.png", ""),
        "big": ("big.png", "red"),
        "no_mask": ("styles", "good.png"),
        "style_torn": ("good.png", "torn.png"),
        "style_missing": ("good.png", "gone.png"),
    }
    plain = {"content": "contents/c0.png", "style": "styles/s0.png"}
    rows = [
        {"pair_id": name, **plain, "content_mask": content, "style_mask": style}
        for name, (content, style) in masks.items()
    ]
    plan = plan_of(tmp_path, rows, options=QUICK)
    outcome = worker_for(tmp_path, plan, batch_size=4).run(plan.shard(0))
    records = records_of(tmp_path)
    failed = {name: record for name, record in records.items() if record["status"] == "failed"}
    assert set(failed) == set(masks) - {"good"}
    assert (outcome.done, outcome.failed) == (9, 6)
    for name, record in failed.items():
        culprit = masks[name]["style" in name]
        assert str(tmp_path / culprit) in record["error"]
        assert record["output"] is None
    assert failed["torn"]["error_type"] == failed["style_torn"]["error_type"] == "ImageError"


def test_rows_of_one_style_and_of_several_share_no_batch(tmp_path):
    picture(tmp_path / "styles/s2.png", 7)
    rows = [
        {"pair_id": f"{c}-{k}", "content": f"contents/c{c}.png", "style": f"styles/s0.png;styles/s{k}.png"}
        for c in range(4)
        for k in (1, 2)
    ]
    plan = plan_of(tmp_path, rows, options={"method": "adain"})
    single, batched = worker_for(tmp_path, plan), worker_for(tmp_path, plan, batch_size=4, output=str(tmp_path / "b"))
    for worker in (single, batched):
        worker.model = Stylizer.from_pretrained(dtype=torch.float32)
        assert {(record.status, record.attempts) for record in worker.stylize(plan.shard(0).pairs)} == {("done", 1)}
    for pair in plan.shard(0).pairs:
        one, other = (load_image(tmp_path / folder / pair.output) for folder in ("out", "b"))
        torch.testing.assert_close(one, other, rtol=0, atol=1.01 / 255)


def test_a_bad_row_fails_alone_and_says_why(tmp_path):
    picture(tmp_path / "big.png", 1, (1200, 900))
    (tmp_path / "torn.png").write_bytes(picture(tmp_path / "whole.png", 2).read_bytes()[:200])
    rows = [
        {"pair_id": "missing", "content": "nowhere.png", "style": "styles/s0.png"},
        {"pair_id": "torn", "content": "torn.png", "style": "styles/s0.png"},
        {"pair_id": "big", "content": "big.png", "style": "styles/s0.png"},
        {"pair_id": "style", "content": "contents/c0.png", "style": "gone.png"},
    ]
    plan = plan_of(tmp_path, rows)
    outcome = worker_for(tmp_path, plan).run(plan.shard(0))
    assert (outcome.done, outcome.failed) == (8, 4)
    records = decode_records((tmp_path / "out/records/shard-000000.parquet").read_bytes()).to_pylist()
    failed = {record["pair_id"]: record for record in records if record["status"] == "failed"}
    assert set(failed) == {"missing", "torn", "big", "style"}
    for name, hint in (("missing", "nowhere.png"), ("torn", "torn.png"), ("big", "max_pixels"), ("style", "gone.png")):
        assert hint in failed[name]["error"]
        assert failed[name]["output"] is None
    assert failed["torn"]["error_type"] == "ImageError"


def test_a_batch_gives_what_single_pictures_give(tmp_path):
    plan = plan_of(tmp_path)
    single, batched = worker_for(tmp_path, plan), worker_for(tmp_path, plan, batch_size=3, output=str(tmp_path / "b"))
    for worker in (single, batched):
        worker.model = Stylizer.from_pretrained(dtype=torch.float32)
        assert worker.run(plan.shard(0)).failed == 0
    for pair in plan.shard(0).pairs:
        one, other = (load_image(tmp_path / folder / pair.output) for folder in ("out", "b"))
        torch.testing.assert_close(one, other, rtol=0, atol=1.01 / 255)


def test_a_failing_batch_is_tried_one_by_one(tmp_path):
    plan = plan_of(tmp_path)
    worker = worker_for(tmp_path, plan, batch_size=4)
    stylize = worker.model.stylize

    def no_memory_for_many(contents, *arguments, **options):
        if len(contents) > 1:
            raise torch.OutOfMemoryError("a batch is too much")
        return stylize(contents, *arguments, **options)

    worker.model.stylize = no_memory_for_many
    records = worker.stylize(plan.shard(0).pairs)
    assert {record.status for record in records} == {"done"}
    assert {record.attempts for record in records} == {2}


def test_the_first_commit_stands(tmp_path):
    plan = plan_of(tmp_path)
    worker = worker_for(tmp_path, plan)
    worker.run(plan.shard(0))
    path = tmp_path / "out/records/shard-000000.parquet"
    first = path.read_bytes()
    pictures = {file: file.read_bytes() for file in (tmp_path / "out/images").iterdir()}
    worker.run(plan.shard(0))
    assert path.read_bytes() == first
    assert {file: file.read_bytes() for file in (tmp_path / "out/images").iterdir()} == pictures


def test_each_style_is_encoded_once(tmp_path):
    plan = plan_of(tmp_path, shard_size=3)
    worker = worker_for(tmp_path, plan)
    encoded = []
    compute = worker._styles._compute
    worker._styles._compute = lambda *style: encoded.append(1) or compute(*style)
    for shard in plan.iter_shards():
        worker.run(shard)
    assert len(encoded) == 2


@pytest.mark.parametrize("shard_size", [1, 3])
def test_results_do_not_depend_on_the_shards(tmp_path, shard_size):
    whole, parts = plan_of(tmp_path), plan_of(tmp_path, shard_size=shard_size)
    a, b = worker_for(tmp_path, whole), worker_for(tmp_path, parts, output=str(tmp_path / "parts"))
    a.run(whole.shard(0))
    for shard in parts.iter_shards():
        b.run(shard)
    for pair in whole.shard(0).pairs:
        assert (tmp_path / "out" / pair.output).read_bytes() == (tmp_path / "parts" / pair.output).read_bytes()
