"""The measures against NumPy and plain loops, the reconstructions against the blocks called one by one."""

import math

import numpy as np
import pytest
import torch

from ift import Stylizer
from ift.training.autoencoder import Encoding
from ift.training.quality import (
    RECONSTRUCTIONS,
    moment_error,
    psnr,
    reconstruction_quality,
    reconstructions,
    rgb_error,
    sharpness,
)


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def features(*channels, seed=0):
    maps = tuple(noise(1, count, 8, 6, seed=seed + count) for count in channels)
    return Encoding(maps, (None,) * len(maps))


def test_psnr_of_known_errors():
    photo = noise(3, 5, 7)
    assert psnr(photo + 0.1, photo) == pytest.approx(20, abs=1e-4)
    assert psnr(photo - 0.01, photo) == pytest.approx(40, abs=1e-3)
    assert psnr(photo, photo) == pytest.approx(100)


def test_sharpness_is_the_ratio_of_mean_absolute_differences():
    photo, image = noise(3, 6, 9).double(), noise(3, 6, 9, seed=1).double()

    def gradient(x):
        down = [abs(x[c, i + 1, j] - x[c, i, j]) for c in range(3) for i in range(5) for j in range(9)]
        right = [abs(x[c, i, j + 1] - x[c, i, j]) for c in range(3) for i in range(6) for j in range(8)]
        return sum(down) / len(down) + sum(right) / len(right)

    assert sharpness(image, photo) == pytest.approx(float(gradient(image) / gradient(photo)))
    assert sharpness(0.5 + 0.25 * photo, photo) == pytest.approx(0.25)
    assert math.isnan(sharpness(photo, torch.full_like(photo, 0.3)))


def test_moment_error_is_the_mean_over_the_levels_that_are_there():
    photo = features(4, 5, 6)
    louder = Encoding(tuple(1.1 * each for each in photo.features), photo.skips)
    assert moment_error(louder, photo) == pytest.approx(1.1**2 - 1, rel=1e-4)
    one_level = Encoding((1.1 * photo.features[0],), (None,))
    assert moment_error(one_level, photo) == pytest.approx(1.1**2 - 1, rel=1e-4)
    mixed = Encoding((1.1 * photo.features[0], photo.features[1]), (None, None))
    assert moment_error(mixed, photo) == pytest.approx((1.1**2 - 1) / 2, rel=1e-4)
    assert moment_error(photo, photo) == 0


def test_moments_are_those_about_zero():
    photo = features(4)
    shifted = Encoding((photo.features[0] + 1,), (None,))
    x = photo.features[0].reshape(4, -1).double().numpy()
    m, m_shifted = x @ x.T / x.shape[1], (x + 1) @ (x + 1).T / x.shape[1]
    assert moment_error(shifted, photo) == pytest.approx(np.linalg.norm(m_shifted - m) / np.linalg.norm(m), rel=1e-4)


def test_a_cast_keeps_its_sign_and_noise_is_none():
    photo = noise(3, 40, 50)
    cast = torch.tensor([0.03, -0.06, 0.0]).view(3, 1, 1)
    assert rgb_error(photo + cast, photo) == pytest.approx((0.03, -0.06, 0), abs=1e-6)
    balanced = torch.tensor([0.2, -0.2]).repeat(3, 40, 25)
    assert rgb_error(photo + balanced, photo) == pytest.approx((0, 0, 0), abs=1e-6)


def plain_encoding(model, image, level):
    x, maps, skips = image.unsqueeze(0), [], []
    for stage in range(1, level + 1):
        x, skip = model.encoder.stage(stage, x, with_skip=True)
        maps.append(x)
        skips.append(skip)
    return maps, skips


def plain_reconstruction(model, image, level, gate):
    maps, skips = plain_encoding(model, image, level)
    x = maps[-1]
    for block in range(level, 0, -1):
        x = model.decoder.block(block, x, skips[block - 1], gate)
    return x[0].clamp(0, 1)


def plain_moments(model, image, level):
    flat = [each[0].flatten(1).double().numpy() for each in plain_encoding(model, image, level)[0]]
    return [x @ x.T / x.shape[1] for x in flat]


def test_the_quality_of_a_photo_is_that_of_its_plain_reconstructions(model, photo):
    image = photo("skimage", "chelsea.png", 64, 96)
    qualities = reconstruction_quality(model.encoder, model.decoder, image)
    assert list(qualities) == list(RECONSTRUCTIONS) == ["decoder_1", "decoder_2", "decoder_3", "decoder_4", "gate_1"]
    wanted, x = plain_moments(model, image, 4), image.double().numpy()
    for name, (level, gate) in RECONSTRUCTIONS.items():
        picture = plain_reconstruction(model, image, level, gate)
        y, quality = picture.double().numpy(), qualities[name]
        assert quality.psnr == pytest.approx(10 * np.log10(1 / ((y - x) ** 2).mean()), abs=1e-2)
        gradients = [np.abs(np.diff(z, axis=1)).mean() + np.abs(np.diff(z, axis=2)).mean() for z in (y, x)]
        assert quality.sharpness == pytest.approx(gradients[0] / gradients[1], rel=1e-3)
        errors = [
            np.linalg.norm(ours - moment) / np.linalg.norm(moment)
            for ours, moment in zip(plain_moments(model, picture, level), wanted, strict=False)
        ]
        assert len(errors) == level
        assert quality.moment_error == pytest.approx(np.mean(errors), rel=1e-2)
        assert quality.rgb_error == pytest.approx((y - x).mean((1, 2)), abs=1e-5)


def test_the_skips_help(model, photo):
    qualities = reconstruction_quality(model.encoder, model.decoder, photo("skimage", "coffee.png"))
    assert qualities["gate_1"].psnr > qualities["decoder_4"].psnr + 2


def test_a_decoder_in_training_may_be_more_precise_than_the_encoder(model, photo):
    image = photo("skimage", "chelsea.png", 64, 64)
    half = Stylizer.from_pretrained(device="cpu", dtype=torch.bfloat16)
    pictures = reconstructions(half.encoder, model.decoder, image)
    assert next(model.decoder.parameters()).dtype == torch.float32
    for name, expected in reconstructions(half.encoder, half.decoder, image).items():
        assert pictures[name].dtype == torch.float32
        assert torch.equal(pictures[name], expected)
        assert torch.equal(pictures[name], pictures[name].clamp(0, 1))
