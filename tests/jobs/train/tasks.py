"""A training that tests ask for."""

from dataclasses import replace

from ift.training.recipe import RECIPES
from jobs.train.task import Task


def small_task(**changes):
    task = Task(
        images="/photos",
        names=("a.jpg", "b.jpg"),
        output="/out",
        recipe=RECIPES["default"],
        lengths=(3, 4, 5),
        seed=0,
        start="pretrained",
        vgg19=None,
        precision=None,
        checkpoint_every=10,
        sample_every=0,
    )
    return replace(task, **changes)
