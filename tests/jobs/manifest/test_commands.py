"""`python -m jobs.manifest` as users type it."""

import json

import pytest
from typer.testing import CliRunner

from jobs.manifest.__main__ import app
from jobs.manifest.describe import describe
from tests.jobs.manifest.trees import plant, rows_of
from tests.jobs.plans import write_jsonl


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


@pytest.fixture
def tree(tmp_path):
    plant(tmp_path / "photos", "cat/a.jpg", "cat/b.jpg", "dog/a.jpg")
    plant(tmp_path / "more", "dog/z.jpg", first=50)
    plant(tmp_path / "styles", "s0.png", "s1.png", "s2.png", first=100)
    return tmp_path


def test_build_split_and_describe(tree):
    to = tree / "pairs.parquet"
    flags = ("--contents", tree / "photos", "--contents", tree / "more", "--styles", tree / "styles", "--to", to)
    done = call("build", *flags, "--styles-per-content", 2, "--seed", 5)
    assert done.exit_code == 0, done.output
    assert f"8 pairs of 4 contents and 3 styles are in {to}, 8 of them new" in done.output
    grown = call("build", *flags, "--styles-per-content", 3, "--previous", to)
    assert "12 pairs of 4 contents and 3 styles" in grown.output
    assert "4 of them new" in grown.output

    done = call("split", "--manifest", to, "--share", "0.5,0.5")
    assert done.exit_code == 0, done.output
    assert sum(len(rows_of(part)) for part in tree.glob("pairs-*-of-00002.parquet")) == 12

    told = json.loads(call("describe", "--manifest", to, "--json").output)
    assert (told["rows"], told["contents"], told["styles"], told["labels"], told["unlabelled"]) == (12, 4, 3, 2, 0)
    assert told["rows_by_label"] == {"cat": 6, "dog": 6}
    assert (told["groups"], told["with_group"], told["largest_group"]) == (0, 0, 0)
    assert told["pairs_per_content"] == {"min": 3, "median": 3.0, "max": 3}
    assert told["pairs_per_style"] == {"min": 4, "median": 4.0, "max": 4}
    printed = call("describe", "--manifest", to).output
    assert "pairs per style: min, median, max" in printed
    assert "dog" in printed


def test_a_mistake_is_one_line_and_exit_code_2(tree):
    done = call("build", "--contents", tree / "none", "--styles", tree / "styles", "--to", tree / "x.parquet")
    assert done.exit_code == 2
    assert done.output == f"error: {tree}/none is no folder: correct its name, or create it\n"
    for flags in ((), ("--parts", 2, "--share", "0.5,0.5")):
        assert "either --parts or --share" in call("split", "--manifest", "x.parquet", *flags).output
    assert "give numbers with commas" in call("split", "--manifest", "x.parquet", "--share", "half").output


def test_describe_counts_what_rows_say(tmp_path):
    rows = [
        {"content": "a.jpg", "style": "s.png", "label": "x", "resolution": 64},
        {"content": "a.jpg", "style": ["s.png", "t.png"], "preset": "photo", "label": "y"},
        {"content": "b.jpg", "style": "s.png", "content_mask": "m.png", "style_mask": "red"},
        {"content": "b.jpg", "style": "t.png", "content_mask": "m.png"},
        {"content": "b.jpg", "style": "u.png", "method": "adain"},
    ]
    for place, group in ((0, "reel"), (1, 7), (4, "reel")):
        rows[place]["group"] = group
    found = describe(write_jsonl(tmp_path / "pairs.jsonl", rows))
    assert (found.rows, found.contents, found.styles, found.labels, found.unlabelled) == (5, 2, 3, 2, 3)
    assert (found.pairs_per_content.min, found.pairs_per_content.median, found.pairs_per_content.max) == (2, 2.5, 3)
    assert (found.pairs_per_style.min, found.pairs_per_style.median, found.pairs_per_style.max) == (1, 2, 3)
    assert (found.with_content_mask, found.with_style_mask, found.with_several_styles) == (2, 1, 1)
    assert (found.groups, found.with_group, found.largest_group) == (2, 3, 2)
    looks = {(look["preset"], look["method"], look["resolution"]): look["rows"] for look in found.rows_by_look}
    assert looks == {
        ("artistic", "ift", None): 2, ("artistic", "ift", 64): 1, ("photo", "ift", None): 1,
        ("artistic", "adain", None): 1,
    }  # fmt: skip
