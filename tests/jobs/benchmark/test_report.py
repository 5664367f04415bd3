import json

import pyarrow.parquet as pq
import pytest
from PIL import Image
from rich.console import Console

from jobs.benchmark.figure import Figure, Grid, Table1Row, Timed
from jobs.benchmark.keys import KEYS, chosen
from jobs.benchmark.report import Report, in_one_line, show
from jobs.benchmark.timing import Times
from jobs.errors import JobError

MACHINE = {"cpu": "a CPU", "threads": 2, "python": "3", "torch": "2", "device": "cpu", "dtype": "bfloat16"}
BY_NAME = {key.name: key for key in KEYS}
ROWS = tuple(
    Table1Row(side, s, 0.9 * s, 1.4 * s, 0.3 * s, 0.1 * s, 0.4 * s, 0.1 * s) for side, s in ((256, 0.13), (512, 0.31))
)


@pytest.fixture
def report():
    slow, fast = Times((4.0, 6.0, 5.0)), Times((0.2, 0.1, 0.3))
    timed = (Timed("loop", 1024, slow), Timed("C×C", 1024, fast))
    grid = Grid("Levels", ("level", "s"), (("relu1_1", "4.2"),))
    return Report(
        MACHINE,
        {
            BY_NAME["transform_speedup_1024"]: Figure(25.0, timed, {"beside": 1.5}, (grid,)),
            BY_NAME["over_adain_512"]: Figure(1.3),
            BY_NAME["table1_worst_ratio"]: Figure(0.9, table1=ROWS),
        },
        {BY_NAME["psnr_bf16"]: "nothing to compare"},
    )


def test_what_is_written_can_be_read(report, tmp_path):
    paths = report.write(tmp_path / "made" / "here")
    assert [path.name for path in paths] == [f"benchmark.{suffix}" for suffix in ("json", "parquet", "md", "png")]
    facts = json.loads(paths[0].read_text(encoding="utf-8"))
    assert facts["ratios"] == {"transform_speedup_1024": 25.0, "over_adain_512": 1.3, "table1_worst_ratio": 0.9}
    assert facts["clears"] == {"transform_speedup_1024": True, "over_adain_512": False, "table1_worst_ratio": True}
    assert facts["extra"] == {"beside": 1.5} and facts["skipped"] == {"psnr_bf16": "nothing to compare"}
    loop = facts["seconds"]["transform_speedup_1024"][0]
    assert loop == {"what": "loop", "resolution": 1024, "repetitions": 3, "median": 5.0, "least": 4.0, "most": 6.0}
    assert facts["machine"] == MACHINE and [row["resolution"] for row in facts["table1"]] == [256, 512]

    rows = pq.read_table(paths[1]).to_pylist()
    assert len(rows) == 6
    first = {"key": "transform_speedup_1024", "what": "loop", "resolution": 1024, "repetition": 0, "seconds": 4.0}
    assert rows[0] == first

    text = paths[2].read_text(encoding="utf-8")
    assert all(text.count(f"| {name} ") == 1 for name in ("transform_speedup_1024", "psnr_bf16", "relu1_1"))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in table) and "… " not in text
    with Image.open(paths[3]) as image:
        assert image.format == "PNG" and image.width > 1000 and len(image.convert("RGB").getcolors(1 << 24)) > 100


def test_nothing_measured_is_written_too(tmp_path):
    paths = Report(MACHINE).write(tmp_path)
    assert json.loads(paths[0].read_text())["ratios"] == {}
    assert pq.read_table(paths[1]).num_rows == 0
    assert all(path.stat().st_size for path in paths)


def test_what_is_shown_says_whether_the_bar_is_cleared(report):
    console = Console(width=200, record=True, quiet=False)
    show(report.grids(), console)
    for key, figure in report.figures.items():
        console.print(in_one_line(key, figure))
    lines = console.export_text().splitlines()
    told = {name: [line for line in lines if name in line] for name in BY_NAME}
    assert "25.0" in told["transform_speedup_1024"][0] and "yes" in told["transform_speedup_1024"][0]
    assert "1.300" in told["over_adain_512"][0] and "no" in told["over_adain_512"][0]
    assert "clears it" in told["transform_speedup_1024"][1] and "misses it" in told["over_adain_512"][1]
    assert "not measured" in told["psnr_bf16"][0]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_margin_above_1_is_a_bar_that_is_cleared(key):
    for value in (0.8 * key.bar, key.bar, 1.2 * key.bar):
        assert (key.margin(value) >= 1) == key.clears(value)
    assert key.clears(key.bar)


def test_keys_are_chosen_in_their_own_order():
    assert chosen(None) == chosen([]) == list(KEYS)
    assert [key.name for key in chosen(["over_adain_512", "transform_speedup_1024"])] == [
        "transform_speedup_1024",
        "over_adain_512",
    ]
    with pytest.raises(JobError, match=r"'nonsense'.*\n(.*\n)*  job_of_bare_loop_s3"):
        chosen(["over_adain_512", "nonsense"])
