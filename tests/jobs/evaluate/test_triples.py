"""Lists of triples: tables and folders, what is refused, and how a list is frozen."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ift import load_image
from ift.metrics import METRICS, Judge
from jobs.errors import JobError, ManifestError, PlanError
from jobs.evaluate.folder import triples_of_folder
from jobs.evaluate.job import read_metrics
from jobs.evaluate.listing import freeze_list
from jobs.evaluate.pictures import ResultPictures
from jobs.storage import open_store
from tests.jobs.evaluate.runs import WEIGHTS, judge_all, source_of, works_of
from tests.jobs.pairs import picture


def freeze(folder, triples, **options):
    """The head of the list that was frozen in folder/out."""
    return freeze_list(open_store(str(folder / "out")), str(triples), WEIGHTS, **options)


def triples_in(folder):
    """All triples that were frozen, by row."""
    _, _, source = source_of(folder / "out")
    return sorted((one for shard in source.iter_shards(source.ready) for one in shard.pairs), key=lambda one: one.row)


ROWS = [
    {"content": "content/a.png", "style": ["style/s.png", "style/t.png"], "result": "out/1.png", "method": "theirs"},
    {"content": "content/b.png", "style": ["style/s.png"], "result": "/elsewhere/2.png", "label": "dog"},
    {"content": "s3://bucket/c.png", "style": ["style/t.png"], "result": "out/3.png", "pair_id": "third"},
]


def write_table(path: Path, rows=ROWS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case ".parquet":
            pq.write_table(
                pa.Table.from_pylist([{**dict.fromkeys(("method", "label", "pair_id")), **r} for r in rows]), path
            )
        case ".csv":
            names = ("content", "style", "result", "method", "label", "pair_id")
            lines = [
                ",".join(";".join(v) if isinstance(v := row.get(n, ""), list) else v for n in names) for row in rows
            ]
            path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


@pytest.mark.parametrize("name", ["list.jsonl", "list.parquet", "list.csv"])
def test_every_kind_of_table_gives_the_same_triples(tmp_path, name):
    head = freeze(tmp_path, write_table(tmp_path / "lists" / name))
    first, second, third = triples_in(tmp_path)
    base = tmp_path / "lists"
    assert first.content == str(base / "content/a.png") and first.result == str(base / "out/1.png")
    assert first.styles == (str(base / "style/s.png"), str(base / "style/t.png"))
    assert first.style_weights == (0.5, 0.5) and first.method == "theirs"
    assert second.result == "/elsewhere/2.png" and (second.label, second.method) == ("dog", None)
    assert third.content == "s3://bucket/c.png" and third.pair_id == "third"
    assert first.pair_id.startswith("1-") and first.pair_id != second.pair_id
    assert head.source == freeze(tmp_path / "again", write_table(tmp_path / "lists" / "other.jsonl")).source


def test_the_derived_ids_do_not_depend_on_where_the_list_lies(tmp_path):
    for place in ("here", "there"):
        freeze(tmp_path / place, write_table(tmp_path / place / "list.jsonl"))
    here, there = ([one.pair_id for one in triples_in(tmp_path / place)] for place in ("here", "there"))
    assert here == there


@pytest.mark.parametrize(
    ("rows", "hints"),
    [
        ([{"content": "a.png", "style": "b.png"}], ["no column result"]),
        ([{"content": "a.png", "style": "b.png", "reslut": "c.png"}], ["no column result", "did you mean 'result'"]),
        ([*ROWS, {"content": "a.png", "style": "b.png"}], ["row 3", "column result", "missing", "1 of 4 rows"]),
        ([*ROWS, {"content": "a.png", "style": [], "result": "c.png"}], ["row 3", "column style", "at least one"]),
        ([*ROWS, {**ROWS[0], "pair_id": "../up"}], ["row 3", "column pair_id"]),
        ([*ROWS, ROWS[0]], ["rows 0 and 3", "same pair_id"]),
        ([*ROWS, {**ROWS[0], "result": "ftp://host/a.png"}], ["row 3", "ftp"]),
    ],
)
def test_tables_that_cannot_be_used_are_refused_before_anything_is_written(tmp_path, rows, hints):
    with pytest.raises(ManifestError) as refused:
        freeze(tmp_path, write_table(tmp_path / "list.jsonl", rows))
    for hint in hints:
        assert hint in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_pictures_must_lie_below_what_is_allowed(tmp_path):
    with pytest.raises(ManifestError, match=r"row 1 .*/elsewhere/2.png.*outside"):
        freeze(tmp_path, write_table(tmp_path / "list.jsonl", ROWS[:2]), allowed=[str(tmp_path)])


def pictures(folder, *keys):
    for number, key in enumerate(keys):
        picture(folder / key, number, (24, 16))


def paired(folder):
    """Of each result of a folder the names of its content and style, its method and its id."""
    rows = [row for table in triples_of_folder(open_store(str(folder))) for row in table.to_pylist()]
    names = {row["result"]: (Path(row["content"]).stem, Path(row["styles"][0]).stem) for row in rows}
    return {str(Path(result).relative_to(folder / "result")): pair for result, pair in names.items()}, rows


@pytest.mark.parametrize(
    ("result", "pair"),
    [
        ("cat_wave.png", ("cat", "wave")),
        ("cat-in-wave.jpg", ("cat", "wave")),
        ("cat_stylized_wave.png", ("cat", "wave")),
        ("big-cat-in-wave.png", ("big-cat", "wave")),
        ("big-cat__old_wave.png", ("big-cat", "old_wave")),
        ("same.webp", ("same", "same")),
        ("adain/cat_wave.png", ("cat", "wave")),
    ],
)
def test_results_of_a_folder_find_their_content_and_style(tmp_path, result, pair):
    contents, styles = ("cat", "big-cat", "same"), ("wave", "old_wave", "same")
    pictures(tmp_path, *(f"content/{name}.png" for name in contents), *(f"style/{name}.png" for name in styles))
    pictures(tmp_path, f"result/{result}".replace(".webp", ".png"))
    pairs, (row,) = paired(tmp_path)
    assert list(pairs.values()) == [pair]
    assert row["method"] == ("adain" if "/" in result else None)


def test_where_there_is_one_style_all_results_are_of_it(tmp_path):
    pictures(tmp_path, "content/a.png", "content/b.png", "style/only.jpg", "result/a.png", "result/b.png")
    assert paired(tmp_path)[0] == {"a.png": ("a", "only"), "b.png": ("b", "only")}


@pytest.mark.parametrize(
    ("keys", "hints"),
    [
        (["content/a.png", "style/b.png"], ["no pictures in result/", "content, style and result"]),
        (["content/a.png", "style/b.png", "style/c.png", "result/a.png"], ["result/a.png", "1 of 1 results"]),
        (
            ["content/a.png", "content/a_b.png", "style/c.png", "style/b_c.png", "result/a_b_c.png"],
            ["'a' and style 'b_c' or content 'a_b' and style 'c'"],
        ),
        (
            ["content/a.png", "content/a.jpg", "style/b.png", "result/a_b.png"],
            ["'content/a.jpg' and 'content/a.png' have one name"],
        ),
        (["content/a.png", "style/b.png", "result/a_b.png", "result/a_b.jpg"], ["rows 0 and 1", "same pair_id 'a_b'"]),
    ],
)
def test_folders_that_cannot_be_paired_are_refused(tmp_path, keys, hints):
    pictures(tmp_path / "triples", *keys)
    with pytest.raises(ManifestError) as refused:
        freeze(tmp_path, tmp_path / "triples")
    for hint in hints:
        assert hint in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_list_is_found_again_and_another_is_refused(tmp_path):
    table = write_table(tmp_path / "list.jsonl")
    assert freeze(tmp_path, table) == freeze(tmp_path, table)
    write_table(table, ROWS[:2])
    with pytest.raises(PlanError, match=r"another list of triples.*another --output"):
        freeze(tmp_path, table)
    with pytest.raises(PlanError, match="other weights"):
        freeze_list(open_store(str(tmp_path / "out")), str(write_table(table)), "f" * 64)


def test_many_triples_are_frozen_in_shards_of_neighbours_in_style(tmp_path):
    rows = [{"content": f"c{k}.png", "style": f"s{k % 3}.png", "result": f"r{k}.png"} for k in range(10_000)]
    freeze(tmp_path, write_table(tmp_path / "list.jsonl", rows))
    _, head, source = source_of(tmp_path / "out")
    shards = list(source.iter_shards(source.ready))
    assert len(head.pages) == 2 and source.rows == 10_000
    assert [len(shard.pairs) for shard in shards] == [source.rows_of(index) for index in source.ready]
    assert sorted(one.row for shard in shards for one in shard.pairs) == list(range(10_000))
    assert sum(len({one.styles for one in shard.pairs}) > 1 for shard in shards) == 2


def test_a_page_that_is_damaged_is_told(tmp_path):
    freeze(tmp_path, write_table(tmp_path / "list.jsonl"))
    (page,) = tmp_path.glob("out/triples/*/*")
    page.write_bytes(page.read_bytes() + b"x")
    with pytest.raises(PlanError, match=r"list in .* is damaged"):
        triples_in(tmp_path)


def test_a_folder_of_triples_is_judged_like_any_run(tmp_path, model):
    """The content has twice the result's size, and another shape."""
    picture(tmp_path / "triples/content/a.png", 1, (128, 100))
    picture(tmp_path / "triples/style/s.jpg", 2, (200, 150))
    picture(tmp_path / "triples/result/a_s.png", 3, (64, 48))
    (tmp_path / "triples/result/b_s.png").write_bytes(b"no picture")
    picture(tmp_path / "triples/content/b.png", 4)
    freeze(tmp_path, tmp_path / "triples")
    summary = judge_all(tmp_path / "out", model)
    assert (summary.kind, summary.judged, summary.failed) == ("triples", 1, 1)
    good, bad = read_metrics(str(tmp_path / "out")).to_pylist()
    assert (bad["status"], bad["error_type"]) == ("failed", "ImageError") and "b_s.png" in bad["error"]
    judge = Judge(model)
    result = load_image(tmp_path / "triples/result/a_s.png")
    style = judge.describe(load_image(tmp_path / "triples/style/s.jpg", 64))
    row = {name: good[name] for name in METRICS}
    assert row["gram_distance"] == pytest.approx(
        judge.judge(judge.describe(result, content=True), [style], None, result).metrics["gram_distance"], rel=1e-6
    )
    assert (good["height"], good["width"], good["resolution"]) == (48, 64, 64)
    assert 0 < good["ssim"] < 1 and good["preset"] is None and summary.groups[0]["method"] is None
    assert ResultPictures(str(tmp_path / "out")).result(good) == (tmp_path / "triples/result/a_s.png").read_bytes()
    assert works_of(tmp_path / "out") == [] and len(works_of(tmp_path / "out", retry=True)) == 1


def test_what_is_no_list_at_all_is_told(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    for name in ("readme.txt", "nowhere"):
        with pytest.raises(JobError, match=r"is no folder of triples|neither a table of triples"):
            freeze(tmp_path, tmp_path / name)
