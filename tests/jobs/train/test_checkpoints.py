"""Checkpoints on each kind of store: what is read is what was written, and damage costs one interval."""

import pytest
import torch

from jobs.errors import JobError
from jobs.storage import open_store
from jobs.train.checkpoints import (
    Checkpoint,
    has_checkpoints,
    latest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "output"))


def checkpoint(step):
    generator = torch.Generator().manual_seed(step)
    history = [
        {"step": k + 1, "stage": "block 2", "level": 2, "gate": 0.1 * k, "loss": 1 / (k + 3)}
        | ({"moments": 0.1} if k % 2 else {"colour": 1e-30})
        for k in range(step)
    ]
    state = {
        "decoder.block2.weight": torch.randn(3, 4, generator=generator),
        "step": torch.tensor(step),
        "optimiser.k": torch.randn(5, dtype=torch.float64, generator=generator),
    }
    return Checkpoint(
        step,
        state,
        {"block1_conv1.scale": torch.rand(64, generator=generator)},
        history,
        1.5,
        {"a b.jpg": "is »empty«"},
    )


def assert_same(a, b):
    assert (a.step, a.history, a.seconds, a.unreadable) == (b.step, b.history, b.seconds, b.unreadable)
    for ours, theirs in ((a.state, b.state), (a.scales, b.scales)):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) and ours[key].dtype == theirs[key].dtype for key in ours)


@pytest.mark.parametrize("step", [0, 1, 7])
def test_what_is_read_is_what_was_written(store, step):
    written = checkpoint(step)
    write_checkpoint(store, written)
    assert_same(read_checkpoint(store, step), written)
    assert_same(latest_checkpoint(store), written)


def test_an_output_without_checkpoints_has_none(store):
    assert latest_checkpoint(store) is None and not has_checkpoints(store)


def test_the_newest_two_are_kept_and_nothing_else_is_touched(store):
    store.write("checkpoints/mine.txt", b"nobody's")
    for step in (0, 5, 10, 100_000_000):  # more digits than the name provides for
        write_checkpoint(store, checkpoint(min(step, 10)) if step < 11 else Checkpoint(step, {}, {}))
    names = ["checkpoints/mine.txt", "checkpoints/step-00000010.safetensors", "checkpoints/step-100000000.safetensors"]
    assert sorted(store.list("checkpoints/")) == sorted(names)
    assert latest_checkpoint(store).step == 100_000_000


def damaged(data):
    """Bytes that a store may give back in place of those that it took."""
    yield "torn", data[: len(data) // 2]
    yield "torn in its header", data[:20]
    yield "empty", b""
    yield "zeros", bytes(len(data))
    yield "another file", b"\x89PNG\r\n\x1a\n" + data
    yield "longer", data + b"x"
    at = data.rindex(b"PAR1")  # the end of the history
    yield "changed", data[: at - 30] + bytes(30) + data[at:]


def test_one_that_is_damaged_is_skipped_in_favour_of_the_one_before(store):
    write_checkpoint(store, checkpoint(4))
    write_checkpoint(store, checkpoint(6))
    key = "checkpoints/step-00000006.safetensors"
    for kind, data in damaged(store.read(key)):
        store.write(key, data)
        said = []
        found = latest_checkpoint(store, said.append)
        assert found is not None and found.step == 4, kind
        assert len(said) == 1 and key in said[0] and "damaged" in said[0], kind


def test_if_all_are_damaged_nothing_is_begun_anew_in_silence(store):
    for step in (4, 6):
        write_checkpoint(store, checkpoint(step))
    for key in list(store.list("checkpoints/")):
        store.write(key, b"x")
    with pytest.raises(JobError, match="no other"):
        latest_checkpoint(store)


@pytest.mark.slow
def test_checkpoints_live_on_s3(s3):
    on_s3 = open_store(f"s3://{s3.bucket()}/some/training")
    for step in (0, 2, 4):
        write_checkpoint(on_s3, checkpoint(step))
    assert sorted(on_s3.list("")) == [f"checkpoints/step-0000000{step}.safetensors" for step in (2, 4)]
    assert_same(latest_checkpoint(on_s3), checkpoint(4))
    on_s3.write("checkpoints/step-00000004.safetensors", b"torn")
    assert latest_checkpoint(on_s3).step == 2
