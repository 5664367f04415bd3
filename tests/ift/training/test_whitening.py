import pytest
import torch
from torch import nn

from ift.reflect_conv import ReflectConv
from ift.training.whitening import InputWhitening, WhitenedAdam, whiten_inputs


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def symmetric(size, generator):
    root = torch.randn(size, size, generator=generator)
    return root @ root.T / size + 0.1 * torch.eye(size)


def taps_of(padded):
    """(B, C, H + 2, W + 2) to (n, C, 9)."""
    batch, channels = padded.shape[:2]
    columns = nn.functional.unfold(padded, 3).view(batch, channels, 9, -1)
    return columns.permute(0, 3, 1, 2).reshape(-1, channels, 9)


def test_white_inputs_have_channels_of_variance_one_and_independent(generator):
    mix = torch.randn(6, 6, generator=generator) + 3 * torch.eye(6)
    features = torch.einsum("dc,bchw->bdhw", mix, torch.randn(4, 6, 40, 40, generator=generator)) + 1.5
    convolution = ReflectConv(6, 5)
    before = convolution(features)
    whitening = whiten_inputs({"a": convolution}, lambda: [convolution(features)])["a"]
    torch.testing.assert_close(convolution(features), before)  # nothing is left behind
    white = torch.einsum("dc,ncu,ut->ndt", whitening.channels, taps_of(convolution_input(features)), whitening.taps)
    # The mean is the same in all taps, so channels and taps are not quite apart: near to 1, not equal.
    variances = white.square().mean(0)
    assert variances.min() > 0.3 and variances.max() < 3
    raw = taps_of(convolution_input(features))
    assert condition(white) < condition(raw) / 20


def convolution_input(features):
    return nn.functional.pad(features, (1, 1, 1, 1), mode="reflect")


def condition(columns):
    flat = columns.flatten(1).double()
    return torch.linalg.cond(flat.T @ flat / len(flat)).item()


def test_the_second_moment_becomes_the_identity_where_it_is_a_product_of_channels_and_taps(generator):
    """Independent of the code: draw white patches, colour them by known roots, and look for the inverses."""
    mix = torch.randn(5, 5, generator=generator) + 2 * torch.eye(5)
    features = torch.einsum("dc,bchw->bdhw", mix, torch.randn(8, 5, 64, 64, generator=generator))
    convolution = ReflectConv(5, 4)
    whitening = whiten_inputs({"a": convolution}, lambda: [convolution(features)])["a"]
    moment = mix @ mix.T
    damped = moment + 0.01 * moment.trace() / 5 * torch.eye(5)
    torch.testing.assert_close(whitening.channels @ damped @ whitening.channels, torch.eye(5), atol=0.05, rtol=0)
    torch.testing.assert_close(whitening.taps, torch.eye(9), atol=0.05, rtol=0.02)


def test_a_step_is_adams_in_the_white_coordinates(generator):
    """Against torch's own Adam on V, with W = V K computed by autograd."""
    k = InputWhitening(symmetric(4, generator), symmetric(9, generator))
    start = torch.randn(3, 4, 3, 3, generator=generator)
    inputs = [torch.randn(2, 4, 8, 8, generator=generator) for _ in range(20)]
    ours, bias = nn.Parameter(start.clone()), nn.Parameter(torch.zeros(3))
    optimiser = WhitenedAdam([ours, bias], 0.01, (0.9, 0.99), {ours: k})
    whole = torch.kron(k.channels, k.taps)
    v = nn.Parameter((start.flatten(1).double() @ torch.linalg.inv(whole.double())).float())
    other = nn.Parameter(torch.zeros(3))
    reference = torch.optim.Adam([v, other], 0.01, (0.9, 0.99))
    for x in inputs:
        optimiser.zero_grad()
        nn.functional.conv2d(x, ours, bias).square().mean().backward()
        optimiser.step()
        reference.zero_grad()
        nn.functional.conv2d(x, (v @ whole).view(3, 4, 3, 3), other).square().mean().backward()
        reference.step()
    torch.testing.assert_close(ours.detach(), (v @ whole).view(3, 4, 3, 3).detach(), atol=2e-4, rtol=2e-3)
    torch.testing.assert_close(bias, other, atol=1e-4, rtol=1e-3)


def test_a_weight_that_took_no_part_stays(generator):
    k = InputWhitening(symmetric(4, generator), symmetric(9, generator))
    idle, busy = nn.Parameter(torch.ones(2, 4, 3, 3)), nn.Parameter(torch.ones(2, 4, 3, 3))
    optimiser = WhitenedAdam([idle, busy], 0.01, (0.9, 0.99), {idle: k, busy: k})
    busy.square().sum().backward()
    optimiser.step()
    assert torch.equal(idle, torch.ones_like(idle))
    assert not torch.equal(busy, torch.ones_like(busy))


def test_inputs_that_are_nothing_are_not_divided_by_nothing():
    convolution = ReflectConv(3, 2)
    whitening = whiten_inputs({"a": convolution}, lambda: [convolution(torch.zeros(1, 3, 8, 8))])["a"]
    assert whitening.channels.isfinite().all()
    assert whitening.taps.isfinite().all()
