"""The checks see what they are to see: a whole output passes, and each way of breaking it is named."""

import hashlib
import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.chaos.checks import FolderObjects, problems_of
from tests.chaos.pictures import Behaviour, Row

ROWS = [Row(0), Row(1), Row(2), Row(3, Behaviour.RAISE), Row(4, Behaviour.KILL)]
CLEAN = {row.pair_id: hashlib.sha256(row.pair_id.encode()).hexdigest() for row in ROWS[:3]}
SCHEMA = pa.schema(
    {name: pa.string() for name in ("pair_id", "status", "error_type", "error", "output", "pack", "sha256")}
)


def record(row: Row) -> dict[str, str]:
    if row.behaviour.error is None:
        output = {"output": f"images/{row.pair_id}.png", "sha256": CLEAN[row.pair_id]}
        return {"pair_id": row.pair_id, "status": "done", **output}
    return {"pair_id": row.pair_id, "status": "failed", "error_type": row.behaviour.error, "error": "as planned"}


def commit(folder: Path, name: str, *records: dict[str, str]) -> None:
    pq.write_table(pa.Table.from_pylist(list(records), SCHEMA), folder / f"records/{name}.parquet")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    for name in ("records", "images", ".partial"):
        (tmp_path / name).mkdir()
    for name in ("plan.json", "summary.json", "timings.parquet", "verify.json", "config.toml"):
        (tmp_path / name).touch()
    commit(tmp_path, "shard-000000", *map(record, ROWS[:3]))
    commit(tmp_path, "shard-000001", *map(record, ROWS[3:]))
    for row in ROWS[:3]:
        (tmp_path / f"images/{row.pair_id}.png").write_bytes(row.pair_id.encode())
    return tmp_path


def problems(folder: Path, clean=CLEAN) -> list[str]:
    return problems_of(FolderObjects(folder), ROWS, clean)


def test_a_whole_output_has_no_problems(output: Path):
    assert problems(output) == []


@pytest.mark.parametrize("left", [".partial/x", "images/stray.png", "plan.json.tmp", "elsewhere/x"])
def test_what_nobody_promised_is_left_over(output: Path, left: str):
    (output / left).parent.mkdir(exist_ok=True)
    (output / left).touch()
    assert problems(output) == [f"{left} is left over"]


def test_lost_and_other_records(output: Path):
    (output / "records/shard-000001.parquet").unlink()
    assert sorted(problems(output)) == ["kill-000004 has no record", "raise-000003 has no record"]
    commit(output, "shard-000001", *map(record, [*ROWS[2:], Row(3, Behaviour.RAISE)]))
    assert sorted(problems(output)) == ["plain-000002 has 2 records", "raise-000003 has 2 records"]
    commit(output, "shard-000001", *map(record, [*ROWS[3:], Row(9, Behaviour.HANG)]))
    assert problems(output) == ["hang-000009 is recorded and in no manifest"]


def test_rows_that_failed_and_should_not_have(output: Path):
    commit(output, "shard-000001", record(ROWS[3]) | {"error_type": "ImageError"}, record(ROWS[4]))
    commit(
        output, "shard-000000", record(ROWS[0]), record(ROWS[1]),
        {"pair_id": ROWS[2].pair_id, "status": "failed", "error_type": "StorageError", "error": "why"},
    )  # fmt: skip
    assert problems(output) == [
        "plain-000002 is failed (StorageError: why), not done (None)",
        "raise-000003 is failed (ImageError: as planned), not failed (ArithmeticError)",
        "images/plain-000002.png is left over",
    ]


def test_pictures_that_are_lost_or_others(output: Path):
    (output / "images/plain-000000.png").unlink()
    (output / "images/plain-000001.png").write_bytes(b"else")
    assert problems(output, CLEAN | {"plain-000002": "0" * 64}) == [
        "plain-000000: images/plain-000000.png is lost",
        "plain-000001: images/plain-000001.png is not what its record says",
        "plain-000002: images/plain-000002.png is another picture than that of a clean run",
    ]


def test_pictures_in_packs(output: Path):
    for path in (output / "images").iterdir():
        path.unlink()
    key = "images/shard-000000.tar"
    commit(output, "shard-000000", *(record(row) | {"pack": key} for row in ROWS[:3]))

    def pack(**pictures: str):
        with tarfile.open(output / key, "w") as tar:
            for name, data in pictures.items():
                for suffix in (".png", ".json"):
                    member = tarfile.TarInfo(name.replace("_", "-") + suffix)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data.encode()))

    assert [problem.partition(":")[0] for problem in problems(output)] == [row.pair_id for row in ROWS[:3]]
    names = {row.pair_id.replace("-", "_"): row.pair_id for row in ROWS}
    pack(**dict(list(names.items())[:3]))
    assert problems(output) == []
    pack(**dict(list(names.items())[:4]))
    assert problems(output) == [f"{key} holds raise-000003, which is not recorded there"]
    pack(plain_000000="else", plain_000001="plain-000001")
    assert problems(output) == [
        "plain-000000: images/plain-000000.png is not what its record says",
        "plain-000002: images/plain-000002.png is lost",
    ]
