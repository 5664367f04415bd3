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
from tests.jobs.pairs import picture, write_manifest


def plan_of(folder, rows=None, shard_size=100, **defaults):
    manifest = read_manifest(str(write_manifest(folder, rows=rows)), Defaults(**defaults))
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
    worker._styles._compute = lambda image: encoded.append(1) or compute(image)
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
