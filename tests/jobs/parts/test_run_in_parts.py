"""Large pictures and groups through the main job: real workers, real kills."""

import hashlib
import io
import json
import os
import signal

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from ift import Settings, Stylizer, load_image
from ift.box import Box
from ift.parts import InMemory, Picture
from ift.parts.in_parts import stylize_in_parts
from ift.parts.scratch import Scratch
from ift.raw_picture import RawPicture
from tests.jobs.drivers import call
from tests.jobs.pairs import assert_whole, picture, stripes
from tests.jobs.test_stylize_killed import start, started, wait_for  # noqa: F401 (a fixture)

pytestmark = pytest.mark.slow

LARGE, SMALL = (232, 190), (64, 48)
FLAGS = ("--whole-megapixels", 0.02, "--tile", 128, "--image-format", "png", "--n-upd", 3, "--resolution", 0)


def frames(group, *names):
    return [{"pair_id": name, "content": f"{name}.png", "style": "s2.png", "group": group} for name in names]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two small pairs, a large one, a large one with masks, and a group of three frames of which one is large."""
    folder = tmp_path_factory.mktemp("dataset")
    for name, size in (("small", SMALL), ("large", LARGE), ("f1", SMALL), ("f2", SMALL), ("f3", LARGE)):
        picture(folder / f"{name}.png", sum(map(ord, name)), size)
    for number in (1, 2):
        picture(folder / f"s{number}.png", 100 + number)
    stripes(folder / "m.png", "#ff0000", "#0000ff", size=LARGE)
    rows = [
        {"pair_id": "small", "content": "small.png", "style": "s1.png"},
        {"pair_id": "large", "content": "large.png", "style": "s1.png"},
        {"pair_id": "masked", "content": "large.png", "style": ["s1.png", "s2.png"], "content_mask": "m.png",
         "style_mask": ["red", "blue"]},
        *frames("film", "f1", "f2", "f3"),
        {"pair_id": "other", "content": "f1.png", "style": "s2.png"},
    ]  # fmt: skip
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


@pytest.fixture(scope="module")
def clean(dataset, tmp_path_factory):
    output = tmp_path_factory.mktemp("clean") / "out"
    result = call("run", "--manifest", dataset, "--output", output, *FLAGS)
    assert result.returncode == 0, result.stdout + result.stderr
    return output


def pictures_of(output):
    return {path.name: path.read_bytes() for path in output.glob("images/**/*.png")}


def by_id(output, rows=7):
    return {record["pair_id"]: record for record in assert_whole(output, rows)}


def in_parts(model, contents, style, folder, tile=None, phases=1):
    """What the library makes of a group."""
    folder.mkdir(exist_ok=True)
    raws = []
    for number, content in enumerate(contents):
        raws.append(RawPicture(folder / f"{number}.raw", *content.shape[1:]).create())

    group = [Picture(InMemory(content), raw.write) for content, raw in zip(contents, raws, strict=True)]
    settings = Settings.from_options("artistic", n_upd=3)
    stylize_in_parts(model, group, style, settings, Scratch(folder / "scratch"), tile=tile, phases=phases)
    return [raw.read(Box(0, 0, raw.height, raw.width)) for raw in raws]


def test_every_pair_is_made_in_its_way_and_nothing_is_left_over(clean):
    records = by_id(clean)
    assert all(record["status"] == "done" and record["attempts"] == 1 for record in records.values())
    assert (records["large"]["width"], records["large"]["height"]) == LARGE
    assert all(records[name]["encoder_s"] > 0 and records[name]["decoder_s"] > 0 for name in ("large", "f1", "small"))
    assert not list(clean.glob("parts/**/*.parquet")) and not list(clean.glob("parts/**/*.png"))
    summary = json.loads((clean / "summary.json").read_text())
    assert (summary["done"], summary["failed"], summary["left"], summary["retried"]) == (7, 0, 0, 0)


def test_a_large_picture_is_what_the_library_makes_of_it(clean, dataset, tmp_path):
    model = Stylizer.from_pretrained()
    content, style = (load_image(dataset.parent / name) for name in ("large.png", "s1.png"))
    (expected,) = in_parts(model, [content], model.style(style), tmp_path, tile=128)
    made = load_image(clean / by_id(clean)["large"]["output"])
    assert torch.equal(made, expected)
    whole = model.stylize(content, model.style(style), n_upd=3)
    assert float((made - whole).abs().mean()) < 0.01  # bfloat16 has its own rounding in parts


def test_a_group_shares_its_statistics(clean, dataset):
    made = {name: load_image(clean / record["output"]) for name, record in by_id(clean).items()}
    assert float((made["f1"] - made["other"]).abs().mean()) > 0.005  # the same content by itself


def test_frames_of_a_group_are_averaged_over_phases(dataset, tmp_path):
    manifest, output = dataset.parent / "film.jsonl", tmp_path / "out"
    rows = [*frames("film", "f1", "f2"), {"pair_id": "other", "content": "f1.png", "style": "s2.png"}]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ("--image-format", "png", "--n-upd", 3, "--resolution", 0, "--phases", 2)
    result = call("run", "--manifest", manifest, "--output", output, *flags)
    assert result.returncode == 0, result.stdout + result.stderr
    model = Stylizer.from_pretrained()
    f1, f2, style = (load_image(dataset.parent / f"{name}.png") for name in ("f1", "f2", "s2"))
    once, twice = (in_parts(model, [f1, f2], model.style(style), tmp_path / str(n), phases=n) for n in (1, 2))
    records = by_id(output, 3)
    made = [load_image(output / records[name]["output"]) for name in ("f1", "f2", "other")]
    for ours, expected, one in zip(made, twice, once, strict=False):
        assert float((ours - expected).abs().max()) < 1.01 / 255  # phases are rounded before they are averaged
        assert float((one - expected).abs().max()) > 4 / 255
    alone = model.stylize(f1, model.style(style), n_upd=3)
    assert float((made[2] - alone).abs().max()) < 0.51 / 255  # a pair of no group has one phase


def test_a_mask_is_heeded(clean):
    made = {name: load_image(clean / record["output"]) for name, record in by_id(clean).items()}
    half = LARGE[0] // 2
    left, right = (
        float((made["masked"] - made["large"])[..., columns].abs().mean())
        for columns in (slice(half - 20), slice(half + 20, None))
    )
    assert right > 1.5 * left  # the red half takes the style of the unmasked picture, the blue one another


@pytest.mark.parametrize("after", ["measure-0", "solve-1", "pictures"])
def test_a_killed_driver_loses_nothing(clean, dataset, tmp_path, started, after):  # noqa: F811
    output = tmp_path / "out"
    run = ("run", "--manifest", dataset, "--output", output, *FLAGS)
    process = start(*run)
    started(process)
    wait_for(lambda: list(output.glob(f"parts/*/{after}/*")), f"{after} of a group")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = {path: path.read_bytes() for path in output.glob("parts/*/measure-*/*.parquet")}
    result = call(*run)
    assert result.returncode == 0, result.stdout + result.stderr
    assert there
    assert pictures_of(output) == pictures_of(clean)
    assert all(record["status"] == "done" for record in by_id(output).values())
    assert not list(output.glob("parts/**/*.parquet"))
    again = call(*run)
    assert again.returncode == 0 and "nothing to do" in again.stdout


def test_a_frame_that_fails_takes_no_others_down(dataset, tmp_path):
    folder = tmp_path
    for name in ("f1", "f2"):
        picture(folder / f"{name}.png", sum(map(ord, name)), SMALL)
    picture(folder / "s2.png", 102)
    # Its header is fine, its pixels are not.
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)).save(whole, "PNG")
    (folder / "torn.png").write_bytes(whole.getvalue()[:5000])
    rows = frames("g", "f1", "torn", "f2")
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = folder / "out"
    result = call("run", "--manifest", manifest, "--output", output, *FLAGS)
    assert result.returncode == 3, result.stdout + result.stderr
    records = by_id(output, 3)
    assert [records[name]["status"] for name in ("f1", "torn", "f2")] == ["done", "failed", "done"]
    assert records["torn"]["error_type"] == "ImageError"
    assert hashlib.sha256((output / records["f1"]["output"]).read_bytes()).hexdigest() == records["f1"]["sha256"]


def test_workers_that_are_killed_again_and_again_lose_nothing(clean, dataset, tmp_path, started):  # noqa: F811
    output = tmp_path / "out"
    process = start("run", "--manifest", dataset, "--output", output, *FLAGS)
    started(process)
    for leg in ("measure-0", "measure-2", "write-4"):
        wait_for(lambda leg=leg: list(output.glob(f"parts/*/{leg}/*")) or process.poll() is not None, leg)
        for child in psutil.Process(process.pid).children(recursive=True):
            if "StylizeActor" in "".join(child.cmdline()):
                child.kill()
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0, printed
    assert pictures_of(output) == pictures_of(clean)
    assert all(record["status"] == "done" for record in by_id(output).values())


def test_on_s3_it_is_the_same(clean, dataset, s3):
    bucket, client = s3.bucket(), s3.client()
    for path in dataset.parent.iterdir():
        client.upload_file(str(path), bucket, f"data/{path.name}")
    output = f"s3://{bucket}/out"
    result = call("run", "--manifest", f"s3://{bucket}/data/{dataset.name}", "--output", output, *FLAGS)
    assert result.returncode == 0, result.stdout + result.stderr
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]]
    made = {
        key.rpartition("/")[2]: client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys
        if key.startswith("out/images/")
    }
    assert made == pictures_of(clean)
    assert not any(key.startswith("out/parts/") for key in keys)
