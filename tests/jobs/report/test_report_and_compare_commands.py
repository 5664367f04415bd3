"""The two commands on evaluations in a folder, with pictures in files."""

import json

import typer
from typer.testing import CliRunner

from jobs.comparison.command import compare
from jobs.evaluate.places import METRICS_KEY, REPORT_KEY, SOURCE_KEY, SUMMARY_KEY
from jobs.exit_codes import USAGE_ERROR
from jobs.parquet import to_parquet
from jobs.report.command import report
from tests.jobs.pairs import picture
from tests.jobs.report.evaluated import evaluated


def evaluation(folder, *, better=0.0):
    """The evaluation of a list of eight triples, the last of which failed."""
    for name in ("c.png", "s.png", "r.png"):
        picture(folder / name, len(name))
    columns = {name: [str(folder / f"{name[0]}.png")] * 8 for name in ("content", "result")}
    columns |= {
        "styles": [[str(folder / "s.png")]] * 8,
        "ssim": [0.3 + 0.05 * row + better for row in range(7)] + [None],
    }
    (folder / SOURCE_KEY).write_text("{}")
    (folder / SUMMARY_KEY).write_text(json.dumps({"vgg_frechet": {"styles": 0.1234, "contents": None}}))
    (folder / METRICS_KEY).write_bytes(to_parquet(evaluated(8, failed=1, **columns)))
    return str(folder)


def run(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments, terminal_width=140)


def test_the_report_is_written_beside_the_metrics_or_elsewhere(tmp_path):
    output = evaluation(tmp_path)
    ran = run(report, "--output", output)
    assert ran.exit_code == 0 and ran.output.strip() == f"report: {output}/{REPORT_KEY}"
    html = (tmp_path / REPORT_KEY).read_text(encoding="utf-8")
    assert "0.1234" in html and 'id="t0"' in html and "1 × ImageError" in html
    ran = run(report, "--output", output, "--to", str(tmp_path / "other.html"), "--pictures-mb", "0")
    assert ran.exit_code == 0 and 'id="t0"' not in (tmp_path / "other.html").read_text(encoding="utf-8")


def test_the_comparison_is_printed_and_written_down(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    a, b = evaluation(tmp_path / "a"), evaluation(tmp_path / "b", better=0.1)
    ran = run(compare, a, b, "--to", str(tmp_path / "c"))
    assert ran.exit_code == 0 and "better" in ran.output and "7 pairs judged in both" in ran.output
    told = json.loads((tmp_path / "c/comparison.json").read_text(encoding="utf-8"))
    assert told["metrics"][0]["name"] == "ssim" and told["metrics"][0]["verdict"] == "better"
    html = (tmp_path / "c/comparison.html").read_text(encoding="utf-8")
    assert 'id="t0"' in html and "better" in html


def test_what_was_not_evaluated_is_one_line(tmp_path):
    for ran in (run(report, "--output", str(tmp_path)), run(compare, str(tmp_path), str(tmp_path))):
        assert ran.exit_code == USAGE_ERROR and "has not been evaluated" in ran.output
