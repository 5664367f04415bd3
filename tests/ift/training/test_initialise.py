"""Random weights at the right scale, measured with plain operators."""

import pytest
import torch
from torch.nn.functional import conv2d, interpolate, pad, relu

from ift import Stylizer
from ift.decoder import Decoder
from ift.training.initialise import initialise


@pytest.fixture(scope="module")
def images(photo):
    return torch.stack([photo("skimage", "chelsea.png", 64, 80), photo("skimage", "coffee.png", 64, 80)])


def initialised(encoder, images, seed=0):
    decoder = Decoder()
    initialise(decoder, encoder, images, torch.Generator().manual_seed(seed))
    return decoder


def rms(x):
    return float(x.double().square().mean().sqrt())


def plain(x, state, name):
    return relu(conv2d(pad(x, (1, 1, 1, 1), "reflect"), state[f"{name}.weight"], state[f"{name}.bias"]))


def test_every_convolution_gives_the_rms_of_its_blocks_target(model, images):
    state = initialised(model.encoder, images).state_dict()
    features, x = [], images
    for level in (1, 2, 3, 4):
        x, _ = model.encoder.stage(level, x)
        features.append(x)
    for level, body in ((4, 3), (3, 1), (2, 1)):
        target = rms(features[level - 2])
        x = plain(features[level - 1], state, f"block{level}.conv_in")
        assert rms(x) == pytest.approx(target, rel=1e-3)
        x = interpolate(x, scale_factor=2, mode="bilinear")
        for index in range(body):
            x = plain(x, state, f"block{level}.body.{index}")
            assert rms(x) == pytest.approx(target, rel=1e-3)


def test_filters_are_orthogonal(model, images):
    for name, weight in initialised(model.encoder, images).state_dict().items():
        if name.endswith("weight") and "block1" not in name:
            flat = weight.flatten(1).double()
            gram = flat @ flat.T / flat.square().sum(1).mean()
            torch.testing.assert_close(gram, torch.eye(len(flat), dtype=torch.float64), rtol=0, atol=1e-4)


def test_the_seed_decides_and_block_1_is_left_alone(model, images):
    decoder = Decoder()
    before = decoder.block1.conv.weight.clone()
    initialise(decoder, model.encoder, images, torch.Generator().manual_seed(3))
    assert torch.equal(decoder.block1.conv.weight, before)
    again, other = initialised(model.encoder, images, 3), initialised(model.encoder, images, 4)
    assert torch.equal(again.block4.conv_in.weight, decoder.block4.conv_in.weight)
    assert not torch.equal(other.block4.conv_in.weight, decoder.block4.conv_in.weight)
    assert all(parameter.requires_grad for parameter in decoder.parameters())


def test_the_encoder_may_be_in_half_precision(model, images):
    half = Stylizer.from_pretrained(device="cpu", dtype=torch.bfloat16)
    ours, exact = initialised(half.encoder, images), initialised(model.encoder, images)
    for name, weight in ours.state_dict().items():
        if "block1" not in name:
            assert weight.dtype == torch.float32
            torch.testing.assert_close(weight, exact.state_dict()[name], rtol=0.03, atol=1e-6)
