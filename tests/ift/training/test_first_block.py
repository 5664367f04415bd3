"""Block 1 against the least-squares solution of the whole design matrix, and on a photo that it never saw."""

import copy
import math

import pytest
import torch
from torch.nn.functional import conv2d, pad, unfold

from ift.training.first_block import solve_first_block


def design_matrix(model, image):
    """A row for each pixel: the 3×3 patch of relu1_1 around it, and 1."""
    features, _ = model.encoder.stage(1, image.unsqueeze(0))
    patches = unfold(pad(features.double(), (1, 1, 1, 1), "reflect"), 3)[0].T
    return torch.cat([patches, torch.ones(len(patches), 1, dtype=torch.float64)], 1)


def pixels(image):
    return image.flatten(1).T.double()


@pytest.fixture(scope="module")
def images(photo):
    return [photo("skimage", "chelsea.png", 40, 48), photo("skimage", "coffee.png", 36, 30)]


def test_it_is_the_ridge_regression_of_the_whole_design_matrix(model, images):
    matrix, wanted = torch.cat([design_matrix(model, i) for i in images]), torch.cat([pixels(i) for i in images])
    ridge = 1e-3
    inputs = matrix[:, :-1]
    penalty = math.sqrt(ridge * inputs.square().sum().item() / inputs.shape[1])
    rows = torch.cat([penalty * torch.eye(576, dtype=torch.float64), torch.zeros(576, 1, dtype=torch.float64)], 1)
    augmented, target = torch.cat([matrix, rows]), torch.cat([wanted, torch.zeros(576, 3, dtype=torch.float64)])
    expected = torch.linalg.lstsq(augmented, target, driver="gelsd").solution.T
    weight, bias = solve_first_block(model.encoder, images, ridge)
    assert weight.shape == (3, 64, 3, 3) and bias.shape == (3,)
    torch.testing.assert_close(weight.flatten(1), expected[:, :-1].float(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(bias, expected[:, -1].float(), rtol=1e-3, atol=1e-5)


def test_the_ridge_as_it_is_costs_next_to_nothing(model, images):
    matrix, wanted = torch.cat([design_matrix(model, i) for i in images]), torch.cat([pixels(i) for i in images])
    best = torch.linalg.lstsq(matrix, wanted, driver="gelsd").solution
    weight, bias = solve_first_block(model.encoder, images)
    ours = torch.cat([weight.flatten(1), bias[:, None]], 1).T.double()
    errors = [(matrix @ solution - wanted).square().mean().item() for solution in (ours, best)]
    assert errors[1] <= errors[0] < 1.1 * errors[1]


def test_its_weights_are_those_of_a_convolution_with_reflection(model, images):
    weight, bias = solve_first_block(model.encoder, images)
    features, _ = model.encoder.stage(1, images[0].unsqueeze(0))
    picture = conv2d(pad(features, (1, 1, 1, 1), "reflect"), weight, bias)[0]
    linear = design_matrix(model, images[0]).float() @ torch.cat([weight.flatten(1), bias[:, None]], 1).T
    torch.testing.assert_close(picture, linear.T.reshape(picture.shape), rtol=1e-4, atol=1e-4)


def test_batches_and_long_strips_add_up_to_the_same(model, photo):
    image = photo("skimage", "chelsea.png", 200, 160)  # more pixels than are multiplied at a time
    top, bottom = image[:, :100], image[:, 100:]
    together, apart = (
        solve_first_block(model.encoder, images, 1e-3) for images in ([torch.stack([top, bottom])], [top, bottom])
    )
    for ours, other in zip(together, apart, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_unseen_photo_comes_back_at_40_db(model, photo, dtype):
    seen = [
        ("skimage", "astronaut.png"),
        ("skimage", "rocket.jpg"),
        ("sklearn", "china.jpg"),
        ("sklearn", "flower.jpg"),
    ]
    weight, bias = solve_first_block(model.encoder, [photo(*each, 96, 128) for each in seen])
    decoder = copy.deepcopy(model.decoder)
    decoder.block1.conv.load_state_dict({"weight": weight.half(), "bias": bias.half()})
    unseen = photo("skimage", "chelsea.png", 96, 128)
    features, _ = model.encoder.stage(1, unseen.unsqueeze(0))
    picture = decoder.to(dtype).block(1, features.to(dtype))[0].float().clamp(0, 1)
    assert -10 * (picture - unseen).square().mean().log10() > 40


def test_no_picture_is_an_error(model):
    with pytest.raises(ValueError, match="at least one picture"):
        solve_first_block(model.encoder, [])
