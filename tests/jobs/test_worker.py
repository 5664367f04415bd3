import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import jobs.worker as worker_module
from ift import Stylizer, load_image
from ift.images import encode_image
from jobs.errors import CredentialsError, StorageUnavailableError
from jobs.manifest import Defaults
from jobs.parts import contents as contents_module
from jobs.plan import prepare_plan
from jobs.records import decode_records
from jobs.storage import open_store
from jobs.storage.local import LocalStore
from jobs.work import Effort, WorkerConfig
from jobs.worker import ShardWorker
from tests.jobs.pairs import picture, read_run, stripes, write_manifest


def plan_of(folder, rows=None, shard_size=100, contents=4, styles=2, **defaults):
    manifest = write_manifest(folder, contents, styles, rows)
    store = open_store(str(folder / f"plan-of-{shard_size}"))
    plan_options = {"weights": "w", "image_format": "png", "quality": 95, "shard_size": shard_size}
    return prepare_plan(store, str(manifest), Defaults(**defaults), **plan_options).plan


def worker_for(folder, **changes):
    config = WorkerConfig(str(folder / "out"), 95, None, None, io_threads=2, max_pixels=10**6)
    return ShardWorker(replace(config, **changes))


def run(worker, shard, **effort):
    return worker.run(shard, Effort(**effort))


def stylize(worker, shard, **effort):
    return worker.work_on(shard, shard.pairs, Effort(**effort))


def test_pictures_are_what_the_library_makes_and_records_say_so(tmp_path):
    plan = plan_of(tmp_path, preset="photo")
    worker = worker_for(tmp_path)
    outcome = run(worker, plan.shard(0))
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
    worker = worker_for(tmp_path, batch_size=8)
    assert run(worker, plan.shard(0)).failed == 0
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
    assert run(worker_for(tmp_path, batch_size=4), plan.shard(0)).failed == 0
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
    worker = worker_for(tmp_path)
    assert [run(worker, shard).failed for shard in plan.iter_shards()] == [0, 0]
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
    outcome = run(worker_for(tmp_path, batch_size=4), plan.shard(0))
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
    single, batched = worker_for(tmp_path), worker_for(tmp_path, batch_size=4, output=str(tmp_path / "b"))
    for worker in (single, batched):
        worker.model = Stylizer.from_pretrained(dtype=torch.float32)
        assert {(record.status, record.attempts) for record in stylize(worker, plan.shard(0))} == {("done", 1)}
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
    outcome = run(worker_for(tmp_path), plan.shard(0))
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
    single, batched = worker_for(tmp_path), worker_for(tmp_path, batch_size=3, output=str(tmp_path / "b"))
    for worker in (single, batched):
        worker.model = Stylizer.from_pretrained(dtype=torch.float32)
        assert run(worker, plan.shard(0)).failed == 0
    for pair in plan.shard(0).pairs:
        one, other = (load_image(tmp_path / folder / pair.output) for folder in ("out", "b"))
        torch.testing.assert_close(one, other, rtol=0, atol=1.01 / 255)


def test_a_failing_batch_is_tried_one_by_one(tmp_path):
    plan = plan_of(tmp_path)
    worker = worker_for(tmp_path, batch_size=4)
    of_model = worker.model.stylize

    def no_memory_for_many(contents, *arguments, **options):
        if len(contents) > 1:
            raise torch.OutOfMemoryError("a batch is too much")
        return of_model(contents, *arguments, **options)

    worker.model.stylize = no_memory_for_many
    records = stylize(worker, plan.shard(0))
    assert {record.status for record in records} == {"done"}
    assert {record.attempts for record in records} == {2}


@pytest.mark.parametrize("function", ["decode_image", "encode_image"])
@pytest.mark.parametrize("again", [False, True], ids=["once", "always"])
def test_what_another_picture_left_no_memory_for_is_tried_when_that_is_over(tmp_path, monkeypatch, function, again):
    plan = plan_of(tmp_path, styles=1, options=QUICK)
    worker = worker_for(tmp_path)
    real, seen = getattr(worker_module, function), {}  # holds what it has seen, for an id may be given again

    def no_memory_at_first(picture, name, *rest):
        what = picture if isinstance(picture, bytes) else id(picture)
        if again or what not in seen:
            seen[what] = picture
            raise MemoryError
        assert worker.device.locked() or "styles" in name
        return real(picture, name, *rest)

    monkeypatch.setattr(worker_module, function, no_memory_at_first)
    records = stylize(worker, plan.shard(0))
    assert len(records) == 4
    assert {record.status for record in records} == ({"failed"} if again else {"done"})
    assert {record.error_type for record in records} == ({"OutOfMemoryError"} if again else {None})


def test_the_first_commit_stands(tmp_path):
    plan = plan_of(tmp_path)
    worker = worker_for(tmp_path)
    run(worker, plan.shard(0))
    path = tmp_path / "out/records/shard-000000.parquet"
    first = path.read_bytes()
    pictures = {file: file.read_bytes() for file in (tmp_path / "out/images").iterdir()}
    run(worker, plan.shard(0))
    assert path.read_bytes() == first
    assert {file: file.read_bytes() for file in (tmp_path / "out/images").iterdir()} == pictures


def test_each_style_is_encoded_once(tmp_path):
    plan = plan_of(tmp_path, shard_size=3)
    worker = worker_for(tmp_path)
    encoded = []
    compute = worker._styles._compute
    worker._styles._compute = lambda *style: encoded.append(1) or compute(*style)
    for shard in plan.iter_shards():
        run(worker, shard)
    assert len(encoded) == 2


@pytest.mark.parametrize("shard_size", [1, 3])
def test_results_do_not_depend_on_the_shards(tmp_path, shard_size):
    whole, parts = plan_of(tmp_path), plan_of(tmp_path, shard_size=shard_size)
    a, b = worker_for(tmp_path), worker_for(tmp_path, output=str(tmp_path / "parts"))
    run(a, whole.shard(0))
    for shard in parts.iter_shards():
        run(b, shard)
    for pair in whole.shard(0).pairs:
        assert (tmp_path / "out" / pair.output).read_bytes() == (tmp_path / "parts" / pair.output).read_bytes()


class Away:
    """Stands before a store and does not let through what has `word` in its name, as long as it is `away`."""

    def __init__(self, monkeypatch, word, error=StorageUnavailableError):
        self.word, self.error, self.away = word, error, True
        for owner, name in ((contents_module, "read_uri"), (LocalStore, "write")):
            monkeypatch.setattr(owner, name, self.guard(getattr(owner, name)))

    def guard(self, function):
        def guarded(*arguments, **options):
            if self.away and any(isinstance(part, str) and self.word in part for part in arguments):
                raise self.error("not now")
            return function(*arguments, **options)

        return guarded


@pytest.mark.parametrize("word", ["contents/c1", "styles/s1", "images/c2"])
def test_while_a_store_is_away_nothing_is_committed_and_no_row_is_blamed(tmp_path, monkeypatch, word):
    plan = plan_of(tmp_path, options=QUICK)
    worker, store = worker_for(tmp_path), Away(monkeypatch, word)
    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            run(worker, plan.shard(0))
    assert not (tmp_path / "out/records").exists()
    store.away = False
    assert run(worker, plan.shard(0), tries=2).failed == 0
    assert {record["attempts"] for record in records_of(tmp_path).values()} == {3}


def test_what_a_store_never_delivers_fails_at_last_but_the_output_never_does(tmp_path, monkeypatch):
    plan = plan_of(tmp_path, options=QUICK)
    worker, _ = worker_for(tmp_path), Away(monkeypatch, "contents/c1")
    assert run(worker, plan.shard(0), last=True).failed == 2
    failed = [record for record in records_of(tmp_path).values() if record["status"] == "failed"]
    assert {record["error_type"] for record in failed} == {"StorageUnavailableError"}
    Away(monkeypatch, "images/c2")
    with pytest.raises(StorageUnavailableError):
        stylize(worker, plan.shard(0), last=True)


def test_refused_credentials_blame_no_row(tmp_path, monkeypatch):
    plan = plan_of(tmp_path, options=QUICK)
    Away(monkeypatch, "contents/c1", CredentialsError)
    with pytest.raises(CredentialsError):
        run(worker_for(tmp_path), plan.shard(0), last=True)
    assert not (tmp_path / "out/records").exists()


def test_only_the_rows_asked_for_are_redone(tmp_path):
    rows = [{"pair_id": "late", "content": "late.png", "style": "styles/s0.png"}]
    plan = plan_of(tmp_path, rows, options=QUICK)
    worker = worker_for(tmp_path)
    assert run(worker, plan.shard(0)).failed == 1
    before = records_of(tmp_path)
    picture(tmp_path / "late.png", 9)
    outcome = run(worker, plan.shard(0), rows=frozenset({8}))
    assert (outcome.done, outcome.failed) == (1, 0)
    after = records_of(tmp_path)
    assert after["late"]["status"] == "done" and after["late"]["attempts"] == 2 and after["late"]["row"] == 8
    assert hashlib.sha256(written(tmp_path, plan, "late")).hexdigest() == after["late"]["sha256"]
    assert {name: record for name, record in after.items() if name != "late"} == {
        name: record for name, record in before.items() if name != "late"
    }


def test_files_that_are_too_large_or_out_of_bounds_fail_alone(tmp_path):
    size = picture(tmp_path / "contents/c0.png", 0).stat().st_size
    (tmp_path / "contents/large.png").write_bytes(bytes(20 * size))
    picture(tmp_path / "elsewhere/c.png", 1)
    rows = [
        {"pair_id": "large", "content": "contents/large.png", "style": "styles/s0.png"},
        {"pair_id": "outside", "content": "elsewhere/c.png", "style": "styles/s0.png"},
    ]
    plan = plan_of(tmp_path, rows, options=QUICK)
    allowed = (str(tmp_path / "contents"), str(tmp_path / "styles"))
    worker = worker_for(tmp_path, most_bytes=10 * size, allowed=allowed)
    assert run(worker, plan.shard(0)).failed == 2
    records = records_of(tmp_path)
    assert str(20 * size) in records["large"]["error"].replace(",", "")
    assert "elsewhere" in records["outside"]["error"]


def test_a_sign_of_life_for_every_stage(tmp_path):
    plan = plan_of(tmp_path, options=QUICK)
    worker = worker_for(tmp_path)
    run(worker, plan.shard(0))
    assert worker.beats >= 3 * plan.rows


PROGRAM = """
import sys
from jobs.plan import load_plan
from jobs.storage import open_store
from jobs.storage.local import LocalStore
from jobs.work import Effort, WorkerConfig
from jobs.worker import ShardWorker
plan, output = sys.argv[1:]
config = WorkerConfig(output, 95, None, None, io_threads=2, max_pixels=10**9, memory=3 << 29)
worker = ShardWorker(config)
for shard in load_plan(open_store(plan)).iter_shards():
    worker.run(shard, Effort())
"""


@pytest.mark.slow
def test_a_picture_too_large_for_memory_is_a_failed_row_and_the_worker_lives_on(tmp_path):
    picture(tmp_path / "huge.png", 3, (2000, 1500))
    rows = [{"pair_id": "huge", "content": "huge.png", "style": "styles/s0.png"}]
    plan_of(tmp_path, rows, shard_size=4, options=QUICK)
    arguments = [str(tmp_path / "plan-of-4"), str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    records = {record["pair_id"]: record for record in read_run(tmp_path / "out")}
    assert records["huge"]["error_type"] == "OutOfMemoryError", records["huge"]["error"]
    assert "1.5 GiB" in records["huge"]["error"]
    failed = {name: record["error"] for name, record in records.items() if record["status"] == "failed"}
    assert failed.keys() == {"huge"}, failed
    assert len(records) == 9
