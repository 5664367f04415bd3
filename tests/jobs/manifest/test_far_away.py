"""Manifests of pictures on S3, and pictures looked at by Ray."""

import os

import pytest
import ray

from jobs.errors import StorageError
from jobs.manifest import Defaults, readable
from jobs.manifest.build import Pairing, build_manifest
from jobs.manifest.readable import Look, look_with_ray, look_with_threads
from jobs.manifest.validate import validate
from jobs.storage import copy_to_file, open_store
from tests.jobs.manifest.trees import build, plant, rows_of

pytestmark = pytest.mark.slow


def test_a_tree_on_s3_gives_the_pairs_of_the_same_tree_here(s3, tmp_path):
    bucket = s3.bucket()
    plant(tmp_path / "photos", "cat/a b#1.jpg", "cat/ü.jpg", "dog/a.jpg", "dog/small.jpg")
    plant(tmp_path / "photos", "dog/small.jpg", size=(8, 8))
    plant(tmp_path / "styles", "s0.png", "s1.png", "s2.png", first=100)
    here, _ = build(tmp_path, styles_per_content=2, min_side=10, unique=True)
    store = open_store(f"s3://{bucket}")
    for path in tmp_path.rglob("*.*g"):
        store.write(path.relative_to(tmp_path).as_posix(), path.read_bytes())
    pairing = Pairing(
        (f"s3://{bucket}/photos",), (f"s3://{bucket}/styles/",), styles_per_content=2, min_side=10, unique=True
    )
    uri = f"s3://{bucket}/made/pairs.parquet"
    built = build_manifest(pairing, uri)
    there = rows_of(copy_to_file(uri, tmp_path))
    assert built.passed_over == {"smaller than asked for": 1}
    assert there == [{**row, **{n: f"s3://{bucket}/{row[n]}" for n in ("content", "style")}} for row in here]

    store.write("photos/new/e.jpg", (tmp_path / "styles/s0.png").read_bytes())
    assert build_manifest(pairing, uri, previous=uri).added == 2
    assert validate(uri, Defaults(), Look(), looking=look_with_threads).fine
    store.delete("photos/cat/ü.jpg")
    store.write("styles/s1.png", b"torn")
    for quick, wrong in ((True, 1), (False, 2)):
        assert validate(uri, Defaults(), Look(quick), looking=look_with_threads).wrong == wrong


def test_ray_finds_what_threads_find_and_a_picture_that_kills(tmp_path, monkeypatch):
    plant(tmp_path / "photos", *(f"{k}.jpg" for k in range(6)))
    plant(tmp_path / "styles", "s.png", first=100)
    build(tmp_path)
    (tmp_path / "photos/1.jpg").unlink()
    (tmp_path / "photos/2.jpg").write_bytes(b"torn")
    uri = str(tmp_path / "pairs.parquet")
    real = readable._problems

    def deadly(look, pictures):
        if any(picture.uri.endswith("/5.jpg") for picture in pictures):
            os._exit(1)
        return real(look, pictures)

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        monkeypatch.setattr(readable, "_TOGETHER", 2)
        found = validate(uri, Defaults(), Look(), looking=look_with_ray)
        assert found == validate(uri, Defaults(), Look(), looking=look_with_threads)
        assert (found.pictures, found.wrong) == (7, 2)
        monkeypatch.setattr(readable, "_problems", deadly)
        worse = validate(uri, Defaults(), Look(), looking=look_with_ray)
        assert [f for f in worse.findings if "dies" not in f.problem] == found.findings
        assert [(f.row, f.column) for f in worse.findings if "dies" in f.problem] == [(5, "content")]

        def refused(look, pictures):
            raise StorageError("refused")

        monkeypatch.setattr(readable, "_problems", refused)
        with pytest.raises(StorageError, match="refused"):
            validate(uri, Defaults(), Look(), looking=look_with_ray)
    finally:
        ray.shutdown()
