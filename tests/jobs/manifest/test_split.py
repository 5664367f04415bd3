"""Parts of a manifest: every row once, contents together, and where they were when it grows."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from jobs.errors import ManifestError
from jobs.manifest.split import split_manifest
from tests.jobs.manifest.trees import rows_of


def write(path, contents, per_content=3):
    pairs = [(c, s) for c in range(contents) for s in range(per_content)]
    columns = {
        "content": [f"photos/{c}.jpg" for c, _ in pairs],
        "style": [[f"styles/{s}.jpg"] for _, s in pairs],
        "pair_id": [f"c{c}-s{s}" for c, s in pairs],
        "resolution": pa.array([64 + c for c, _ in pairs], pa.int16()),
    }
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_every_row_is_in_one_part_and_contents_stay_together(tmp_path):
    uri = write(tmp_path / "a.parquet", 200)
    parts = split_manifest(uri, [1 / 3] * 3)
    assert [part.uri for part in parts] == [f"{tmp_path}/a-0000{k}-of-00003.parquet" for k in range(3)]
    tables = [rows_of(part.uri) for part in parts]
    assert [part.rows for part in parts] == list(map(len, tables))
    whole = rows_of(uri)
    assert sorted((row for table in tables for row in table), key=whole.index) == whole
    for table in tables:
        assert table == sorted(table, key=whole.index)
    contents = [{row["content"] for row in table} for table in tables]
    assert sum(map(len, contents)) == 200
    assert pq.read_schema(parts[0].uri) == pq.read_schema(uri)


def test_shares_are_kept_and_growth_moves_nothing(tmp_path):
    small, large = write(tmp_path / "small.parquet", 500, 1), write(tmp_path / "large.parquet", 3000, 1)
    few, many = (split_manifest(uri, [0.9, 0.1], by="row") for uri in (small, large))
    assert binomtest(many[1].rows, 3000, 0.1).pvalue > 0.001
    for before, after in zip(few, many, strict=True):
        assert {row["pair_id"] for row in rows_of(before.uri)} <= {row["pair_id"] for row in rows_of(after.uri)}
    kept = {row["pair_id"] for row in rows_of(few[1].uri)}
    other = split_manifest(small, [0.9, 0.1], by="row", seed=1)
    assert {row["pair_id"] for row in rows_of(other[1].uri)} != kept


def test_what_other_programs_write_as_text_is_text(tmp_path):
    uri = write(tmp_path / "a.parquet", 40)
    plain = [rows_of(part.uri) for part in split_manifest(uri, [0.5, 0.5])]
    table = pq.read_table(uri)
    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        pq.write_table(table.set_column(0, "content", table["content"].cast(kind)), uri)
        assert [rows_of(part.uri) for part in split_manifest(uri, [0.5, 0.5])] == plain


def test_rows_of_one_content_may_be_apart(tmp_path):
    uri = write(tmp_path / "a.parquet", 1, 100)
    assert sorted(part.rows for part in split_manifest(uri, [0.5, 0.5])) == [0, 100]
    assert min(part.rows for part in split_manifest(uri, [0.5, 0.5], by="row")) > 20


def test_rows_of_a_group_stay_together(tmp_path):
    uri = write(tmp_path / "a.parquet", 90, 1)
    plain = [rows_of(part.uri) for part in split_manifest(uri, [0.5, 0.5])]
    table = pq.read_table(uri)
    films = pa.array([f"{row // 3 % 10}" if row % 3 else None for row in range(90)])
    for kind in (pa.string(), pa.dictionary(pa.int8(), pa.string()), pa.int32()):
        pq.write_table(table.append_column("group", films.cast(kind)), uri)
        for by in ("content", "row"):
            parts = [rows_of(part.uri) for part in split_manifest(uri, [0.5, 0.5], by=by)]
            first, second = ({row["group"] for row in part} - {None} for part in parts)
            assert len(first | second) == 10 and not first & second
            assert min(map(len, (first, second))) > 0 and sum(map(len, parts)) == 90
        parts = [rows_of(part.uri) for part in split_manifest(uri, [0.5, 0.5])]
        alone = [[row["content"] for row in part if row["group"] is None] for part in parts]
        assert alone == [[row["content"] for row in part if int(row["content"][7:-4]) % 3 == 0] for part in plain]
    pq.write_table(table.append_column("group", pa.nulls(90)), uri)
    assert [part.rows for part in split_manifest(uri, [0.5, 0.5])] == list(map(len, plain))


@pytest.mark.parametrize(
    ("shares", "by", "words"),
    [
        ([1.0], "content", "give 2 to 1000"),
        ([0.5, 0.6], "content", "must be positive and sum to 1"),
        ([1.5, -0.5], "content", "must be positive"),
        ([0.5, 0.5], "style", "choose one of content, row"),
    ],
)
def test_mistakes_are_told(tmp_path, shares, by, words):
    with pytest.raises(ManifestError, match=words):
        split_manifest(write(tmp_path / "a.parquet", 2), shares, by=by)


def test_what_cannot_be_split(tmp_path):
    (tmp_path / "a.csv").write_text("content,style\na,b\n")
    with pytest.raises(ManifestError, match="cannot be read as Parquet"):
        split_manifest(str(tmp_path / "a.csv"), [0.5, 0.5])
    pq.write_table(pa.table({"content": ["a"], "style": ["b"]}), tmp_path / "b.parquet")
    with pytest.raises(ManifestError, match="no column pair_id"):
        split_manifest(str(tmp_path / "b.parquet"), [0.5, 0.5], by="row")
    pq.write_table(pa.table({"content": ["a", None], "style": ["b", "b"]}), tmp_path / "c.parquet")
    with pytest.raises(ManifestError, match="a row has no content"):
        split_manifest(str(tmp_path / "c.parquet"), [0.5, 0.5])
