"""Experiments from end to end, small: real pictures, Ray, the main job and its evaluation."""

import csv
import json
import math

import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from jobs.experiments.__main__ import app
from jobs.experiments.inputs import Inputs
from jobs.experiments.photo_pairs import PhotoPairs
from jobs.experiments.photo_pairs_run import run_photo_pairs
from jobs.experiments.table1 import Table1
from jobs.experiments.table1_run import run_table1
from jobs.experiments.trade_off import Knob, PairSet, TradeOff
from jobs.experiments.trade_off_run import run_trade_off
from jobs.flags import working
from tests.jobs.pairs import picture

SMALL = TradeOff(
    knobs=(Knob("ift", "strength", (1.0, 100.0)), Knob("wct", "alpha", (0.5, 1.0)), Knob("adain", "alpha", (1.0,))),
    sets=(PairSet("artistic", "artistic", 2), PairSet("photo", "photo", 2)),
    resolution=64,
)


@pytest.fixture
def inputs(tmp_path):
    for number in range(2):
        picture(tmp_path / f"contents/c{number}.png", number, (96, 72))
        picture(tmp_path / f"styles/s{number}.png", 50 + number, (96, 72))
    return Inputs(tmp_path / "out", tmp_path / "contents", tmp_path / "styles")


def console():
    return Console(width=200, record=True)


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_trade_off_and_that_it_is_done_once(inputs):
    output, told = inputs.output, console()
    run_trade_off(SMALL, inputs, output, working(workers=1), told)
    rows = table(output / "trade-off.csv")
    assert len(rows) == 2 * 2 * 3 * 3 * 10
    assert {row["pairs"] for row in rows} == {"2"}
    assert all(math.isfinite(float(row["difference"])) for row in rows)
    assert all(float(row["difference"]) == 0 for row in rows if row["method"] == "ift")
    facts = json.loads((output / "trade-off.json").read_text())
    assert facts["definition"]["resolution"] == 64 and len(facts["pairs"]["photo"]) == 2
    figures = sorted(path.name for path in output.glob("trade-off*.png"))
    assert len(figures) == 6 and "trade-off.png" in figures
    assert "style distance over that of ift" in told.export_text()

    files = {path: path.read_bytes() for path in output.glob("trade-off*")}
    made = {path: path.stat().st_mtime_ns for path in output.glob("run/images/*")}
    again = console()
    run_trade_off(SMALL, inputs, output, working(workers=1), again)
    assert "nothing to do" in again.export_text()
    assert {path: path.read_bytes() for path in output.glob("trade-off*")} == files
    assert {path: path.stat().st_mtime_ns for path in output.glob("run/images/*")} == made


@pytest.mark.slow
def test_photo_pairs_and_a_method_that_fails_on_them(inputs):
    wild = {"method": "ift", "solver": "fixed_step", "centred": False, "eta": 10.0, "lambda": 1e6}
    definition = PhotoPairs(methods={"ift": {"method": "ift"}, "wct": {"method": "wct"}, "paper": wild}, resolution=64)
    told = console()
    run_photo_pairs(definition, inputs, inputs.output, working(workers=1), told)
    rows = table(inputs.output / "photo-pairs.csv")
    by_line = {(row["method"], row["measure"]): row for row in rows}
    assert by_line["ift", "ssim"]["done"] == "2" and 0 < float(by_line["ift", "ssim"]["value"]) <= 1
    assert by_line["paper", "ssim"]["failed"] == "2" and by_line["paper", "ssim"]["value"] == ""
    assert float(by_line["ift", "gram_distance"]["difference"]) == 0
    with Image.open(inputs.output / "photo-pairs-sheet-1.png") as sheet:
        assert sheet.width > sheet.height
    assert (inputs.output / "photo-pairs.png").exists() and "edge_ssim" in told.export_text()


@pytest.mark.slow
def test_table1_has_a_row_for_each_resolution(inputs):
    run_table1(Table1(resolutions=(32, 256), pairs=2), inputs, inputs.output, working(), console())
    small, large = table(inputs.output / "table1.csv")
    assert (small["resolution"], small["paper"], small["pairs"]) == ("32", "", "2")
    assert (large["resolution"], large["paper"]) == ("256", "0.13")
    assert float(large["ratio"]) == pytest.approx(float(large["ours"]) / 0.13, rel=1e-4)
    assert float(large["style"]) > 0  # no style of a pair was known from another
    assert json.loads((inputs.output / "table1.json").read_text())["machine"]["device"]


@pytest.mark.parametrize("name", ["trade-off", "photo-pairs", "table1", "double-style"])
def test_a_folder_that_is_not_there_is_named(tmp_path, name):
    result = CliRunner().invoke(app, [name, "--contents", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "nowhere" in result.output and "Traceback" not in result.output


def test_the_demos_pictures_are_painted_once(tmp_path):
    inputs = Inputs(tmp_path)
    first = inputs.content_pictures()
    assert len(inputs.photographic(30, 0)) == 30
    (tmp_path / "manifest.jsonl").write_text("")  # the experiment has begun
    before = {path: path.stat().st_mtime_ns for path in first}
    assert inputs.content_pictures() == first
    assert {path: path.stat().st_mtime_ns for path in first} == before
