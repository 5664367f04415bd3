import copy
from dataclasses import replace
from functools import cache
from itertools import accumulate

import pytest
import torch
from torch import nn

from ift.errors import DivergenceError, WeightsError
from ift.training.autoencoder import Reconstruct, encode
from ift.training.draws import calibration, cut, draw
from ift.training.recipe import DEFAULT, PAPER, schedule
from ift.training.training import Training
from ift.weights import load_networks

PHOTOS = 5
SMALL = replace(DEFAULT, stages=tuple(replace(stage, crop=32, batch=4) for stage in DEFAULT.stages))
SMALL_PAPER = replace(PAPER, stages=tuple(replace(stage, crop=32, batch=4) for stage in PAPER.stages))


@pytest.fixture(scope="module")
def photos():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(PHOTOS, 3, 12, 14, generator=generator)
    return (nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)


networks = cache(load_networks)


def begin(recipe=SMALL, steps=9, dtype=torch.float32):
    lengths = schedule(recipe, PHOTOS, steps)
    return Training(*copy.deepcopy(networks()), recipe, lengths, dtype=dtype)


def pictures(photos, crops, side):
    return torch.stack([cut(photos[crop.photo], crop, side) for crop in crops]).float() / 255


def go_on(training, photos, until):
    history = []
    while training.step < until:
        first, stage = training.stage
        if training.needs_calibration:
            training.calibrate(pictures(photos, calibration(1, stage, PHOTOS), stage.crop))
        drawn = draw(1, training.step, first, stage, PHOTOS)
        history.append(training.advance(pictures(photos, drawn.crops, stage.crop), drawn))
    return history


def blocks(decoder):
    return {
        level: torch.cat([value.flatten() for value in getattr(decoder, f"block{level}").parameters()]).detach().clone()
        for level in range(1, 5)
    }


@pytest.mark.parametrize("recipe", [SMALL, SMALL_PAPER], ids=["default", "paper"])
@pytest.mark.parametrize("break_at", [1, 4])
def test_resumed_it_ends_as_if_unbroken(photos, recipe, break_at):
    """Breaks within a stage, and at the end of one, where nothing of the next has begun."""
    unbroken = begin(recipe, 9)
    expected = go_on(unbroken, photos, 9)
    broken = begin(recipe, 9)
    before = go_on(broken, photos, break_at)
    state = {key: value.clone() for key, value in broken.state().items()}
    resumed = begin(recipe, 9)
    resumed.load(state)
    after = go_on(resumed, photos, 9)
    assert [one["loss"] for one in before + after] == [one["loss"] for one in expected]
    for key, value in unbroken.state().items():
        assert torch.equal(resumed.state()[key], value), key


def test_each_stage_trains_its_blocks_alone(photos):
    training = begin(steps=6)
    now = blocks(training.averaged)
    for stage, end in zip(SMALL.stages, accumulate(training.lengths), strict=True):
        go_on(training, photos, end)
        before, now = now, blocks(training.averaged)
        changed = {level for level in now if not torch.equal(now[level], before[level])}
        assert changed == set(stage.blocks)


def test_it_learns_a_picture_by_heart(photos):
    recipe = replace(SMALL, stages=(replace(SMALL.stages[0], gates=False, steps=40),), warm_up=3)
    training = begin(recipe, 40)
    first, stage = training.stage
    drawn = draw(1, 0, first, stage, PHOTOS)
    images = pictures(photos, drawn.crops, 32)
    training.calibrate(images)
    history = [training.advance(images, drawn)["loss"] for _ in range(40)]
    assert history[-1] < 0.5 * history[0]


def test_the_gradient_of_a_batch_is_the_mean_of_its_halves(photos):
    """What data-parallel workers rely on: every term is a mean over the batch."""
    gradients = []
    for share in (slice(0, 4), slice(0, 2), slice(2, 4)):
        training = begin(replace(SMALL, clip=None, stages=SMALL.stages[1:2]), 9)
        first, stage = training.stage
        drawn = draw(1, 3, first, stage, PHOTOS)
        training.calibrate(pictures(photos, calibration(1, stage, PHOTOS), 32))
        kept = {}
        optimiser = training._optimiser
        optimiser.step = lambda kept=kept, optimiser=optimiser: kept.update(
            {i: p.grad.clone() for i, p in enumerate(optimiser.param_groups[0]["params"])}
        )
        training.advance(pictures(photos, drawn.crops[share], 32), drawn)
        gradients.append(kept)
    whole, one, other = gradients
    for index in whole:
        mean = (one[index] + other[index]) / 2
        torch.testing.assert_close(whole[index], mean, rtol=1e-3, atol=1e-4 * float(whole[index].abs().max()))


def test_a_loss_that_is_not_a_number_changes_nothing(photos):
    training = begin()
    go_on(training, photos, 1)
    before = training.state()
    first, stage = training.stage
    if training.needs_calibration:
        training.calibrate(pictures(photos, calibration(1, stage, PHOTOS), 32))
    with pytest.raises(DivergenceError, match="learning rate"):
        training.advance(torch.full((4, 3, 32, 32), float("nan")), draw(1, 1, first, stage, PHOTOS))
    after = training.state()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_half_precision_networks_are_measured_and_trained_in_full(photos):
    training = begin(dtype=torch.bfloat16)
    in_full = begin()
    for one in (training, in_full):
        go_on(one, photos, 4)
    whitening = {key: value for key, value in training.state().items() if key.startswith("whitening.")}
    assert whitening
    for key, value in in_full.state().items():
        if key.startswith("whitening."):
            assert whitening[key].dtype == torch.float32
            assert (whitening[key] - value).norm() / value.norm() < 0.02
    assert {value.dtype for key, value in training.state().items() if key.startswith("decoder.")} == {torch.float32}


def test_a_checkpoint_of_something_else_is_refused(photos):
    state = begin().state()
    del state["decoder.block2.conv_in.weight"]
    with pytest.raises(WeightsError, match="another training"):
        begin().load(state)
    with pytest.raises(WeightsError):
        begin().load({"step": torch.tensor(3)})


def test_the_result_is_the_moving_average_in_half_precision(photos):
    training = begin(replace(SMALL, stages=(replace(SMALL.stages[0], average=0.9),)), 5)
    averages = blocks(training.averaged)[2].double()
    for step in range(1, 6):
        go_on(training, photos, step)
        live = torch.cat([p.flatten() for p in training._decoder.block2.parameters()]).detach().double()
        decay = min(0.9, step / (step + 10))
        averages = decay * averages + (1 - decay) * live
    result = training.weights()
    assert all(value.dtype == torch.float16 for value in result.values())
    ours = torch.cat([value.flatten() for key, value in result.items() if key.startswith("decoder.block2")]).double()
    order = [key for key in result if key.startswith("decoder.block2")]
    assert order == [f"decoder.block2.{name}" for name, _ in training._decoder.block2.named_parameters()]
    torch.testing.assert_close(ours, averages, atol=2e-4, rtol=1e-3)


def test_decoding_is_the_composition_of_blocks():
    encoder, decoder = networks()
    images = torch.rand(1, 3, 32, 40)
    encoding = encode(encoder, images, 4, with_skips=True)
    features = images
    for level in range(1, 5):
        features, skip = encoder.stage(level, features, level > 1)
        assert torch.equal(encoding.features[level - 1], features)
        assert skip is None if level == 1 else torch.equal(encoding.skips[level - 1], skip)
    result = Reconstruct(decoder)(encoding, 3, 0.5)
    two = decoder.block(3, encoding.features[2], encoding.skips[2], 0.5)
    one = decoder.block(2, two, encoding.skips[1], 0.5)
    torch.testing.assert_close(result.images, decoder.block(1, one))
    torch.testing.assert_close(result.features[1], two)
    torch.testing.assert_close(result.features[0], one)
