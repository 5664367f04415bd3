"""What is in a pack is read by those for whom it is made, and by nobody if it is damaged."""

import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jobs.packs import DamagedPackError, Sample
from jobs.packs.format import format_of_layout, pack_key, packed_shard
from tests.jobs.packs.shards import pair_of, sample_of, shard_of

LAYOUTS = ("webdataset", "parquet")
layouts = pytest.mark.parametrize("layout", LAYOUTS)

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=40)
SAMPLES = st.lists(
    st.builds(
        Sample,
        pair_id=st.from_regex(r"(?!\.)[A-Za-z0-9._-]{1,200}", fullmatch=True),
        path=st.sampled_from(["a.png", "class/ä b.JPG", "x.tar.gz/y.webp", "z.tiff"]),
        picture=st.binary(max_size=2000),
        label=st.none() | TEXT,
        content=TEXT,
        styles=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        method=st.just("ift"),
        preset=st.just("photo"),
    ),
    unique_by=lambda sample: sample.pair_id,
    max_size=6,
)


@layouts
@settings(max_examples=60, deadline=None)
@given(samples=SAMPLES)
def test_what_goes_in_comes_out_and_the_same_goes_in_the_same_way(layout, samples):
    form = format_of_layout(layout)
    data = form.encode(samples)
    assert form.decode(data) == {sample.pair_id: sample.picture for sample in samples}
    assert form.encode(samples) == data


@layouts
@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), keep=st.booleans())
def test_what_is_damaged_is_refused_or_read_as_it_was(layout, where, keep):
    form = format_of_layout(layout)
    samples = [sample_of(row) for row in range(4)]
    data = form.encode(samples)
    at = int(where * len(data))
    damaged = data[:at] if not keep else data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
    try:
        found = form.decode(damaged)
    except DamagedPackError:
        return
    # A tar file has no checksum of what is in it, so pictures are compared with their records; but none is lost.
    assert found.keys() == {sample.pair_id for sample in samples}


@layouts
def test_a_pair_twice_is_damage(layout):
    form = format_of_layout(layout)
    with pytest.raises(DamagedPackError, match="twice"):
        form.decode(form.encode([sample_of(1), replace(sample_of(1), picture=b"another")]))


def png(row):
    data = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), 20 * row, np.uint8)).save(data, "PNG")
    return data.getvalue()


def test_webdataset_reads_the_samples(tmp_path):
    import webdataset

    rows = range(5)
    for number, some in enumerate((rows[:3], rows[3:])):
        data = format_of_layout("webdataset").encode(Sample.of(pair_of(row), png(row)) for row in some)
        (tmp_path / f"shard-{number:06d}.tar").write_bytes(data)
    urls = str(tmp_path / "shard-{000000..000001}.tar")
    dataset = webdataset.WebDataset(urls, shardshuffle=False).decode("pil").to_tuple("png", "json", "__key__")
    read = [(np.asarray(picture)[0, 0, 0], facts, key) for picture, facts, key in dataset]
    assert [value for value, *_ in read] == [20 * row for row in rows]
    assert [facts["label"] for _, facts, _ in read] == [f"class {row % 2}" for row in rows]
    assert [facts["pair_id"] for _, facts, _ in read] == [pair_of(row).pair_id for row in rows]
    assert [key.replace("%2E", ".") for *_, key in read] == [pair_of(row).pair_id for row in rows]


def test_a_tar_file_tells_nothing_of_where_it_was_made():
    data = format_of_layout("webdataset").encode([sample_of(0)])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
        assert json.loads(tar.extractfile("p0.json").read())["path"] == "class 0/p0.png"
    assert [(m.name, m.mtime, m.uid, m.uname) for m in members] == [("p0.png", 0, 0, ""), ("p0.json", 0, 0, "")]


def test_datasets_and_pyarrow_read_the_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    data = format_of_layout("parquet").encode(Sample.of(pair_of(row), png(row)) for row in range(5))
    (tmp_path / "shard-000000.parquet").write_bytes(data)
    table = pq.read_table(tmp_path / "shard-000000.parquet")
    assert table["image"].to_pylist()[2] == {"bytes": png(2), "path": "class 0/p2.png"}
    read = datasets.Dataset.from_parquet(str(tmp_path / "*.parquet"), cache_dir=str(tmp_path / "cache"))
    assert [np.asarray(row["image"])[0, 0, 0] for row in read] == [20 * row for row in range(5)]
    assert read["label"][:] == [f"class {row % 2}" for row in range(5)]
    assert read.class_encode_column("label").features["label"].names == ["class 0", "class 1"]


@pytest.mark.parametrize(("layout", "suffix"), [("webdataset", "tar"), ("parquet", "parquet")])
def test_the_names_of_packs(layout, suffix):
    shard = shard_of(layout, [0], index=12)
    keys = [pack_key(shard, number) for number in (0, 1, 2)]
    assert keys == [f"images/shard-000012{middle}.{suffix}" for middle in ("", ".1", ".2")]
    assert [packed_shard(key) for key in keys] == [12, 12, 12]
    for other in ("images/shard-12.tar", "images/shard-000012.0.tar", "images/a/shard-000012.tar", "images/p.png"):
        assert packed_shard(other) is None
