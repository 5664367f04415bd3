import pytest

from jobs.records import SCHEMA, STAGES, Record, decode_records, encode_records


def test_records_survive_a_round_trip():
    done = Record("a", 0, "done", "ift", "photo", "f", output="images/a.png", width=3, seconds={"fetch": 0.5})
    failed = Record("b", 1, "pending", "ift", "photo", "f", output="images/b.png", sha256="x", bytes=3)
    failed.fail(ValueError("no good"))
    table = decode_records(encode_records([done, failed]))
    assert table.schema == SCHEMA
    first, second = table.to_pylist()
    assert (first["pair_id"], first["fetch_s"], first["upload_s"], first["width"]) == ("a", 0.5, None, 3)
    assert (second["status"], second["error_type"], second["error"]) == ("failed", "ValueError", "no good")
    assert second["output"] is None and second["sha256"] is None


@pytest.mark.parametrize("error", [ValueError(), RuntimeError("x" * 10_000)])
def test_an_error_always_has_some_words_and_never_too_many(error):
    record = Record("a", 0, "pending", "ift", "photo", "f")
    record.fail(error)
    assert record.error and len(record.error) <= 2000


def test_every_stage_has_a_column():
    assert {f"{stage}_s" for stage in STAGES} < set(SCHEMA.names)
