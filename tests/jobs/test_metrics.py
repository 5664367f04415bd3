"""The metrics and the files that ask for them: every name that alerts, dashboard and documentation use is defined."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from jobs.metrics import METRICS, resolution_tag
from jobs.run_name import run_name
from tests.jobs.observability import (
    ALERTS,
    CONFIG,
    DASHBOARD,
    DASHBOARD_SCHEMA,
    FOLDER,
    alert_queries,
    dashboard_queries,
    panels,
    unknown_to,
)

DOCS = Path(__file__).parents[2] / "docs/observability.md"


def promtool(*arguments):
    if shutil.which("promtool") is None:
        pytest.skip("no promtool in PATH; Debian's package prometheus has it")
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "query"), [*alert_queries(), *dashboard_queries()])
def test_queries_name_metrics_and_tags_that_there_are(name, query):
    assert "ray_ift_" in query and unknown_to(METRICS, query) == set()


@pytest.mark.parametrize(("name", "query"), [*alert_queries(), *dashboard_queries()])
def test_a_typo_in_any_query_is_found(name, query):
    for match in re.finditer(r"ray_ift_\w+", query):
        assert unknown_to(METRICS, f"{query[: match.end()]}x{query[match.end() :]}") == {f"{match[0]}x"}
    for match in re.finditer(r"\b(\w+)(?:=~|!=|=)\"", query):
        assert unknown_to(METRICS, f"{query[: match.start()]}x{query[match.start() :]}") == {f"x{match[1]}"}
    for match in re.finditer(r"by \((\w+)", query):
        assert f"{match[1]}x" in unknown_to(METRICS, f"{query[: match.end()]}x{query[match.end() :]}")


def test_every_metric_is_on_the_dashboard_and_in_the_documentation():
    shown, told = DASHBOARD.read_text(), DOCS.read_text()
    for metric in METRICS:
        assert any(series in shown for series in metric.series), metric.name
        (row,) = [
            line for line in told.splitlines() if line.startswith(f"| `{metric.series[0].removesuffix('_bucket')}")
        ]
        assert re.findall(r"`(\w+)`", row.split("|")[2]) == list(metric.tags), metric.name


def test_every_alert_is_in_the_documentation():
    for name, _ in alert_queries():
        assert f"| `{name}` |" in DOCS.read_text(), name


def test_panels_stand_side_by_side_and_ask_for_the_chosen_run():
    places = [panel["gridPos"] for panel in panels()]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels()}) == len({panel["title"] for panel in panels()}) == len(panels())
    for _, query in dashboard_queries():
        assert query.count('run=~"$run"') == query.count("ray_ift_")
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}


def test_the_dashboard_is_one_that_grafana_knows():
    Draft202012Validator(DASHBOARD_SCHEMA).validate(json.loads(DASHBOARD.read_text()))


@pytest.mark.parametrize("key", sorted(set(re.findall(r'"(\w+)":', DASHBOARD.read_text()))))
def test_a_typo_in_any_key_of_the_dashboard_is_found(key):
    misspelt = json.loads(DASHBOARD.read_text().replace(f'"{key}":', f'"{key}x":'))
    assert not Draft202012Validator(DASHBOARD_SCHEMA).is_valid(misspelt)


def test_promtool_accepts_the_rules_and_the_configuration():
    for arguments in (["check", "config", CONFIG], ["test", "rules", FOLDER / "alerts_test.yml"]):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("key", sorted(set(re.findall(r"(\w+):(?=\s)", re.sub("#.*", "", CONFIG.read_text())))))
def test_promtool_finds_a_typo_in_any_key_of_the_configuration(key, tmp_path):
    shutil.copy(ALERTS, tmp_path)
    (tmp_path / "prometheus.yml").write_text(re.sub(rf"\b{key}:(?=\s)", f"{key}x:", CONFIG.read_text()))
    assert promtool("check", "config", tmp_path / "prometheus.yml").returncode == 1


def test_the_documented_port_is_the_one_that_prometheus_asks():
    (port,) = re.findall(r"127\.0\.0\.1:(\d+)", CONFIG.read_text())
    assert f"`--metrics-port {port}`" in DOCS.read_text()


@pytest.mark.parametrize("alert", [name for name, _ in alert_queries()])
def test_promtool_finds_a_rule_that_lost_its_metric(alert, tmp_path):
    """The rules' own tests notice when any alert asks for something that is not there."""
    before, rule = ALERTS.read_text().split(f"- alert: {alert}")
    (tmp_path / "alerts.yml").write_text(f"{before}- alert: {alert}{rule.replace('ray_ift_', 'ray_ifd_', 1)}")
    shutil.copy(FOLDER / "alerts_test.yml", tmp_path)
    done = promtool("test", "rules", tmp_path / "alerts_test.yml")
    assert done.returncode == 1 and alert in done.stdout + done.stderr


@pytest.mark.parametrize(("pixels", "tag"), [(1, "256"), (256, "256"), (257, "512"), (1024, "1024"), (9000, "more")])
def test_resolutions_are_rounded_up_to_few(pixels, tag):
    assert resolution_tag(pixels) == tag


def test_runs_of_two_outputs_have_two_short_names_that_a_label_can_carry():
    names = [run_name("s3://bucket/run1"), run_name("s3://bucket/run2"), run_name("/data/" + "very long/" * 50)]
    assert len(set(names)) == 3 and run_name("s3://bucket/run1/") == names[0]
    assert all(re.fullmatch(r"[A-Za-z0-9-]{1,49}", name) for name in names)
    assert names[0].startswith("s3-bucket-run1-")
