"""The main job as users run it: real processes, real Ray, a real S3 store."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ift import Settings
from jobs.plan import load_plan
from jobs.storage import open_store
from jobs.stylize import app
from tests.jobs.drivers import call
from tests.jobs.pairs import assert_whole, picture, stripes, write_manifest

pytestmark = pytest.mark.slow

METHOD_FLAGS = (
    "--method", "adain", "--alpha", "0.5,0.6,0.7,0.8", "--keep-colours", "--guided-radius", 3, "--nst-steps", 7
)  # fmt: skip
METHOD_OPTIONS = {
    "method": "adain", "alpha": (0.5, 0.6, 0.7, 0.8), "keep_colours": True, "guided_radius": 3, "nst_steps": 7
}  # fmt: skip

BAD_ROWS = [
    {"pair_id": "missing", "content": "nowhere.png", "style": "styles/s0.png"},
    {"pair_id": "torn", "content": "torn.jpg", "style": "styles/s0.png"},
]


def invoke(*arguments):
    """A command that starts no Ray, in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_manifest_becomes_pictures_records_timings_and_a_summary(tmp_path):
    manifest = write_manifest(tmp_path, rows=BAD_ROWS)
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    output = tmp_path / "out"
    first = call("run", "--manifest", manifest, "--output", output, "--max-failed", 0.5)
    assert first.returncode == 0, first.stdout + first.stderr
    records = assert_whole(output, 10)
    assert [record["pair_id"] for record in records if record["status"] == "failed"] == ["missing", "torn"]
    summary = json.loads((output / "summary.json").read_text())
    assert (summary["rows"], summary["done"], summary["failed"], summary["left"]) == (10, 8, 2, 0)
    timings = pq.read_table(output / "timings.parquet").to_pylist()
    assert sum(row["count"] for row in timings) == 8
    assert "8 done, 2 failed" in first.stdout and "nowhere.png" in first.stdout
    before = {path: path.read_bytes() for path in output.glob("records/*")}

    again = call("run", "--manifest", manifest, "--output", output, "--max-failed", 0.5)
    assert again.returncode == 0 and "nothing to do" in again.stdout
    assert {path: path.read_bytes() for path in output.glob("records/*")} == before

    status = invoke("status", "--output", output)
    assert status.exit_code == 0 and "8 done, 2 failed of 10 pairs" in status.stdout

    strict = invoke("run", "--manifest", manifest, "--output", output)
    assert strict.exit_code == 3 and "--max-failed" in strict.stdout

    other = invoke("run", "--manifest", manifest, "--output", output, "--preset", "photo")
    assert other.exit_code == 2 and "--output" in other.stderr and "Traceback" not in other.stderr

    sheets = invoke("sheet", "--output", output, "--to", tmp_path)
    assert sheets.exit_code == 0 and (tmp_path / "contact_sheet_artistic_ift.png").exists()


def test_retry_verify_repair_and_a_manifest_that_grows(tmp_path):
    manifest, output = write_manifest(tmp_path, rows=BAD_ROWS), tmp_path / "out"
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    planned = invoke("plan", "--manifest", manifest, "--output", output)
    assert planned.exit_code == 0 and "10 pairs" in planned.stdout and not (output / "records").exists()
    assert call("run", "--manifest", manifest, "--output", output, "--max-failed", 1).returncode == 0
    clean = {path: path.read_bytes() for path in output.glob("images/*")}

    picture(tmp_path / "nowhere.png", 5)
    again = call("retry", "--output", output, "--max-failed", 1)
    assert again.returncode == 0 and "9 done, 1 failed of 10 pairs" in again.stdout
    records = assert_whole(output, 10)
    assert [record["attempts"] for record in records] == [1] * 8 + [2, 2]

    assert invoke("verify", "--output", output).exit_code == 0
    lost, changed = sorted(clean)[:2]
    lost.unlink()
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    (output / "images/mine.txt").write_text("nobody's")
    damaged = sorted(output.glob("records/*"))[4]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    found = invoke("verify", "--output", output)
    assert found.exit_code == 4
    for hint in (lost.name, changed.name, "mine.txt", damaged.name, "--repair"):
        assert hint in found.stdout
    repaired = call("verify", "--output", output, "--repair")
    assert repaired.returncode == 0, repaired.stdout
    assert_whole(output, 10)
    assert {path: path.read_bytes() for path in clean} == clean
    assert (output / "lost+found/images/mine.txt").read_text() == "nobody's"

    with manifest.open("a") as file:
        file.write("grown,contents/c0.png,styles/s1.png\n")
    before = {path: path.read_bytes() for path in output.glob("records/*")}
    grown = call("run", "--manifest", manifest, "--output", output, "--max-failed", 1)
    assert grown.returncode == 0 and "grown by 1 pair" in grown.stdout, grown.stdout + grown.stderr
    assert len(assert_whole(output, 11)) == 11
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("manifest", "hints"),
    [
        ("nothing.csv", ["nothing.csv"]),
        ("picture.png", ["picture.png", "Parquet"]),
        ("columns.csv", ["no column content", "'photo'"]),
        ("row.csv", ["row 1", "resolution"]),
    ],
)
def test_what_is_no_manifest_is_refused_before_any_work(tmp_path, manifest, hints):
    picture(tmp_path / "picture.png", 1)
    (tmp_path / "columns.csv").write_text("photo,style\na.png,b.png\n")
    (tmp_path / "row.csv").write_text("content,style,resolution\na.png,b.png,512\na.png,c.png,many\n")
    arguments = ["run", "--manifest", str(tmp_path / manifest), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit) and result.stderr.startswith("error: ")
    for hint in hints:
        assert hint in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        (["--method", "gatys"], "no method is named 'gatys': choose one of ift, wct"),
        (["--method", "nst,ift,ift,ift"], "cannot be mixed"),
        (
            ["--method", "avatar"],
            "row 0 (counting from 0), column content_mask, value 'm.png': the method avatar takes",
        ),
        (["--alpha", "2"], "alpha = 2.0 is out of range"),
        (["--guided-radius", "-1"], "guided_radius = -1 is out of range"),
        (["--nst-steps", "0"], "nst_steps = 0 is out of range"),
    ],
)
def test_options_that_cannot_be_are_refused_before_any_work(tmp_path, option, hint):
    (tmp_path / "m.csv").write_text("content,style,content_mask\na.png,b.png,m.png\n")
    arguments = ["run", "--manifest", str(tmp_path / "m.csv"), "--output", str(tmp_path / "out"), *option]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2 and hint in result.stderr
    assert isinstance(result.exception, SystemExit) and result.stderr.startswith("error: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["status", "sheet"])
def test_where_nothing_was_run_there_is_nothing_to_show(tmp_path, command):
    result = CliRunner().invoke(app, [command, "--output", str(tmp_path / "out")])
    assert result.exit_code == 2 and "holds no plan" in result.stderr
    assert isinstance(result.exception, SystemExit) and result.stderr.startswith("error: ")


def test_s3_and_local_runs_give_the_same_pictures_and_records(tmp_path, s3):
    stripes(tmp_path / "masks/c.png", "#ff0000", "#0000ff")
    stripes(tmp_path / "masks/s.png", "#0000ff", "#ff0000")
    masked = {"content": "contents/c1.png", "style": "styles/s0.png;styles/s1.png", "content_mask": "masks/c.png"}
    rows = [
        *BAD_ROWS[:1],
        {"pair_id": "masked", **masked, "style_mask": "masks/s.png;red"},
        {"pair_id": "avatar", "content": "contents/c0.png", "style": "styles/s1.png", "method": "avatar"},
        {"pair_id": "no_mask", **masked, "style_mask": "masks/gone.png;none"},
    ]
    manifest = write_manifest(tmp_path, rows=rows)
    bucket = s3.bucket()
    remote = open_store(f"s3://{bucket}/data")
    for path in [
        manifest,
        *(path for folder in ("contents", "styles", "masks") for path in tmp_path.glob(f"{folder}/*")),
    ]:
        remote.write(str(path.relative_to(tmp_path)), path.read_bytes())
    flags = ("--max-failed", 1, *METHOD_FLAGS)
    local_run = call("run", "--manifest", manifest, "--output", tmp_path / "out", *flags)
    remote_uri = f"s3://{bucket}/runs/one"
    remote_run = call("run", "--manifest", f"s3://{bucket}/data/manifest.csv", "--output", remote_uri, *flags)
    assert local_run.returncode == 0, local_run.stderr
    assert remote_run.returncode == 0, remote_run.stderr
    records = assert_whole(tmp_path / "out", 12)
    assert [record["pair_id"] for record in records if record["status"] == "failed"] == ["missing", "no_mask"]
    assert "masks/gone.png" in records[11]["error"]
    assert {record["pair_id"]: record["method"] for record in records[7:11]} == {
        "c3-s1": "adain", "missing": "adain", "masked": "adain", "avatar": "avatar"
    }  # fmt: skip
    for shard in load_plan(open_store(str(tmp_path / "out"))).iter_shards():
        for pair in shard.pairs:
            expected = Settings.from_options(**METHOD_OPTIONS | {"method": pair.method})
            assert Settings.from_json(pair.settings) == expected
    store = open_store(remote_uri)
    theirs = [
        row for key in store.list("records/") for row in pq.read_table(pa.BufferReader(store.read(key))).to_pylist()
    ]
    places_and_times = {"actor", "node", "finished_at", "fingerprint", "error"}
    kept = [name for name in records[0] if name not in places_and_times and not name.endswith("_s")]
    for ours, other in zip(records, sorted(theirs, key=lambda record: record["row"]), strict=True):
        assert {name: ours[name] for name in kept} == {name: other[name] for name in kept}
        if ours["status"] == "done":
            assert store.read(ours["output"]) == (tmp_path / "out" / ours["output"]).read_bytes()
    assert s3.secret_key not in remote_run.stdout + remote_run.stderr
    again = call("run", "--manifest", f"s3://{bucket}/data/manifest.csv", "--output", remote_uri, *flags)
    assert again.returncode == 0 and "nothing to do" in again.stdout
