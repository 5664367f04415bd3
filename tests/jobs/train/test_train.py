"""Training as users run it: real processes, real Ray Train, real kills, a real S3 store."""

import csv
import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save_file
from typer.testing import CliRunner

from ift import Stylizer
from ift.training.draws import calibration, draw
from ift.training.recipe import RECIPES, schedule
from ift.training.training import Training
from ift.vgg19 import CONVOLUTIONS
from ift.weights import load_networks
from jobs.storage import open_store
from jobs.train.__main__ import app
from jobs.train.checkpoints import latest_checkpoint
from jobs.train.photos import Photos, list_photos
from tests.jobs.pairs import picture

pytestmark = pytest.mark.slow

STEPS, EVERY, CROP, BATCH = 60, 5, 48, 4
SMALL = [
    "--recipe", "quick", "--crop", CROP, "--batch", BATCH, "--steps", STEPS, "--precision", "float32",
    "--checkpoint-every", EVERY, "--sample-every", 50,
]  # fmt: skip


def command(*arguments):
    return [sys.executable, "-m", "jobs.train", *map(str, arguments)]


def wait_for(condition, what, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(9):
        picture(folder / f"p{number}.png", number, (72 + 8 * (number % 3), 56))
    (folder / "corrupt.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


@pytest.fixture
def start(tmp_path):
    """Starts a training in a session of its own; at the end all its processes are ended, by id."""
    begun = []

    def begin(*arguments):
        log = tmp_path / f"log-{len(begun)}"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command(*arguments), stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        begun.append(process)
        return process, log

    yield begin
    for process in begun:
        for each in family(process):
            each.kill()
        process.wait()


def family(process):
    if not psutil.pid_exists(process.pid):
        return []
    return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


def workers(driver):
    return [each for each in family(driver) if any("RayTrainWorker" in word for word in each.cmdline())]


def history(store):
    rows = list(csv.DictReader(io.StringIO(store.read("loss.csv").decode())))
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    return rows


def newest(store):
    return max((int(key[-20:-12]) for key in store.list("checkpoints/")), default=0)


def plain_loop(folder):
    """The loss of every step of an unbroken training, in this process alone."""
    recipe = RECIPES["quick"]
    recipe = replace(recipe, stages=tuple(replace(stage, crop=CROP, batch=BATCH) for stage in recipe.stages))
    names = list_photos(open_store(str(folder)))
    photos = Photos(str(folder), names, square=None, shorter=recipe.shorter)
    training = Training(*load_networks(), recipe, schedule(recipe, len(names), STEPS), dtype=torch.float32)

    def crops(wanted):
        return torch.stack([photos.crop(crop, CROP) for crop in wanted]).float() / 255

    losses = []
    for step in range(STEPS):
        first, stage = training.stage
        if step == first:
            training.calibrate(crops(calibration(0, stage, len(names))))
        drawn = draw(0, step, first, stage, len(names))
        losses.append(training.advance(crops(drawn.crops), drawn)["loss"])
    return losses, training


@pytest.mark.timeout(1500)  # Ray Train is started three times, each of them a minute of two cores
def test_two_workers_killed_stopped_and_resumed_as_one_end_like_one_left_alone(photos, start, s3, tmp_path):
    output = open_store(f"s3://{s3.bucket()}/some/out")
    ask = ["--images", photos, "--output", output.uri, *SMALL]

    driver, log = start(*ask, "--workers", 2)
    wait_for(lambda: newest(output) >= EVERY or driver.poll() is not None, "checkpoint")
    worker, _ = workers(driver)
    worker.kill()
    time.sleep(0.5)  # a checkpoint that was under way
    killed = newest(output)
    wait_for(lambda: newest(output) > killed or driver.poll() is not None, "checkpoint")
    os.kill(driver.pid, signal.SIGTERM)
    assert driver.wait(300) == 128 + signal.SIGTERM, log.read_text()
    stopped = newest(output)
    said = log.read_text()
    assert "2 workers" in said and "workers were started again" in said and f"going on from step {killed}" in said, said
    assert EVERY <= killed < stopped < STEPS and not output.exists("weights.safetensors")
    assert latest_checkpoint(output).step == len(latest_checkpoint(output).history) == stopped

    driver, log = start(*ask, "--workers", 2, "--resume")
    wait_for(lambda: newest(output) > stopped or driver.poll() is not None, "checkpoint")
    others = family(driver)
    driver.kill()
    for each in others:  # as Ray sees to where init buries the dead
        each.kill()
    driver.wait()
    again = newest(output)
    assert stopped < again < STEPS, log.read_text()
    assert f"going on from step {stopped}" in log.read_text()

    driver, log = start(*ask, "--workers", 1, "--resume")
    assert driver.wait(400) == 0, log.read_text()
    said = log.read_text()
    assert f"going on from step {again}" in said and f"{STEPS}/{STEPS}" in said and "Traceback" not in said
    assert f"{output.uri}/weights.safetensors" in said and "could not be used: 1" in said

    # One row for each step, and each as if nothing had been. Adam turns the last digits of a small gradient into a
    # whole step, so what begins as rounding grows.
    rows, (losses, training) = history(output), plain_loop(photos)
    assert len(rows) == STEPS
    for row, loss in zip(rows, losses, strict=True):
        assert float(row["loss"]) == pytest.approx(loss, rel=1e-5 if int(row["step"]) <= 15 else 3e-2)
    weights = load(output.read("weights.safetensors"))
    for key, value in training.weights().items():
        if "block4" not in key:  # which is trained last
            assert (weights[key] - value).norm() <= 1e-3 * value.norm(), key
    check_output(output, photos)
    check_weights(weights, tmp_path)

    resumed, refused = (CliRunner().invoke(app, list(map(str, each))) for each in ([*ask, "--resume"], ask))
    assert resumed.exit_code == 0 and "nothing to do" in resumed.stdout and output.uri in resumed.stdout
    assert refused.exit_code == 2 and "--resume" in refused.stderr


def check_output(output, photos):
    names = {
        "training.json", "weights.safetensors", "MODEL_CARD.md", "loss.csv", "loss.png", "samples/step-00000050.png",
        "samples/step-00000060.png", "checkpoints/step-00000055.safetensors", "checkpoints/step-00000060.safetensors",
    }  # fmt: skip
    assert set(output.list("")) == names
    assert latest_checkpoint(output).unreadable.keys() == {"corrupt.jpg"}
    card = output.read("MODEL_CARD.md").decode()
    assert f"10 in `{photos}`" in card and "1 of them could not be used" in card and f"{STEPS} steps" in card
    for name in ("loss.png", "samples/step-00000060.png"):
        with Image.open(io.BytesIO(output.read(name))) as image:
            assert image.format == "PNG"


def check_weights(weights, tmp_path):
    """They load, in half precision, and only what is trained has changed."""
    assert all(weights[f"encoder.{name}.scale"].dtype == torch.float32 for name in CONVOLUTIONS)
    assert {value.dtype for key, value in weights.items() if key.startswith("decoder.")} == {torch.float16}
    path = tmp_path / "weights.safetensors"
    save_file(weights, path)
    model, start = (Stylizer.from_pretrained(which, dtype=torch.float32) for which in (path, None))
    for (name, ours), theirs in zip(model.decoder.named_parameters(), start.decoder.parameters(), strict=True):
        assert torch.equal(ours, theirs) == name.startswith("block1."), name
    for ours, theirs in zip(model.encoder.parameters(), start.encoder.parameters(), strict=True):
        assert torch.equal(ours, theirs)
