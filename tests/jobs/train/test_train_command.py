"""What the command line refuses before anything is started, and how many workers share a batch."""

import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from ift.training.recipe import RECIPES
from jobs.errors import JobError
from jobs.train.__main__ import app
from jobs.train.run import Resources, check_shares, plan_workers
from tests.jobs.pairs import picture


@pytest.fixture
def photos(tmp_path):
    picture(tmp_path / "photos/a.png", 0, (92, 72))
    return tmp_path / "photos"


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--recipe", "best"], "default, quick, paper"),
        (["--crop", 33], "multiple of 8"),
        (["--steps", 2], "5 stages"),
        (["--precision", "float16"], "float32 or bfloat16"),
        (["--workers", 3, "--batch", 4], "give 1 or 2 or 4, or another --batch"),
        (["--start", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--vgg19", "nowhere.bin"], "nowhere.bin"),
        (["--crop", 512], "too few for a crop of 512"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_begun(photos, tmp_path, flags, named):
    done = invoke("--images", photos, "--output", tmp_path / "out", *flags)
    assert done.exit_code == 2 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert named in done.stderr and not list((tmp_path / "out").glob("*.json"))


def test_photos_that_are_all_corrupt_and_none_at_all_are_told(photos, tmp_path):
    (photos / "a.png").write_bytes(b"\x89PNG")
    corrupt = invoke("--images", photos, "--output", tmp_path / "out")
    assert corrupt.exit_code == 2 and "none of the 1 pictures" in corrupt.stderr and "a.png" in corrupt.stderr
    (photos / "a.png").unlink()
    missing = invoke("--images", photos, "--output", tmp_path / "out")
    assert missing.exit_code == 2 and "no pictures" in missing.stderr and str(photos) in missing.stderr


def test_the_photos_and_the_output_are_asked_for():
    for flags in ([], ["--images", "x"], ["--output", "x"]):
        done = invoke(*flags)
        assert done.exit_code == 2 and "--images" in done.stderr and "--output" in done.stderr


def test_without_the_extra_it_says_how_to_get_it(photos, tmp_path):
    code = (
        "import sys; sys.modules['ray.train'] = None; sys.argv = ['train', *sys.argv[1:]]\n"
        "import runpy; runpy.run_module('jobs.train', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--images", str(photos), "--output", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and 'pip install "ift[train]"' in done.stderr and "Traceback" not in done.stderr


def recipe(*batches):
    stage = RECIPES["default"].stages[0]
    return replace(RECIPES["default"], stages=tuple(replace(stage, batch=batch) for batch in batches))


def test_batches_are_shared_equally_or_not_at_all():
    for workers in (1, 2, 4):
        check_shares(recipe(8, 12), workers)
    with pytest.raises(JobError, match="batch of 12 equally; give 1 or 2 or 4"):
        check_shares(recipe(8, 12), 8)


GPUS = [{"CPU": 16.0, "GPU": 4.0}] * 2


@pytest.mark.parametrize(
    ("nodes", "asked", "planned"),
    [
        ([{"CPU": 2.0}], {}, (1, 2, 0)),  # threads share a node's cores better than processes do
        ([{"CPU": 2.0}], {"workers": 2}, (2, 1, 0)),
        ([{"CPU": 8.0}] * 3 + [{}], {}, (2, 8, 0)),  # three could not share a batch of 8
        (GPUS, {}, (4, 8, 1)),  # nor eight one of 12
        (GPUS, {"workers": 2}, (2, 16, 1)),
        (GPUS, {"gpus_per_worker": 0.0}, (2, 16, 0)),
    ],
)
def test_workers_by_default_are_as_many_as_help(nodes, asked, planned):
    fleet = plan_workers(nodes, Resources(**asked), recipe(8, 12))
    assert (fleet.workers, fleet.cpus, fleet.gpus) == planned


def test_more_workers_than_there_is_room_for_are_refused():
    with pytest.raises(JobError, match="--workers 4"):
        plan_workers([{"CPU": 2.0}], Resources(workers=4), recipe(8))
