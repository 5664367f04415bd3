"""Manifests that mean harm, or were made by a broken tool: each is told what is wrong where, in a few words."""

import decimal
import subprocess
import sys
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.errors import ManifestError
from jobs.manifest.columns import Table
from tests.jobs.plans import read_manifest, write_jsonl

PLAIN = {"content": "a.jpg", "style": "b.jpg"}
LONG = "x" * 10_000_000


def error_of(path, **options):
    with pytest.raises(ManifestError) as caught:
        read_manifest(str(path), **options)
    message = str(caught.value)
    assert len(message) < 20_000
    assert message.isprintable() or "\n  " in message
    return message


def write_parquet(path, rows, kind):
    """`rows` with one column of the Arrow type `kind`, which is not one of text."""
    names = dict.fromkeys(name for row in rows for name in row)
    odd = next(name for name in names if name not in PLAIN)
    columns = {name: pa.array([row.get(name) for row in rows], kind if name == odd else None) for name in names}
    pq.write_table(pa.table(columns), path)


@pytest.mark.parametrize(
    "value",
    ["../a.png", "a/../../b.png", "/etc/a.png", "a//b.png", "./a.png", "a\\b.png", "C:\\a.png", "~\x00.png", "a\nb.png",
     "a\x1b[31m.png", "a\u2028.png", "x" * 4000 + ".png", "a\ud800.png", LONG + ".png"],
    ids=lambda value: repr(value[:12]),
)  # fmt: skip
def test_outputs_stay_below_the_images(tmp_path, value):
    path = write_jsonl(tmp_path / "m.jsonl", [PLAIN, {**PLAIN, "output": value}])
    assert "1 of 2 rows cannot be used:\n  row 1 (counting from 0), column output, value '" in error_of(path)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize(
    "column", ["content", "style", "pair_id", "content_mask", "output", "group", "gate", "preset", "n_upd"]
)
def test_a_very_long_text_is_one_problem_of_its_row(tmp_path, column, kind):
    rows = [{**PLAIN, column: "1"}, {**PLAIN, column: LONG}]
    path = tmp_path / f"m.{kind}"
    if kind == "jsonl":
        write_jsonl(path, rows)
    elif kind == "csv":
        names = list(rows[1])
        path.write_text("\n".join(",".join(cells) for cells in (names, *(row.values() for row in rows))))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    message = error_of(path)
    assert f"row 1 (counting from 0), column {column}, value 'xxxx" in message


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_very_long_text_that_means_nothing_does_no_harm(tmp_path, kind):
    rows = [{**PLAIN, "content": f"{number}.jpg", "caption": LONG} for number in range(5)]
    path = tmp_path / f"m.{kind}"
    if kind == "jsonl":
        write_jsonl(path, rows)
    elif kind == "csv":
        path.write_text("content,style,caption\n" + "".join(f"{row['content']},b,{LONG}\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    read = read_manifest(str(path))
    assert [pair.content for pair in read.pairs] == [str(tmp_path / f"{number}.jpg") for number in range(5)]
    assert read.notes == ("ignored columns: 'caption'",)


def test_a_row_after_a_long_one_keeps_its_number(tmp_path):
    """From a long row on, a CSV file is read in larger blocks."""
    path = tmp_path / "m.csv"
    cells = [f"{number}.jpg,s,{LONG[:5_000_000] if number == 50_000 else 'x' * 20}" for number in range(60_000)]
    path.write_text("content,style,caption\n" + "\n".join(cells))
    rows = [
        (batch.first + place, batch.columns["content"].values[code])
        for batch in Table("m.csv", path).batches()
        for place, code in enumerate(batch.columns["content"].codes)
    ]
    assert rows == [(number, f"{number}.jpg") for number in range(60_000)]
    cells[55_000] += ",more"
    path.write_text("content,style,caption\n" + "\n".join(cells))
    assert "row 55000 (counting from 0), value '55000.jpg,s,xx" in error_of(path)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("m.csv", b'content,style\na,b\n"c,d\n' + b"x,y\n" * 10_000_000, "a double quote that is never closed"),
        ("m.csv", b'content,style\na,b\n"c,d\n' + b"x,y\n" * 100, "row 1 (counting from 0), value '"),
        ("m.jsonl", b'{"content": "' + b"x" * 20_000_000, "line 1 is longer than 16 MiB: write one object a line"),
        ("m.jsonl", b"[" * 1_000_000, "line 1 is nested too deeply: write one plain object a line"),
        ("m.jsonl", b'{"content": "a", "style": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "line 1 is nested too dee"),
        ("m.jsonl", b'{"content": "a", "style": "b", "x": ' + b'{"x":' * 100_000, "line 1 is nested too deeply"),
        ("m.jsonl", b'{"content": "a", "style": "b"}\n{"content": "\xff", "style": "b"}\n', "line 2 is not JSON ('utf"),
        ("m.jsonl", b'{"resolution": ' + b"9" * 5000 + b"}\n", "line 1 is not JSON (Exceeds the limit"),
        ("m.csv", b"content,style\n\0\0\0,b\n", "row 0 (counting from 0), column content, value '\\x00"),
    ],
    ids=range(9),
)  # fmt: skip
def test_files_that_are_broken_on_purpose(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    assert words in error_of(tmp_path / name)


@pytest.mark.parametrize("depth", [10, 200, 900])
def test_a_nested_value_is_a_problem_of_its_row(tmp_path, depth):
    line = '{"content": "a", "style": "b", "%s": ' + "[" * depth + "]" * depth + "}\n"
    for column in ("style", "gate", "resolution", "pair_id", "style_mask"):
        (tmp_path / "m.jsonl").write_text(line % column)
        assert f"row 0 (counting from 0), column {column}, value" in error_of(tmp_path / "m.jsonl")


@pytest.mark.parametrize("column", ["content", "style", "output", "pair_id", "style_mask", "group", "gate"])
def test_what_is_no_text_in_a_csv_file_is_told_with_its_row(tmp_path, column):
    cells = {"content": b"a", "style": b"b", "content_mask": b"m", column: b"\xff\xfe.png"}
    rows = [b",".join(name.encode() for name in cells), b"a,b,m" + b"," * (len(cells) - 3), b",".join(cells.values())]
    (tmp_path / "m.csv").write_bytes(b"\n".join(rows))
    message = error_of(tmp_path / "m.csv")
    assert f"row 1 (counting from 0), column {column}, value b'\\xff\\xfe.png': " in message


def test_what_is_no_text_in_a_parquet_file_is_told_with_its_row(tmp_path):
    broken = pa.array([b"a.jpg", b"\xff.jpg"]).view(pa.string())
    pq.write_table(pa.table({"content": broken, "style": ["s", "s"]}), tmp_path / "m.parquet")
    assert "row 1 (counting from 0), column content, value b'\\xff.jpg': is not UTF-8" in error_of(
        tmp_path / "m.parquet"
    )
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2]), broken)
    pq.write_table(pa.table({"content": ["a", "b"], "style": lists}), tmp_path / "m.parquet")
    assert "row 1 (counting from 0), column style, value [b'\\xff.jpg']: is not UTF-8" in error_of(
        tmp_path / "m.parquet"
    )


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"nan"', '"inf"', "[NaN, 1, 1, 1]"])
@pytest.mark.parametrize(
    "column", ["resolution", "style_weight", "gate", "strength", "n_upd", "alpha", "guided_radius"]
)
def test_numbers_that_are_none(tmp_path, column, value):
    (tmp_path / "m.jsonl").write_text(f'{{"content": "a", "style": "b", "{column}": {value}}}\n')
    assert f"row 0 (counting from 0), column {column}, value" in error_of(tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ("content_mask", pa.binary(), b"\xff\xd8"),
        ("content_mask", pa.timestamp("ns"), datetime(2020, 1, 1)),
        ("style_mask", pa.struct({"uri": pa.string()}), {"uri": "x"}),
        ("style_mask", pa.list_(pa.list_(pa.string())), [["x"]]),
        ("style_weight", pa.map_(pa.string(), pa.float64()), [("x", 1.0)]),
        ("output", pa.binary(3), b"abc"),
        ("resolution", pa.duration("s"), 3),
        ("gate", pa.list_(pa.struct({"a": pa.int8()})), [{"a": 1}]),
    ],
    ids=str,
)
def test_parquet_columns_of_absurd_types(tmp_path, column, kind, value):
    write_parquet(tmp_path / "m.parquet", [PLAIN, {**PLAIN, column: value}], kind)
    message = error_of(tmp_path / "m.parquet")
    assert f"cannot be read as parquet: column {column} holds " in message
    assert "write text, numbers, or lists of them" in message


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ("gate", pa.float16(), 3.0),
        ("gate", pa.float64(), float("nan")),
        ("resolution", pa.uint64(), 2**64 - 1),
        ("resolution", pa.decimal128(38, 10), decimal.Decimal("0.1")),
        ("style_weight", pa.list_(pa.float64()), [float("inf")]),
        ("pair_id", pa.bool_(), True),
        ("output", pa.int64(), 7),
        ("content_mask", pa.list_(pa.string()), ["m.png"]),
    ],
    ids=str,
)
def test_parquet_values_that_mean_nothing(tmp_path, column, kind, value):
    write_parquet(tmp_path / "m.parquet", [PLAIN, {**PLAIN, column: value}], kind)
    assert f"row 1 (counting from 0), column {column}, value" in error_of(tmp_path / "m.parquet")


def test_an_empty_column_may_have_no_type(tmp_path):
    rows = [{**PLAIN, "output": None, "style_weight": None}]
    table = pa.Table.from_pylist(rows)
    assert pa.types.is_null(table.schema.field("output").type)
    pq.write_table(table, tmp_path / "m.parquet")
    assert len(read_manifest(str(tmp_path / "m.parquet")).pairs) == 1


@pytest.mark.parametrize("column", ["style", "style_weight", "style_mask", "alpha", "n_upd"])
def test_a_list_of_very_many_values_is_one_problem_of_its_row(tmp_path, column):
    rows = [{**PLAIN, "style_weight": [1], "content_mask": "m", "style_mask": ["a"], "alpha": [0.5], "n_upd": [3]}]
    rows[0]["style"] = ["a"]
    rows.append({**rows[0], column: rows[0][column] * 100_000})
    words = f"row 1 (counting from 0), column {column}, value ["
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "m.parquet")
    for path in (write_jsonl(tmp_path / "m.jsonl", rows), tmp_path / "m.parquet"):
        message = error_of(path)
        assert words in message
        assert "has more than 1000 values: give fewer" in message


def test_a_thousand_styles_are_fine(tmp_path):
    (pair,) = read_manifest(write_jsonl(tmp_path / "m.jsonl", [{**PLAIN, "style": ["b"] * 1000}])).pairs
    assert len(pair.styles) == len(pair.style_weights) == 1000


def test_a_list_without_end_is_not_read(tmp_path, monkeypatch):
    """Some kilobytes of a Parquet file can say any number of equal values."""
    monkeypatch.setattr("jobs.manifest.columns._VALUES", 100_000)
    table = pa.table({"content": ["a"], "style": ["b"], "n_upd": pa.array([[1] * 200_000], pa.list_(pa.int8()))})
    pq.write_table(table, tmp_path / "m.parquet")
    assert (tmp_path / "m.parquet").stat().st_size < 10_000
    assert "column n_upd has 200000 values in one row group: write smaller ones" in error_of(tmp_path / "m.parquet")


def test_very_many_names_of_columns_are_not_all_kept(tmp_path):
    rows = [{**PLAIN, "content": f"{n}.jpg", f"key {n}": 1, "y" * 5000 + str(n): 2} for n in range(3000)]
    (note,) = read_manifest(write_jsonl(tmp_path / "m.jsonl", rows)).notes
    assert note.startswith("ignored columns: 'key 0', 'yyyyyy")
    assert note.endswith("…")
    assert len(note) < 3000


# Places that are allowed


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("content", "/etc/passwd"),
        ("content", "../elsewhere.jpg"),
        ("content", "s3://other/x.jpg"),
        ("content", "s3://bucket/database/x.jpg"),
        ("content", "file:///etc/passwd"),
        ("style", ["b.jpg", "/etc/passwd"]),
        ("content_mask", "s3://other/m.png"),
        ("style_mask", "/etc/passwd"),
    ],
)
def test_a_row_that_points_elsewhere_is_refused(tmp_path, column, value):
    masked = {**PLAIN, "content_mask": "m.png", "style_mask": None}
    if column == "style":
        masked["style_mask"] = [None, None]
    path = write_jsonl(tmp_path / "m.jsonl", [masked, {**masked, column: value}, {**PLAIN, "style": "c.jpg"}])
    assert len(read_manifest(path).pairs) == 3 if column != "style" else True
    message = error_of(path, allowed=[str(tmp_path), "s3://bucket/data"])
    assert f"row 1 (counting from 0), column {column}, value" in message
    assert "is outside of what the job may read" in message


def test_rows_in_allowed_places_are_fine(tmp_path):
    rows = [PLAIN, {"content": "s3://bucket/data/x.jpg", "style": f"file://{tmp_path}/s.jpg"}]
    path = write_jsonl(tmp_path / "m.jsonl", rows)
    assert len(read_manifest(path, allowed=[str(tmp_path), "s3://bucket/data"]).pairs) == 2
    labels = {**PLAIN, "content_mask": "m.png", "style_mask": "red"}
    assert read_manifest(write_jsonl(tmp_path / "m.jsonl", [labels]), allowed=[str(tmp_path)]).pairs


# Memory


_PEAK = """
import resource, sys
from tests.jobs.plans import read_manifest
from jobs.errors import ManifestError
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
open(sys.argv[1] + "/plain.csv", "w").write("content,style\\na,b\\n")
read_manifest(sys.argv[1] + "/plain.csv")
before = peak()
for name in sys.argv[2:]:
    try:
        read_manifest(f"{sys.argv[1]}/{name}")
    except ManifestError as error:
        assert "000 rows cannot be used; the first 10:" in str(error), error
    print(name, peak() - before)
"""


@pytest.mark.slow
def test_memory_does_not_follow_what_a_small_file_unpacks_to(tmp_path):
    """Each of these holds 20 GB of text, which stands in it once."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), [LONG])
    one = pa.ListArray.from_arrays(pa.array(range(2001), pa.int32()), texts)
    two = pa.ListArray.from_arrays(pa.array(range(0, 2001, 2), pa.int32()), texts)
    for name, style in (("texts", texts), ("one", one), ("two", two)):
        table = pa.table({"content": [f"{number}.jpg" for number in range(len(style))], "style": style})
        pq.write_table(table, tmp_path / f"{name}.parquet", store_schema=False)
    code = [sys.executable, "-c", _PEAK, str(tmp_path), "texts.parquet", "one.parquet", "two.parquet"]
    result = subprocess.run(code, capture_output=True, text=True, check=True)
    grown = {line.split()[0]: int(line.split()[1]) for line in result.stdout.splitlines()}
    assert len(grown) == 3
    assert max(grown.values()) < 500, grown  # MB
