import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import conv2d, interpolate, pad, relu

from ift.weight_files import PRETRAINED

CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512}
BODY = {2: 1, 3: 2, 4: 3}


@pytest.fixture(scope="module")
def state():
    return {name: value.float() for name, value in load_file(PRETRAINED).items()}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def convolved(x, state, name):
    return conv2d(pad(x, (1, 1, 1, 1), "reflect"), state[f"decoder.{name}.weight"], state[f"decoder.{name}.bias"])


def plain(level, x, skip, gate, state):
    """A block from the state dictionary."""
    name = f"block{level}"
    up = interpolate(relu(convolved(x, state, f"{name}.conv_in")), scale_factor=2, mode="bilinear")
    x = up + gate * skip
    for index in range(BODY[level]):
        x = relu(convolved(x, state, f"{name}.body.{index}"))
    return x


@pytest.mark.parametrize("level", [2, 3, 4])
@pytest.mark.parametrize("gate", [0.0, 0.3, 1.0])
def test_a_block_adds_the_skip_times_the_gate_before_its_body(model, state, level, gate):
    x, skip = random(2, CHANNELS[level], 5, 7).relu(), -random(2, CHANNELS[level] // 2, 10, 14, seed=1).relu()
    result = model.decoder.block(level, x, skip, gate)
    assert result.shape == skip.shape
    torch.testing.assert_close(result, plain(level, x, skip, gate, state), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", [2, 3, 4])
def test_gate_0_ignores_the_skip(model, level):
    x, skip = random(1, CHANNELS[level], 4, 6).relu(), random(1, CHANNELS[level] // 2, 8, 12, seed=1)
    without = model.decoder.block(level, x)
    assert torch.equal(model.decoder.block(level, x, skip, 0.0), without)
    assert not torch.equal(model.decoder.block(level, x, skip, 1.0), without)


def test_the_input_of_a_block_stays_as_it_was(model):
    x, skip = random(1, 128, 4, 6), random(1, 64, 8, 12)
    copies = x.clone(), skip.clone()
    model.decoder.block(2, x, skip, 1.0)
    assert torch.equal(x, copies[0]) and torch.equal(skip, copies[1])


def test_block_1_is_one_linear_convolution(model, state):
    x, y = 3 * random(2, 64, 6, 8), random(2, 64, 6, 8, seed=1)
    block = lambda features: model.decoder.block(1, features)  # noqa: E731
    torch.testing.assert_close(block(x), convolved(x, state, "block1.conv"), rtol=1e-4, atol=1e-4)
    zero = block(torch.zeros_like(x))
    torch.testing.assert_close(block(2 * x - y) - zero, 2 * (block(x) - zero) - (block(y) - zero), rtol=1e-4, atol=1e-4)
    assert block(100 * x).max() > 1  # not clamped


def psnr(image, reference):
    return -10 * float(((image - reference) ** 2).mean().log10())


def reconstructed(model, image, level, gate):
    """decoder_N of the encoder's features at relu N_1."""
    x, skips = image.unsqueeze(0), []
    for stage in range(1, level + 1):
        x, skip = model.encoder.stage(stage, x, with_skip=gate > 0)
        skips.append(skip)
    for block in range(level, 0, -1):
        x = model.decoder.block(block, x, skips[block - 1], gate)
    return x[0].clamp(0, 1)


# Measured, less about 1 dB.
@pytest.mark.parametrize(
    ("file", "level", "gate", "least"),
    [
        ("chelsea.png", 1, 0, 43.2),
        ("chelsea.png", 2, 0, 32.7),
        ("chelsea.png", 3, 0, 26.1),
        ("chelsea.png", 4, 0, 22.6),
        ("chelsea.png", 4, 1, 27.2),
        ("coffee.png", 1, 0, 39.6),
        ("coffee.png", 2, 0, 31.0),
        ("coffee.png", 3, 0, 24.9),
        ("coffee.png", 4, 0, 21.0),
        ("coffee.png", 4, 1, 24.5),
    ],
)
def test_the_shipped_weights_reconstruct_photos(model, photo, file, level, gate, least):
    image = photo("skimage", file, 192, 256)
    assert psnr(reconstructed(model, image, level, gate), image) > least
