"""The log for machines: a line of JSON for each event, and nothing that should not be told."""

import json
import logging
import socket

import pytest
from typer.testing import CliRunner

from jobs.errors import JobError
from jobs.event_log import EventLog
from jobs.events import Load, PairFailed, ShardCommitted
from jobs.stylize import app
from jobs.watch import Watch
from tests.jobs.pairs import write_manifest


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_events_are_lines_that_name_the_run_the_shard_and_the_pair(tmp_path):
    for shard in (1, 2):  # a second run writes below the first
        log = EventLog(str(tmp_path / "log.jsonl"), "run-1")
        log(PairFailed(shard, 'é"\n', "ValueError", "two\nlines"))
        log(Load(1, 0, 1, 0, 0))
        log(ShardCommitted(shard, 31, 1))
        log.close()
    first, second, *rest = lines((tmp_path / "log.jsonl").read_text(encoding="utf-8"))
    assert first.pop("time").endswith("+00:00") and second.pop("time")
    assert first == {
        "level": "warning", "run": "run-1", "event": "pair_failed",
        "shard": 1, "pair_id": 'é"\n', "error_type": "ValueError", "error": "two\nlines",
    }  # fmt: skip
    assert second == {"level": "info", "run": "run-1", "event": "shard_committed", "shard": 1, "done": 31, "failed": 1}
    assert [line["shard"] for line in rest] == [2, 2]


def test_an_error_that_ends_a_run_is_its_last_line(tmp_path):
    path = tmp_path / "log"
    with (
        pytest.raises(JobError, match="no storage"),
        Watch(lambda event: None, EventLog(str(path), "r")) as watch,
    ):
        watch(ShardCommitted(0, 5, 1))
        watch(ShardCommitted(1, 6, 0))
        raise JobError("no storage has answered")
    last = lines(path.read_text())[-1]
    assert (last["event"], last["level"], last["error_type"]) == ("run_failed", "error", "JobError")
    assert (last["error"], last["done"], last["failed"]) == ("no storage has answered", 11, 1)


def test_what_others_do_with_logging_changes_nothing(capsys, monkeypatch):
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    EventLog("-", "r")(ShardCommitted(7, 1, 0))
    assert len(lines(capsys.readouterr().out)) == 1


def test_a_dash_is_stdout(capsys):
    EventLog("-", "r")(ShardCommitted(7, 1, 0))
    (line,) = lines(capsys.readouterr().out)
    assert line["shard"] == 7


def test_a_log_that_cannot_be_written_is_refused_with_its_name(tmp_path):
    with pytest.raises(JobError, match=r"--log-json .*nowhere/log: No such file or directory; give"):
        EventLog(str(tmp_path / "nowhere/log"), "r")


def test_mistakes_with_log_and_port_are_told_before_ray_starts(tmp_path):
    flags = ["run", "--manifest", str(write_manifest(tmp_path, 1, 1)), "--output", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, [*flags, "--log-json", str(tmp_path)])
    assert refused.exit_code == 2 and f"--log-json {tmp_path}: Is a directory" in refused.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = CliRunner().invoke(app, [*flags, "--metrics-port", port])
    assert refused.exit_code == 2 and f"--metrics-port {port}: Address already in use; give another" in refused.stderr


@pytest.mark.parametrize("column", ["content", "style"])
def test_credentials_in_a_uri_reach_no_log(tmp_path, column):
    bad = {"content": "contents/c0.png", "style": "styles/s0.png", column: "s3://AKIAKEY:hunter2@bucket/a.png"}
    manifest = write_manifest(tmp_path, 1, 1, rows=[{"pair_id": "bad", **bad}])
    flags = ["--manifest", str(manifest), "--output", str(tmp_path / "out"), "--log-json", str(tmp_path / "log")]
    refused = CliRunner().invoke(app, ["run", *flags])
    told = refused.stdout + refused.stderr
    assert refused.exit_code == 2 and "credentials" in told
    assert not any(secret in told for secret in ("AKIAKEY", "hunter2")) and not (tmp_path / "log").exists()
