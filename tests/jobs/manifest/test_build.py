"""Manifests of folders: every mode, growth, filters, masks, and names that nobody should give a file."""

import shutil
from collections import Counter, defaultdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from jobs.errors import ManifestError, NotFoundInStoreError, StorageError
from jobs.manifest.build import Built, Pairing, build_manifest
from tests.jobs.manifest.trees import build, plant, rows_of
from tests.jobs.plans import read_manifest


@pytest.fixture
def tree(tmp_path):
    """Six photos in three classes, four styles."""
    plant(tmp_path / "photos", "cat/a.jpg", "cat/b.jpg", "dog/a.jpg", "dog/c.jpg", "owl/barn/d.jpg", "top.jpg")
    plant(tmp_path / "styles", "s0.png", "s1.png", "old/s2.png", "old/s3.png", first=100)
    return tmp_path


def styles_by_content(rows):
    sets = defaultdict(set)
    for row in rows:
        sets[row["content"]].add(row["style"])
    return sets


def test_cross_keeps_tree_and_labels_and_can_be_planned(tree):
    rows, built = build(tree, mode="cross")
    assert built == Built(rows=24, added=24, contents=6, styles=4, passed_over={})
    assert rows[0].keys() == {"content", "style", "pair_id", "output", "label"}
    assert [(row["content"], row["style"]) for row in rows] == sorted((r["content"], r["style"]) for r in rows)
    assert {row["content"]: row["label"] for row in rows} == {
        "photos/cat/a.jpg": "cat", "photos/cat/b.jpg": "cat", "photos/dog/a.jpg": "dog", "photos/dog/c.jpg": "dog",
        "photos/owl/barn/d.jpg": "owl", "photos/top.jpg": None,
    }  # fmt: skip
    for row in rows:
        folder = row["content"].removeprefix("photos/").rpartition("/")[0]
        assert row["output"] == f"{folder}/{row['pair_id']}.jpg".removeprefix("/")
    planned = read_manifest(str(tree / "pairs.parquet")).pairs
    assert [(pair.content, pair.pair_id) for pair in planned] == [
        (str(tree / row["content"]), row["pair_id"]) for row in rows
    ]


def test_outputs_have_the_suffix_of_their_format(tree):
    assert {row["output"][-4:] for row in build(tree, mode="cross", image_format="png")[0]} == {".png"}


def test_random_is_a_part_of_cross_under_the_same_names(tree):
    every = {row["pair_id"]: row for row in build(tree, mode="cross")[0]}
    some, _ = build(tree, styles_per_content=2, seed=7)
    assert all(every[row["pair_id"]] == row for row in some)
    assert set(map(len, styles_by_content(some).values())) == {2}


def test_the_same_tree_elsewhere_gives_the_same_bytes(tree, tmp_path_factory):
    build(tree, styles_per_content=2, seed=3)
    first = (tree / "pairs.parquet").read_bytes()
    other = tmp_path_factory.mktemp("else where") / "moved"
    shutil.copytree(tree, other)
    (other / "pairs.parquet").unlink()
    (other.parent / "link").symlink_to(other)
    build(other.parent / "link", styles_per_content=2, seed=3)
    assert (other / "pairs.parquet").read_bytes() == first
    build(other, styles_per_content=2, seed=4)
    assert (other / "pairs.parquet").read_bytes() != first


def test_references_lead_to_the_pictures_from_any_folder(tree):
    rows, _ = build(tree, to="deep/er/pairs.parquet", mode="cross")
    assert all((tree / "deep/er" / row[name]).is_file() for row in rows for name in ("content", "style"))


def test_several_roots_and_a_manifest_among_its_pictures(tree):
    plant(tree / "more", "cat/z.jpg", first=50)
    contents = (str(tree / "photos"), str(tree / "more"))
    rows, built = build(tree, to="photos/pairs.parquet", contents=contents, mode="cross")
    assert built.contents == 7
    assert {row["content"] for row in rows} >= {"cat/a.jpg", "../more/cat/z.jpg"}


# Growth


def test_growth_keeps_every_pair_and_only_adds(tree):
    old, _ = build(tree, styles_per_content=2)
    plant(tree / "photos", "cat/0.jpg", "eel/e.jpg", first=60)
    plant(tree / "styles", "a.png", "z.png", first=70)
    (tree / "photos/dog/c.jpg").unlink()
    new, built = build(tree, to="grown.parquet", previous="pairs.parquet", styles_per_content=2)
    assert new[: len(old)] == old
    assert built.added == 4
    assert {row["content"] for row in new[len(old) :]} == {"photos/cat/0.jpg", "photos/eel/e.jpg"}
    again, built = build(tree, to="grown.parquet", previous="grown.parquet", styles_per_content=2)
    assert (again, built.added) == (new, 0)


def test_more_styles_per_content_fill_up(tree):
    old, _ = build(tree, styles_per_content=1)
    new, built = build(tree, previous="pairs.parquet", styles_per_content=3)
    assert new[: len(old)] == old
    assert built.added == 12
    assert set(map(len, styles_by_content(new).values())) == {3}
    assert len({row["pair_id"] for row in new}) == len(new)


@pytest.mark.parametrize("mode", ["cross", "paired"])
def test_growth_in_the_other_modes(tree, mode):
    plant(tree / "styles", "cat/a.png", first=80)
    old, _ = build(tree, mode=mode)
    plant(tree / "styles", "cat/b.png", first=90)
    new, built = build(tree, previous="pairs.parquet", mode=mode)
    assert new[: len(old)] == old
    assert built.added == {"cross": 6, "paired": 1}[mode]


def test_a_previous_manifest_of_another_folder_is_carried_over(tree):
    old, _ = build(tree, to="yesterday/pairs.parquet", styles_per_content=2)
    new, built = build(tree, to="pairs.parquet", previous="yesterday/pairs.parquet", styles_per_content=2)
    assert built.added == 0
    assert new == [{**row, **{n: row[n].removeprefix("../") for n in ("content", "style")}} for row in old]


def test_columns_that_were_added_by_hand_stay(tree):
    build(tree, styles_per_content=1)
    table = pq.read_table(tree / "pairs.parquet")
    pq.write_table(table.append_column("resolution", pa.array([64] * len(table))), tree / "pairs.parquet")
    plant(tree / "photos", "new.jpg", first=60)
    rows, _ = build(tree, previous="pairs.parquet")
    assert [row["resolution"] for row in rows] == [64] * 6 + [None]


def test_pictures_that_moved_are_not_paired_once_more(tree):
    build(tree)
    (tree / "photos").rename(tree / "pictures")
    with pytest.raises(ManifestError, match="of another place"):
        build(tree, previous="pairs.parquet", contents=(str(tree / "pictures"),))


def test_what_was_not_built_cannot_be_carried_on(tree):
    pq.write_table(pa.table({"content": ["a.jpg"], "style": [["b.jpg"]]}), tree / "hand.parquet")
    with pytest.raises(ManifestError, match="has no column pair_id and no column output"):
        build(tree, previous="hand.parquet")
    table = pa.table({name: ["x", None] for name in ("content", "style", "pair_id", "output")})
    pq.write_table(table, tree / "hand.parquet")
    with pytest.raises(ManifestError, match=r"row 1 \(counting from 0\), has no content"):
        build(tree, previous="hand.parquet")
    (tree / "hand.parquet").write_bytes(b"PAR1?")
    with pytest.raises(ManifestError, match="cannot be read as Parquet"):
        build(tree, previous="hand.parquet")


# By name


def test_paired_by_path_then_by_a_stem_of_which_there_is_one(tmp_path):
    plant(tmp_path / "photos", "x/a.jpg", "y/a.jpg", "x/b.jpg", "x/c.jpg", "y/c.jpg", "lonely.jpg")
    plant(tmp_path / "styles", "x/a.png", "far/b.webp", "c.png", "unused.png", first=100)
    rows, built = build(tmp_path, mode="paired")
    assert {(row["content"], row["style"]) for row in rows} == {
        ("photos/x/a.jpg", "styles/x/a.png"),
        ("photos/x/b.jpg", "styles/far/b.webp"),
    }
    assert built.passed_over == {
        "a content without a style of its name": 4,
        "a style without a content of its name": 2,
    }


def test_no_pairs_at_all_are_a_mistake(tmp_path):
    plant(tmp_path / "photos", "a.jpg")
    plant(tmp_path / "styles", "b.jpg")
    with pytest.raises(ManifestError, match="there are no pairs"):
        build(tmp_path, mode="paired")
    assert not (tmp_path / "pairs.parquet").exists()


# Filters


def test_sizes_are_those_of_the_shorter_and_the_longer_side(tmp_path):
    for name, size in {"small": (15, 40), "fits": (16, 40), "large": (20, 41)}.items():
        plant(tmp_path / "photos", f"{name}.jpg", size=size)
    (tmp_path / "photos/torn.jpg").write_bytes((tmp_path / "photos/fits.jpg").read_bytes()[:20])
    (tmp_path / "photos/empty.png").touch()
    plant(tmp_path / "styles", "s.png", size=(40, 40))
    rows, built = build(tmp_path, min_side=16, max_side=40)
    assert [row["content"] for row in rows] == ["photos/fits.jpg"]
    assert built.passed_over == {"smaller than asked for": 1, "larger than asked for": 1, "unreadable": 2}
    assert (built.contents, built.styles) == (1, 1)


def test_a_side_of_which_nothing_is_fit_is_a_mistake(tree):
    with pytest.raises(ManifestError, match="none of the contents is fit: 6 smaller than asked for"):
        build(tree, min_side=17)


def test_a_size_far_into_the_file_is_found(tmp_path):
    plant(tmp_path / "styles", "s.png")
    plant(tmp_path / "photos", "plain.jpg")
    Image.open(tmp_path / "photos/plain.jpg").save(
        tmp_path / "photos/late.jpg", comment=b"x" * 60_000, exif=b"y" * 60_000
    )
    assert len(build(tmp_path, min_side=10)[0]) == 2


def test_of_the_same_bytes_the_first_stays_and_what_is_paired_before_all(tmp_path):
    plant(tmp_path / "styles", "s.png", first=9)
    plant(tmp_path / "photos", "b/1.jpg", "c.jpg")
    shutil.copy(tmp_path / "photos/b/1.jpg", tmp_path / "photos/b/2.jpg")
    rows, built = build(tmp_path, unique=True)
    assert [row["content"] for row in rows] == ["photos/b/1.jpg", "photos/c.jpg"]
    assert built.passed_over == {"a double": 1}
    shutil.copy(tmp_path / "photos/b/1.jpg", tmp_path / "photos/a.jpg")
    rows, built = build(tmp_path, previous="pairs.parquet", unique=True)
    assert (len(rows), built.added, built.passed_over) == (2, 0, {"a double": 2})
    assert len(build(tmp_path)[0]) == 4


# Masks


def test_masks_are_found_by_name_and_only_where_both_can_be(tree):
    plant(tree / "masks", "cat/a.png", "dog/c.png", first=20)
    plant(tree / "style masks", "old/s2.png", first=30)
    masks = {"content_masks": str(tree / "masks"), "style_masks": str(tree / "style masks")}
    rows, built = build(tree, mode="cross", **masks)
    assert built.passed_over == {"a content without a mask": 4, "a style without a mask": 3}
    found = {(row["content"], row["content_mask"]) for row in rows if row["content_mask"]}
    assert found == {("photos/cat/a.jpg", "masks/cat/a.png"), ("photos/dog/c.jpg", "masks/dog/c.png")}
    assert {(row["style"], row["content_mask"]) for row in rows if row["style_mask"]} == {
        ("styles/old/s2.png", "masks/cat/a.png"),
        ("styles/old/s2.png", "masks/dog/c.png"),
    }
    assert len(read_manifest(str(tree / "pairs.parquet")).pairs) == 24


# Names


def test_hostile_names_are_planned_or_counted(tmp_path):
    good = [
        "ünïcode/日本.jpg", "日本/語.jpg", "two words/a b.jpg", "dots.in.it/a.b.c.jpg", "#1/100%.jpg", "a;b/a;b.jpg",
        "-dash.jpg", "a.jpg", "a.png", "A.JPG", "x.jpg/inside.jpg", "quote'\"/it's.jpg", f"long/{'n' * 240}.jpg",
        "s3:/odd.jpg", "red.jpg", "~/home.jpg", "$HOME/`id`.jpg", "back\\slash.jpg",
    ]  # fmt: skip
    plant(tmp_path / "photos", *good)
    plant(tmp_path / "styles", "日本.png", "s t.png", first=100)
    bad = ["line\nbreak/a.jpg", "line\nbreak.jpg", "tab\t.jpg", "back\\slash/a.jpg", f"{'f' * 201}/a.jpg"]
    for name in [*bad, ".hidden.jpg", ".git/a.jpg", "sub/._a.jpg", "notes.txt", "README"]:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "photos" / b"latin\xe9.jpg".decode(errors="surrogateescape")).touch()
    (tmp_path / "photos/empty/folder").mkdir(parents=True)
    rows, built = build(tmp_path, mode="cross")
    assert {row["content"] for row in rows} == {f"photos/{name}" for name in good}
    assert built.passed_over == {
        "a name that no manifest can hold": len(bad) + 1, "hidden": 3, "no picture by its suffix": 2,
    }  # fmt: skip
    planned = read_manifest(str(tmp_path / "pairs.parquet")).pairs
    assert Counter(pair.content for pair in planned) == {str(tmp_path / "photos" / name): 2 for name in good}
    assert len({pair.output for pair in planned}) == 2 * len(good)


def test_names_do_not_depend_on_what_else_is_there(tmp_path):
    plant(tmp_path / "photos", "d/a.jpg")
    plant(tmp_path / "styles", "s.png", first=9)
    (alone,), _ = build(tmp_path, mode="cross")
    plant(tmp_path / "photos", "d/a.png", "e/a.jpg", first=20)
    plant(tmp_path / "styles", "t/s.png", first=30)
    assert alone in build(tmp_path, mode="cross")[0]


# Mistakes


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"mode": "any"}, "mode 'any': choose one of cross, paired, random"),
        ({"styles_per_content": 0}, "give 1 or more"),
        ({"styles_per_content": 5}, "5 styles per content, and 4 that are fit"),
        ({"contents": ()}, "no contents: give a folder"),
        ({"style_masks": "x"}, "style masks mean nothing without content masks"),
        ({"image_format": "gif"}, "image format 'gif': choose one of png, jpeg"),
        ({"min_side": 9, "max_side": 8}, "no picture has sides of at least 9 and at most 8"),
        ({"to": "pairs.csv"}, "ends with .parquet"),
    ],
)
def test_contradictions_are_told(tree, wanted, words):
    with pytest.raises(ManifestError, match=words):
        build(tree, **wanted)


def test_folders_that_are_not_there_empty_or_nested(tree):
    with pytest.raises(NotFoundInStoreError, match="nowhere is no folder"):
        build(tree, contents=(str(tree / "nowhere"),))
    (tree / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"no pictures below .*empty"):
        build(tree, contents=(str(tree / "empty"),))
    with pytest.raises(ManifestError, match="one inside the other"):
        build(tree, contents=(str(tree / "photos"), str(tree / "photos/cat")))
    plant(tree / "other", "cat/a.jpg")
    with pytest.raises(ManifestError, match="have the same name below their roots"):
        build(tree, contents=(str(tree / "photos"), str(tree / "other")))
    assert build(tree, contents=(str(tree / "photos"), str(tree / "empty")))[1].contents == 6


def test_a_manifest_appears_whole_or_not_at_all(tree):
    build(tree)
    before = rows_of(tree / "pairs.parquet")
    (tree / "blocked").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        build_manifest(Pairing((str(tree / "photos"),), (str(tree / "styles"),)), str(tree / "blocked/pairs.parquet"))
    with pytest.raises(ManifestError):
        build(tree, styles_per_content=9)
    assert rows_of(tree / "pairs.parquet") == before
    assert sorted(path.name for path in tree.iterdir()) == ["blocked", "pairs.parquet", "photos", "styles"]
