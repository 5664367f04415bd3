"""What validation finds: each thing that is wrong, with its row, whatever else is wrong."""

import json
import os

import pytest
from typer.testing import CliRunner

from jobs.errors import CredentialsError, NotFoundInStoreError
from jobs.manifest import Defaults
from jobs.manifest.__main__ import app
from jobs.manifest.readable import Look, look_with_threads
from jobs.manifest.validate import MOST_KEPT, Finding, validate
from tests.jobs.manifest.trees import plant
from tests.jobs.pairs import stripes
from tests.jobs.plans import write_jsonl


@pytest.fixture
def pictures(tmp_path):
    plant(tmp_path, "a.jpg", "b.jpg", "s.png", "big.png")
    plant(tmp_path, "big.png", size=(90, 80))
    stripes(tmp_path / "mask.png", "#ff0000", "#0000ff")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-40])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    return tmp_path


def check(folder, rows, look=None, **defaults):
    manifest = write_jsonl(folder / "pairs.jsonl", rows)
    return validate(manifest, Defaults(**defaults), look or Look(), looking=look_with_threads)


def test_a_sound_manifest_is_fine(pictures):
    rows = [
        {
            "content": "a.jpg",
            "style": ["s.png", "b.jpg"],
            "content_mask": "mask.png",
            "style_mask": ["mask.png", "red"],
        },
        {"content": "b.jpg", "style": "s.png"},
    ]
    found = check(pictures, rows)
    assert found.fine
    assert (found.rows, found.unusable, found.pictures, found.wrong) == (2, 0, 4, 0)


def test_every_kind_of_mistake_is_found_with_its_row(pictures):
    rows = [
        {"content": "a.jpg", "style": "gone.png"},
        {"content": "torn.jpg", "style": "s.png"},
        {"content": "a.jpg", "style": "s.png", "preset": "none"},
        {"content": "text.jpg", "style": "empty.png"},
        {"content": "b.jpg", "style": "gone.png", "content_mask": "text.jpg"},
        {"content": "b.jpg", "style": "s.png", "pair_id": "x"},
        {"content": "a.jpg", "style": "s.png", "pair_id": "x"},
        {"content": "", "style": "s.png"},
        {"content": "gone.png", "style": "s.png"},
    ]
    found = check(pictures, rows)
    assert (found.rows, found.unusable) == (9, 3)
    assert [(f.row, f.rows, f.column) for f in found.findings] == [
        (2, 1, None),
        (6, 1, None),
        (7, 1, None),
        (0, 3, "content and style"),
        (1, 1, "content"),
        (3, 1, "style"),
        (3, 1, "content"),
        (4, 1, "content_mask"),
    ]
    words = [f.problem for f in found.findings]
    for text, part in zip(
        words,
        ["column preset, value 'none'", "row 5 has it too", "is empty", "does not exist", "truncated", "0 bytes",
         "is not a picture", "is not a picture"],
        strict=True,
    ):  # fmt: skip
        assert part in text


def test_a_quick_look_only_asks_whether_they_are_there(pictures):
    rows = [{"content": name, "style": "s.png"} for name in ("a.jpg", "torn.jpg", "text.jpg", "empty.png", "gone.jpg")]
    found = check(pictures, rows, Look(quick=True))
    assert [(f.row, f.problem) for f in found.findings] == [(4, f"{pictures}/gone.jpg does not exist")]


def test_limits_and_allowed_folders_are_those_of_the_run(pictures):
    rows = [{"content": "big.png", "style": "s.png"}]
    assert check(pictures, rows).fine
    assert "more than the limit" in check(pictures, rows, Look(max_pixels=80 * 89)).findings[0].problem
    assert "bytes, more than" in check(pictures, rows, Look(most_bytes=100)).findings[0].problem
    assert check(pictures, rows, Look(allowed=("/elsewhere",))).unusable == 1


def test_the_defaults_of_the_run_count(pictures):
    rows = [{"content": "a.jpg", "style": "s.png", "content_mask": "mask.png"}]
    assert check(pictures, rows).fine
    assert "takes no masks" in check(pictures, rows, options={"method": "avatar"}).findings[0].problem


def test_outputs_that_collide_are_found(pictures):
    rows = [
        {"content": "a.jpg", "style": "s.png", "pair_id": "x"},
        {"content": "b.jpg", "style": "s.png", "output": "x.jpg"},
        {"content": "gone.jpg", "style": "s.png"},
    ]
    found = check(pictures, rows).findings
    assert found[0].row is None
    assert "rows 0 and 1 (counting from 0) have the same output 'images/x.jpg'" in found[0].problem
    assert found[1].row == 2


def test_what_is_no_manifest_is_one_finding(pictures):
    (pictures / "pairs.csv").write_text("photo,style\na.jpg,s.png\n")
    found = validate(str(pictures / "pairs.csv"), Defaults(), Look(), looking=look_with_threads)
    assert "has no column content" in found.findings[0].problem
    with pytest.raises(NotFoundInStoreError):
        validate(str(pictures / "none.csv"), Defaults(), Look(), looking=look_with_threads)


def test_findings_are_bounded_and_counted_to_the_end(pictures):
    count = 2 * MOST_KEPT + 500
    found = check(pictures, [{"content": f"gone{k}.jpg", "style": "s.png"} for k in range(count)], Look(quick=True))
    assert found.wrong == count
    assert [finding.row for finding in found.findings] == list(range(MOST_KEPT))


def test_a_store_that_does_not_say_is_no_finding(pictures, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(CredentialsError):
        check(pictures, [{"content": "s3://bucket/a.jpg", "style": "s.png"}])


def test_the_command_prints_a_table_writes_json_and_ends_with_4(pictures):
    rows = [{"content": "a.jpg", "style": "s.png"}, {"content": "gone.jpg", "style": "s.png"}]
    manifest = write_jsonl(pictures / "pairs.jsonl", rows)
    done = CliRunner().invoke(app, ["validate", "--manifest", manifest, "--json", str(pictures / "found.json")])
    assert done.exit_code == 4, done.output
    assert "1 of them wrong: not fine" in done.output
    found = json.loads((pictures / "found.json").read_text())
    assert not found["fine"]
    assert Finding(**found["findings"][0]) == Finding(1, 1, f"{pictures}/gone.jpg does not exist", "content")
    plant(pictures, "gone.jpg")
    assert CliRunner().invoke(app, ["validate", "--manifest", manifest]).exit_code == 0
    assert CliRunner().invoke(app, ["validate", "--manifest", "none.csv"]).exit_code == 2
