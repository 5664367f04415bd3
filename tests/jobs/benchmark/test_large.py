import sys

import pytest
import torch

from ift.box import Box
from ift.large.header import size_of
from ift.raw_picture import RawPicture
from jobs.benchmark.large import enlarged, seams
from jobs.benchmark.memory import draw, follow, read_samples
from jobs.errors import JobError


def raw(folder, pixels):
    picture = RawPicture(folder / "picture.raw", *pixels.shape[1:]).create()
    picture.write(Box(0, 0, *pixels.shape[1:]), pixels)
    return picture


def test_a_smooth_picture_has_no_seams_and_a_patched_one_has(tmp_path):
    torch.manual_seed(0)
    pixels = torch.rand(3, 128, 192)
    assert seams(raw(tmp_path, pixels), 64) == pytest.approx(1, abs=0.1)
    pixels[:, :, 64:128] *= 0.2
    assert seams(raw(tmp_path, pixels * 0.1), 64) > 1.2


def test_a_photo_of_any_size(tmp_path):
    pytest.importorskip("skimage")
    assert size_of(enlarged(tmp_path / "photo.tif", 700, 530)) == (530, 700)


def test_the_memory_of_a_command_and_its_children_is_told(tmp_path):
    code = "import subprocess, sys; x = bytearray(80 << 20); subprocess.run([sys.executable, '-c', "
    code += "'import time; y = bytearray(60 << 20); time.sleep(1)'])"
    table = tmp_path / "memory.csv"
    exit_code, samples = follow([sys.executable, "-c", code], 0.05, table)
    assert exit_code == 0
    peak = max(sample.bytes for sample in samples)
    assert 140 << 20 <= peak < 300 << 20
    assert 80 << 20 <= max(sample.largest for sample in samples) < peak
    assert [sample.bytes for sample in read_samples(table)] == [sample.bytes for sample in samples]
    draw([samples, samples], tmp_path / "memory.png")
    assert (tmp_path / "memory.png").stat().st_size > 1000


def test_mistakes_are_told(tmp_path):
    with pytest.raises(JobError, match="no-such-program cannot be started"):
        follow(["no-such-program"], 1)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(JobError, match="no table that"):
        read_samples(tmp_path / "other.csv")
