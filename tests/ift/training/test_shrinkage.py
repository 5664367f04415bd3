import copy

import pytest
import torch
from torch.nn.functional import pad, unfold

from ift.decoder import Decoder
from ift.reflect_conv import ReflectConv
from ift.training import shrinkage
from ift.training.quality import psnr, reconstructions
from ift.training.shrinkage import shrink


def patches(features):
    """(B, C, H, W) to (n, 9 C + 1): all of them, by unfolding."""
    columns = unfold(pad(features, (1, 1, 1, 1), mode="reflect"), 3)
    flat = columns.permute(0, 2, 1).flatten(0, 1)
    return torch.cat([flat, torch.ones(len(flat), 1)], 1).double()


def test_it_is_the_ridge_regression_on_the_convolutions_own_outputs():
    generator = torch.Generator().manual_seed(0)
    convolution = ReflectConv(4, 3)
    features = torch.randn(2, 4, 9, 11, generator=generator)
    x, ridge = patches(features), 0.1
    weight = torch.cat([convolution.weight.flatten(1), convolution.bias.unsqueeze(1)], 1).detach().double()
    moment = x.T @ x / len(x)
    # The penalty as further rows of a least-squares problem; none for the bias.
    root = (ridge * float(moment.diagonal()[:-1].mean()) * len(x)) ** 0.5
    rows = torch.cat([x, root * torch.eye(37, dtype=torch.float64)[:36]])
    wanted = torch.cat([x @ weight.T, torch.zeros(36, 3, dtype=torch.float64)])
    expected = torch.linalg.lstsq(rows, wanted).solution.T
    with torch.no_grad():
        shrinkage._shrink(convolution, moment, ridge)
    ours = torch.cat([convolution.weight.flatten(1), convolution.bias.unsqueeze(1)], 1).detach().double()
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_the_patches_are_those_that_unfolding_gives():
    features = torch.randn(1, 3, 5, 6, generator=torch.Generator().manual_seed(1))
    found = shrinkage._patches(pad(features, (1, 1, 1, 1), mode="reflect"), torch.Generator().manual_seed(2)).double()
    assert (torch.cdist(found, patches(features)).min(1).values < 1e-5).all()
    assert len(found.unique(dim=0)) == 30  # each place was met


@pytest.fixture(scope="module")
def swollen(model):
    """The model's decoder, with weights that photos do not feel: two channels that are never told apart."""
    decoder = copy.deepcopy(model.decoder)
    body, before = decoder.block4.body[1], decoder.block4.body[0]
    with torch.no_grad():
        before.weight[1], before.bias[1] = before.weight[0], before.bias[0]
        noise = 5 * torch.randn(256, 3, 3, generator=torch.Generator().manual_seed(3))
        body.weight[:, 0] += noise
        body.weight[:, 1] -= noise
    return decoder


FILES = [("skimage", "astronaut.png"), ("skimage", "coffee.png"), ("sklearn", "china.jpg"), ("sklearn", "flower.jpg")]


@pytest.mark.slow
def test_what_photos_do_not_feel_goes_and_what_they_do_stays(model, photo, swollen, monkeypatch):
    monkeypatch.setattr(shrinkage, "_PATCHES", 300)  # of 16 pictures, just more than there are unknowns
    shrunk = copy.deepcopy(swollen)
    wide = [photo(*file, 192, 448) for file in FILES]
    crops = [image[:, :, left : left + 256] for image in wide for left in range(0, 256, 64)]
    assert shrink(model.encoder, shrunk, crops) == 16
    lengths = [float(decoder.block4.body[1].weight.norm()) for decoder in (model.decoder, swollen, shrunk)]
    assert lengths[1] > 2 * lengths[0] and lengths[2] < 1.1 * lengths[0]
    assert torch.equal(shrunk.block1.conv.weight, swollen.block1.conv.weight)
    before, after = (reconstructions(model.encoder, decoder, crops[2]) for decoder in (swollen, shrunk))
    for name, picture in before.items():
        assert psnr(after[name], crops[2]) > psnr(picture, crops[2]) - 0.5, name


def test_too_few_pictures_are_refused(model):
    with pytest.raises(ValueError, match="15 images"):
        shrink(model.encoder, Decoder(), [torch.rand(3, 16, 16)] * 15)
