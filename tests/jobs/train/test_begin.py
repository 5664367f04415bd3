"""Where a training begins: a file's weights as they are, or statistics and closed forms of the photos."""

from dataclasses import replace

import pytest
import torch

from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.errors import WeightsError
from ift.training.recipe import RECIPES
from ift.vgg19 import load_vgg19
from ift.weights import load_networks
from jobs.storage import open_store
from jobs.train.begin import begin
from jobs.train.photos import list_photos
from tests.jobs.pairs import picture
from tests.jobs.train.tasks import small_task


@pytest.fixture
def task(tmp_path):
    for number in range(3):
        picture(tmp_path / f"photos/{number}.png", number, (72, 56))
    (tmp_path / "photos/torn.png").write_bytes(b"\x89PNG")
    recipe = RECIPES["default"]
    return small_task(
        images=str(tmp_path / "photos"),
        names=tuple(list_photos(open_store(str(tmp_path / "photos")))),
        output=str(tmp_path / "out"),
        recipe=replace(recipe, stages=tuple(replace(stage, crop=32, batch=4) for stage in recipe.stages)),
        lengths=(1, 1, 1),
        seed=3,
        checkpoint_every=1,
    )


def networks(checkpoint):
    encoder, decoder = Encoder(), Decoder()
    encoder.load(load_vgg19(), {key.removesuffix(".scale"): scale for key, scale in checkpoint.scales.items()})
    decoder.load_state_dict(
        {key.removeprefix("decoder."): value for key, value in checkpoint.state.items() if key.startswith("decoder.")}
    )
    return encoder.requires_grad_(False), decoder.requires_grad_(False)


@pytest.mark.parametrize("file", [None, "copy.safetensors"])
def test_a_file_gives_its_weights_and_its_normalisation(task, tmp_path, file):
    from ift.weight_files import PRETRAINED

    if file:
        (tmp_path / file).write_bytes(PRETRAINED.read_bytes())
        task = replace(task, start=str(tmp_path / file))
    checkpoint = begin(task, task.open_photos())
    assert checkpoint.step == 0 and not checkpoint.history
    for ours, wanted in zip(networks(checkpoint), load_networks(), strict=True):
        for a, b in zip(ours.parameters(), wanted.parameters(), strict=True):
            assert torch.equal(a, b)


def test_from_scratch_activations_are_normalised_and_block_1_is_solved_already(task):
    told = []
    photos = task.open_photos(lambda name, reason: told.append(name))
    checkpoint = begin(replace(task, start="scratch"), photos)
    assert told == ["torn.png"]
    encoder, decoder = networks(checkpoint)
    images = [photos.photo(number)[None].float() / 255 for number in range(3)]
    means = [encoder.stage(1, image)[0].mean((0, 2, 3)) for image in images]
    # torn.png gave way to 0.png, which therefore counts twice
    mean = (2 * means[0] + means[1] + means[2]) / 4
    excited = mean > 0
    assert excited.sum() > 50 and (mean[excited] - 1).abs().max() < 1e-3
    for image in images:
        error = decoder.block(1, encoder.stage(1, image)[0]) - image
        assert error.square().mean().sqrt() < 0.005
    again = begin(replace(task, start="scratch"), task.open_photos())
    assert all(torch.equal(value, again.state[key]) for key, value in checkpoint.state.items())
    other = begin(replace(task, start="scratch", seed=4), task.open_photos())
    assert not torch.equal(other.state["decoder.block4.conv_in.weight"], again.state["decoder.block4.conv_in.weight"])


def test_a_file_that_holds_no_weights_is_named(task, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        begin(replace(task, start=str(tmp_path / "bad.safetensors")), task.open_photos())
