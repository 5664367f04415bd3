import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import conv2d, max_pool2d, pad, relu

from ift.weight_files import PRETRAINED

STAGES = (
    ["block1_conv1"],
    ["block1_conv2", "pool", "block2_conv1"],
    ["block2_conv2", "pool", "block3_conv1"],
    ["block3_conv2", "block3_conv3", "block3_conv4", "pool", "block4_conv1"],
)
MEAN_RGB = torch.tensor([123.68, 116.779, 103.939]).view(3, 1, 1)
PHOTOS = [
    ("skimage", "astronaut.png"),
    ("skimage", "chelsea.png"),
    ("skimage", "coffee.png"),
    ("skimage", "rocket.jpg"),
    ("sklearn", "china.jpg"),
    ("sklearn", "flower.jpg"),
]


@pytest.fixture(scope="module")
def scales():
    return {
        name.split(".")[1]: value.view(-1, 1, 1) for name, value in load_file(PRETRAINED).items() if "scale" in name
    }


def stages(model, image, with_skip=False):
    x, results = image.unsqueeze(0), []
    for level in (1, 2, 3, 4):
        x, skip = model.encoder.stage(level, x, with_skip)
        results.append((x[0], skip if skip is None else skip[0]))
    return results


def plain(image, original, scales):
    """The original network as Caffe ran it, but for the padding; each stage's last and pre-pooling features, scaled."""
    x, results = (image * 255 - MEAN_RGB).flip(0), []
    for stage in STAGES:
        before = scale = None
        for name in stage:
            if name == "pool":
                before = x / scale
                x = max_pool2d(x, 2, 2)
            else:
                weight, bias = original[name]
                x = relu(conv2d(pad(x.unsqueeze(0), (1, 1, 1, 1), "reflect"), weight, bias))[0]
                scale = scales[name]
        results.append((x / scale, before))
    return results


def pictures(photo):
    return {
        "photo": photo("skimage", "chelsea.png"),
        "noise": torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0)),
    }


@pytest.mark.parametrize("kind", ["photo", "noise"])
def test_the_normalised_network_is_the_original_divided_by_the_scale(model, photo, original, scales, kind):
    image = pictures(photo)[kind]
    expected = plain(image, original, scales)
    for level, (features, skip) in enumerate(stages(model, image, with_skip=True), 1):
        reference, before = expected[level - 1]
        assert features.shape == (64 * 2 ** (level - 1), image.shape[1] >> level - 1, image.shape[2] >> level - 1)
        assert (features - reference).abs().max() < 1e-4 * reference.abs().max()
        torch.testing.assert_close(features, reference, rtol=1e-4, atol=1e-4)
        if level == 1:
            assert skip is None
        else:
            upsampled = max_pool2d(before, 2).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
            torch.testing.assert_close(skip, before - upsampled, rtol=1e-4, atol=1e-4)
            assert (skip <= 0).all() and (skip < 0).any()


def test_without_skips_the_features_are_the_same(model, photo):
    image = photo("skimage", "chelsea.png", 32, 40)
    for (features, skip), (others, _) in zip(stages(model, image), stages(model, image, with_skip=True), strict=True):
        assert skip is None
        assert torch.equal(features, others)


def test_features_of_photos_are_of_order_one(model, photo):
    """Not exactly one: the scale is from other photos."""
    levels = zip(*(stages(model, photo(*name)) for name in PHOTOS), strict=True)
    for features in levels:
        means = torch.stack([x.mean((1, 2)) for x, _ in features]).mean(0)  # of each filter, over the photos
        assert 0.6 < means.mean() < 1.6
        assert means.median() > 0.5
        assert ((means > 0.1) & (means < 10)).float().mean() > 0.95
