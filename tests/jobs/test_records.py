import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.parquet import to_parquet
from jobs.records import SCHEMA, STAGES, DamagedRecordsError, Record, decode_records, encode_records


def some_records():
    done = Record("a", 0, "done", "ift", "photo", "f", output="images/a.png", width=3, seconds={"fetch": 0.5})
    failed = Record("b", 1, "pending", "ift", "photo", "f", output="images/b.png", sha256="x", bytes=3)
    failed.fail(ValueError("no good"))
    return [done, failed]


def test_records_survive_a_round_trip():
    table = decode_records(encode_records(some_records()))
    assert table.schema == SCHEMA
    first, second = table.to_pylist()
    assert (first["pair_id"], first["fetch_s"], first["upload_s"], first["width"]) == ("a", 0.5, None, 3)
    assert (second["status"], second["error_type"], second["error"]) == ("failed", "ValueError", "no good")
    assert second["output"] is None and second["sha256"] is None


def test_some_columns_come_in_the_order_of_all():
    table = decode_records(encode_records(some_records()), ["status", "row", "total_s"])
    assert table.schema.names == ["row", "status", "total_s"]
    assert table["status"].to_pylist() == ["done", "failed"]
    assert len(decode_records(encode_records([]), ["row"])) == 0


@pytest.mark.parametrize("error", [ValueError(), RuntimeError("x" * 10_000)])
def test_an_error_always_has_some_words_and_never_too_many(error):
    record = Record("a", 0, "pending", "ift", "photo", "f")
    record.fail(error)
    assert record.error and len(record.error) <= 2000


def test_every_stage_has_a_column():
    assert {f"{stage}_s" for stage in STAGES} < set(SCHEMA.names)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no intact Parquet object"),
        (b"<html>service unavailable</html>", "no intact Parquet object"),
        (encode_records(some_records())[:-1], "no intact Parquet object"),
        (to_parquet(pa.table({"row": [1]})), "its columns are not those of records"),
        (to_parquet(pa.table({name: [None] for name in SCHEMA.names})), "its columns are not those of records"),
    ],
)
def test_what_is_no_record_object_is_refused(data, words):
    for columns in (None, ["row"]):
        with pytest.raises(DamagedRecordsError, match=words):
            decode_records(data, columns)


INTACT = encode_records(some_records() * 3)


@given(st.integers(0, 8 * len(INTACT) - 1))
def test_no_flipped_bit_changes_a_record_unnoticed(bit):
    data = bytearray(INTACT)
    data[bit // 8] ^= 1 << bit % 8
    try:
        table = decode_records(bytes(data))
    except DamagedRecordsError:
        return
    assert table.equals(decode_records(INTACT))
