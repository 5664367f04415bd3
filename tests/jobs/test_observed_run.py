"""A real run with a death, a setback and failed rows, watched by a real Prometheus, and written down in a real log."""

import json
import math
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import ray
import yaml

from jobs.benchmark.seaweed import free_ports
from jobs.records import STAGES
from jobs.run import connect
from jobs.run_name import run_name
from jobs.storage import open_store
from tests.jobs.observability import CONFIG, FOLDER, alert_queries, dashboard_queries, selectors
from tests.jobs.pairs import assert_whole, write_manifest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="no prometheus in PATH; Debian's package prometheus has it"
    ),
]

ROWS = [{"pair_id": f"missing{k}", "content": f"nowhere{k}.png", "style": "styles/s0.png"} for k in range(2)]
SECRET = "wJalrXUtnFEMI-not-to-be-told"


@dataclass
class Watched:
    """What is left of the run: its records, its log, and Prometheus with all that it saw."""

    name: str
    records: list[dict]
    printed: str
    log: str
    prometheus: str
    began: float

    def ask(self, path, **parameters):
        with urlopen(f"{self.prometheus}/api/v1/{path}?{urlencode(parameters)}", timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def values(self, query):
        """Of each series now, by its tags."""
        return {
            tuple(sorted(series["metric"].items())): float(series["value"][1])
            for series in self.ask("query", query=query)
        }

    def value(self, query):
        return sum(self.values(query).values())

    def seen(self, query):
        """The values that a query has had since the run began."""
        series = self.ask("query_range", query=query, start=self.began, end=time.time(), step=1)
        values = [float(value) for each in series for _, value in each["values"]]
        return [value for value in values if math.isfinite(value)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    metrics_port, own_port = free_ports(2)
    began = time.time()
    manifest, output, log = write_manifest(folder, 12, 2, rows=ROWS), folder / "out", folder / "log.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("RAY_metrics_report_interval_ms", "1000")
        patch.delenv("RAY_ADDRESS", raising=False)
        connect(None, metrics_port, num_cpus=2)
        prometheus = subprocess.Popen(
            command(folder, metrics_port, own_port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            run = subprocess.run(
                [
                    sys.executable, "-m", "tests.jobs.troubled", "run", "--manifest", manifest, "--output", output,
                    "--address", ray.get_runtime_context().gcs_address, "--log-json", log,
                    "--shard-size", "2", "--workers", "2", "--resolution", "32",
                ],
                capture_output=True, text=True, timeout=240, check=False,
            )  # fmt: skip
            printed = run.stdout + run.stderr
            assert run.returncode == 0, printed
            records, url = assert_whole(output, 26), f"http://127.0.0.1:{own_port}"
            name = run_name(open_store(str(output)).uri)
            watched = Watched(name, records, printed, log.read_text(), url, began)
            wait_for_the_last_scrape(watched)
            yield watched
        finally:
            prometheus.terminate()
            prometheus.wait()
            ray.shutdown()


def command(folder, metrics_port, own_port):
    """Prometheus with the configuration that we ship, but for the embedded Ray's port and the patience of a test."""
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
    config["scrape_configs"][1]["static_configs"] = [{"targets": [f"127.0.0.1:{metrics_port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    return [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{own_port}",
    ]


def wait_for_the_last_scrape(watched):
    """Until Prometheus has what the processes told at their end: it comes with the gauges' vanishing."""
    end = time.monotonic() + 60
    while True:
        try:
            if watched.value("ray_ift_committed_pairs_total") and not watched.values("ray_ift_pairs_left"):
                return
        except URLError:  # it is still starting
            pass
        assert time.monotonic() < end, "Prometheus has not seen the end of the run within 60 s"
        time.sleep(0.5)


def test_counters_are_what_the_records_say(watched):
    records, tag = watched.records, f'{{run="{watched.name}"}}'
    done = [record for record in records if record["status"] == "done"]
    assert (len(done), len(records)) == (24, 26)
    by_status = {(("status", "done"),): 24, (("status", "failed"),): 2}
    assert watched.values(f"sum by (status) (ray_ift_committed_pairs_total{tag})") == by_status
    by_kind = Counter(
        (("method", record["method"]), ("preset", record["preset"]), ("status", record["status"])) for record in records
    )
    assert watched.values(f"sum by (method, preset, status) (ray_ift_pairs_total{tag})") == by_kind
    assert watched.value(f"ray_ift_picture_bytes_total{tag}") == sum(record["bytes"] for record in done)
    assert watched.value(f"ray_ift_style_lookups_total{tag}") == len(done)
    assert 2 <= watched.value('ray_ift_style_lookups_total{cache="miss"}') <= 6
    seconds = {(("stage", stage),): sum(record[f"{stage}_s"] for record in done) for stage in STAGES}
    assert watched.values(f"sum by (stage) (ray_ift_stage_seconds_total{tag})") == pytest.approx(seconds)
    counts = {(("resolution", "256"), ("stage", stage)): len(done) for stage in STAGES}
    assert watched.values(f"sum by (resolution, stage) (ray_ift_pair_seconds_count{tag})") == counts
    assert watched.value(f"ray_ift_worker_deaths_total{tag}") == watched.value(f"ray_ift_setbacks_total{tag}") == 1


def test_gauges_followed_the_run_from_its_begin_to_its_end(watched):
    left = watched.seen("ray_ift_pairs_left")
    assert left[0] == 26 and left[-1] == 0 and left == sorted(left, reverse=True)
    assert max(watched.seen("sum(ray_ift_workers)")) == min(watched.seen("sum(ray_ift_workers)")) == 2
    assert max(watched.seen('ray_ift_workers{state="working"}')) == 2
    assert max(watched.seen('ray_ift_workers{state="missing"}')) >= 1
    assert max(watched.seen('ray_ift_shards{state="again"}')) >= 1


@pytest.mark.parametrize(("title", "query"), dashboard_queries())
def test_every_panel_has_data(watched, title, query):
    assert watched.seen(query.replace("$run", ".*").replace("$__rate_interval", "1m"))


@pytest.mark.parametrize("series", sorted({each for _, query in alert_queries() for each in selectors(query)}))
def test_every_alert_looks_at_what_there_is(watched, series):
    assert watched.seen(series)


def test_the_log_tells_what_happened_to_which_shard_and_pair(watched):
    events = [json.loads(line) for line in watched.log.splitlines()]
    assert {event["run"] for event in events} == {watched.name}
    by_name = {}
    for event in events:
        by_name.setdefault(event["event"], []).append(event)
    assert events[0]["event"] == "run_started" and (events[0]["rows"], events[0]["workers"]) == (26, 2)
    assert events[-1]["event"] == "run_ended" and events[-1]["outcome"] == "complete"
    assert (events[-1]["done"], events[-1]["failed"]) == (24, 2)
    assert sorted(event["shard"] for event in by_name["shard_committed"]) == list(range(13))
    failed = {record["pair_id"]: record for record in watched.records if record["status"] == "failed"}
    assert {event["pair_id"]: event["error"] for event in by_name["pair_failed"]} == {
        pair_id: record["error"] for pair_id, record in failed.items()
    }
    (death,), (setback,) = by_name["worker_died"], by_name["store_setback"]
    assert death["shards"] and death["level"] == "warning" and setback["error"].startswith("no answer")


def test_credentials_of_the_environment_are_told_nowhere(watched):
    assert SECRET not in watched.log + watched.printed
