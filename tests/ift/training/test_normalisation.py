"""The normalisation does what it is for: mean activations of 1, over all pixels of all photos."""

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import conv2d, max_pool2d, pad

from ift.encoder import Encoder
from ift.training.normalisation import mean_activations
from ift.weight_files import PRETRAINED


@pytest.fixture(scope="module")
def photos(photo):
    return [photo("skimage", "chelsea.png", 96, 128), photo("skimage", "coffee.png", 64, 72)]


@pytest.fixture(scope="module")
def scales(original, photos):
    return mean_activations(original, photos)


def test_the_encoder_so_normalised_has_mean_activations_of_1(original, photos, scales):
    encoder = Encoder()
    encoder.load(original, scales)
    sums, counts = {}, {}
    for image in photos:
        x = image.unsqueeze(0)
        for name, convolution in encoder.convolutions.items():
            if name in ("block2_conv1", "block3_conv1", "block4_conv1"):
                x = max_pool2d(x, 2)
            with torch.no_grad():
                x = convolution(x)
            sums[name] = sums.get(name, 0) + x.double().sum((0, 2, 3))
            counts[name] = counts.get(name, 0) + x.shape[2] * x.shape[3]
    assert list(sums) == list(scales)
    for name, total in sums.items():
        assert scales[name].dtype == torch.float32
        mean, alive = total / counts[name], total > 0
        torch.testing.assert_close(mean[alive], torch.ones_like(mean[alive]), rtol=1e-3, atol=0)
        assert alive.float().mean() > 0.99 and (scales[name][~alive] == 1).all()


def test_the_first_convolution_sees_bgr_from_0_to_255_less_the_mean(original, photos, scales):
    weight, bias = (each.double() for each in original["block1_conv1"])
    total, count = 0, 0
    for red, green, blue in photos:
        x = torch.stack([255 * blue - 103.939, 255 * green - 116.779, 255 * red - 123.68]).double()
        activation = conv2d(pad(x.unsqueeze(0), (1, 1, 1, 1), "reflect"), weight, bias).clamp(min=0)
        total, count = total + activation.sum((0, 2, 3)), count + activation[0, 0].numel()
    torch.testing.assert_close(scales["block1_conv1"].double(), total / count, rtol=1e-4, atol=1e-4)


def test_a_batch_counts_as_its_pictures_do(original, photos):
    image = photos[1]
    together = mean_activations(original, [torch.stack([image, image.flip(2)])])
    apart = mean_activations(original, [image, image.flip(2)])
    for name, scale in together.items():
        torch.testing.assert_close(scale, apart[name], rtol=1e-4, atol=1e-5)


def test_the_shipped_normalisation_is_like_that_of_any_photos(original, photo):
    shipped = load_file(PRETRAINED)
    photos = [
        photo("skimage", "astronaut.png", 128, 160),
        photo("skimage", "rocket.jpg", 128, 160),
        photo("skimage", "chelsea.png", 128, 160),
        photo("sklearn", "china.jpg", 128, 160),
        photo("sklearn", "flower.jpg", 128, 160),
    ]
    for name, scale in mean_activations(original, photos).items():
        ratio = scale / shipped[f"encoder.{name}.scale"]
        assert 0.75 < ratio.median() < 1.35
        assert ((ratio > 1 / 4) & (ratio < 4)).float().mean() > 0.95


@pytest.mark.parametrize("size", [(1, 1), (5, 23), (17, 33)])
def test_pictures_of_any_size(original, size):
    picture = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    assert all(bool((scale > 0).all()) for scale in mean_activations(original, [picture]).values())


def test_no_picture_is_an_error(original):
    with pytest.raises(ValueError, match="at least one picture"):
        mean_activations(original, [])
