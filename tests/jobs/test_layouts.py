"""A small Stylized-ImageNet in every layout: class folders, two styles a photo, read back as training code would."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ift import Stylizer
from jobs.manifest import Defaults
from jobs.packs import PackIndex
from jobs.plan import load_plan, prepare_plan
from jobs.storage import open_store
from jobs.summary import summarize
from jobs.verify import verify
from jobs.work import Effort, WorkerConfig
from jobs.worker import ShardWorker
from tests.jobs.pairs import picture, read_run

CLASSES, PHOTOS, STYLES = ("n01", "n02", "n10"), 4, 2
LABELS = sorted(name for name in CLASSES for _ in range(PHOTOS * STYLES))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The manifest of all photos in both styles."""
    folder = tmp_path_factory.mktemp("dataset")
    rows = []
    for style in range(STYLES):
        picture(folder / f"styles/s{style}.png", 100 + style, (32, 32))
    for number, name in enumerate(CLASSES):
        for photo in range(PHOTOS):
            picture(folder / f"photos/{name}/p{photo}.png", 10 * number + photo, (48, 32))
            rows += [
                {"content": f"photos/{name}/p{photo}.png", "style": f"styles/s{style}.png", "label": name,
                 "output": f"{name}/p{photo}.v{style}.png", "pair_id": f"{name}.p{photo}.v{style}"}
                for style in range(STYLES)
            ]  # fmt: skip
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


@pytest.fixture(scope="module")
def model():
    return Stylizer.from_pretrained()


@pytest.fixture(scope="module")
def made(dataset, model, tmp_path_factory):
    """Makes the dataset in a layout, once; gives its folder."""
    folder = tmp_path_factory.mktemp("made")

    def make(layout):
        output = folder / layout
        if not output.exists():
            store = open_store(str(output))
            defaults = Defaults(options={"n_upd": 3})
            options = {"weights": "w", "image_format": "png", "quality": 95, "shard_size": 10}
            plan = prepare_plan(store, str(dataset), defaults, layout=layout, **options).plan
            config = WorkerConfig(str(output), 95, None, None, io_threads=2, max_pixels=10**6)
            worker = ShardWorker(config, model=model)
            outcomes = [worker.run(shard, Effort()) for shard in plan.iter_shards()]
            assert sum(outcome.done for outcome in outcomes) == len(LABELS)
            assert verify(store).fine
        return output

    return make


def pictures_of(folder):
    """The pixels of each pair, by its id, read as plain files."""
    return {record["pair_id"]: np.asarray(Image.open(folder / record["output"])) for record in read_run(folder)}


def test_objects_are_an_image_folder(made):
    from torchvision.datasets import ImageFolder

    read = ImageFolder(made("objects") / "images")
    assert read.classes == list(CLASSES)
    assert sorted(read.classes[label] for _, label in read.samples) == LABELS


def test_webdataset_reads_what_the_index_lists(made):
    import webdataset

    folder = made("webdataset")
    store, packs = open_store(str(folder)), PackIndex()
    summarize(store, load_plan(store), also=packs.add)
    index = json.loads(packs.to_json())
    urls = [str(folder / pack["url"]) for pack in index["shardlist"]]
    assert sorted(urls) == sorted(map(str, (folder / "images").iterdir()))
    read = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("png", "json"))
    assert sum(pack["nsamples"] for pack in index["shardlist"]) == len(read)
    assert sorted(facts["label"] for _, facts in read) == LABELS
    expected = pictures_of(made("objects"))
    assert {facts["pair_id"] for _, facts in read} == expected.keys()
    assert all(np.array_equal(pixels, expected[facts["pair_id"]]) for pixels, facts in read)


def test_datasets_reads_the_tables(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    folder = made("parquet")
    files = str(folder / "images/*.parquet")
    read = datasets.Dataset.from_parquet(files, cache_dir=str(tmp_path))
    assert sorted(read["label"]) == LABELS
    expected = pictures_of(made("objects"))
    assert {row["pair_id"] for row in read} == expected.keys()
    assert all(np.array_equal(np.asarray(row["image"]), expected[row["pair_id"]]) for row in read)
    assert pq.read_table(folder / "images").num_rows == len(LABELS)


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_a_row_that_failed_joins_when_it_is_done_again(model, tmp_path, layout):
    rows = [{"content": f"c{k}.png", "style": "s.png", "pair_id": f"p{k}"} for k in range(3)]
    for name in ("c0", "c2", "s"):
        picture(tmp_path / f"{name}.png", 1, (48, 32))
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = open_store(str(tmp_path / "out"))
    options = {"weights": "w", "image_format": "png", "quality": 95, "layout": layout, "shard_size": 3}
    shard = prepare_plan(store, str(manifest), Defaults(options={"n_upd": 3}), **options).plan.shard(0)
    worker = ShardWorker(WorkerConfig(store.uri, 95, None, None, io_threads=2, max_pixels=10**6), model=model)
    outcome = worker.run(shard, Effort())
    assert (outcome.done, outcome.failed) == (2, 1) and verify(store).fine
    assert worker.run(shard, Effort(frozenset({1}))).failed == 1 and verify(store).fine
    picture(tmp_path / "c1.png", 2, (48, 32))
    assert worker.run(shard, Effort(frozenset({1}))).done == 1
    assert verify(store).fine and verify(store).pictures == 3
    records = read_run(tmp_path / "out")
    first, second = records[0]["pack"], records[1]["pack"]
    assert [record["pack"] for record in records] == [first, second, first] and second != first
    assert sorted(store.list("images/")) == sorted({first, second})
    assert records[1]["attempts"] == 3 and records[1]["upload_s"] > 0
