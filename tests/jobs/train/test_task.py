"""Whose an output is: begun, gone on with, or refused, and why."""

from dataclasses import replace

import pytest
import torch

from ift.errors import WeightsError
from ift.training.recipe import RECIPES
from jobs.errors import JobError
from jobs.storage import open_store
from jobs.train.checkpoints import Checkpoint, write_checkpoint
from jobs.train.task import claim
from tests.jobs.train.tasks import small_task


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "out"))


def task(store, **changes):
    return small_task(output=store.uri, **changes)


def begun(store, **changes):
    """An output with a training under way."""
    assert claim(store, task(store, **changes), resume=False) is False
    write_checkpoint(store, Checkpoint(0, {"step": torch.tensor(0)}, {}))
    return store


@pytest.mark.parametrize("resume", [False, True])
def test_an_empty_output_is_begun_whether_or_not_it_is_to_be_resumed(store, resume):
    assert claim(store, task(store), resume) is False


def test_a_training_that_was_killed_before_its_first_checkpoint_just_begins(store):
    claim(store, task(store), resume=False)
    assert claim(store, task(store), resume=False) is False


def test_without_resume_an_output_in_use_is_refused_with_both_ways_out(store):
    with pytest.raises(JobError, match=r"--resume .*--output"):
        claim(begun(store), task(store), resume=False)


def test_the_same_training_goes_on_until_it_has_its_weights(store):
    begun(store)
    # What is no part of the result may change.
    other = task(store, checkpoint_every=1, sample_every=7, precision="float32", images="/moved/photos", threads=4)
    assert claim(store, other, resume=True) is False
    store.write("weights.safetensors", b"")
    assert claim(store, task(store), resume=True) is True


def stages(**changes):
    recipe = RECIPES["default"]
    return replace(recipe, stages=tuple(replace(stage, **changes) for stage in recipe.stages))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, r"\(seed: 0 then, 1 now\)"),
        ({"names": ("a.jpg",)}, "photos count: 2 then, 1 now; photos names"),
        ({"names": ("a.jpg", "c.jpg")}, r"\(photos names: "),
        ({"lengths": (3, 4, 6)}, r"\(steps 2: 5 then, 6 now\)"),
        ({"recipe": stages(batch=4)}, "recipe stages 0 batch: 12 then, 4 now"),
        ({"recipe": RECIPES["paper"]}, 'recipe name: "default" then, "paper" now'),
        ({"start": "scratch"}, 'start from: "pretrained" then, "scratch" now'),
    ],
)
def test_another_training_is_refused_by_what_differs(store, changes, named):
    with pytest.raises(JobError, match=f"another training .*{named}"):
        claim(begun(store), task(store, **changes), resume=True)


def test_other_weights_to_start_from_are_another_training_though_the_file_has_the_same_name(store, tmp_path):
    path = tmp_path / "start.safetensors"
    path.write_bytes(b"one")
    begun(store, start=str(path))
    path.write_bytes(b"other")
    with pytest.raises(JobError, match=r"\(start weights: "):
        claim(store, task(store, start=str(path)), resume=True)
    with pytest.raises((JobError, WeightsError), match="nowhere"):
        claim(store, task(store, start=str(tmp_path / "nowhere.safetensors")), resume=True)


def test_checkpoints_without_their_task_and_a_damaged_task_are_refused(store):
    begun(store)
    store.write("training.json", b'{"seed')
    with pytest.raises(JobError, match="damaged"):
        claim(store, task(store), resume=True)
    store.delete("training.json")
    with pytest.raises(JobError, match="unknown training"):
        claim(store, task(store), resume=True)
