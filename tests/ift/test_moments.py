import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.moments import Moments, mix, stack


def features(batch, channels, height, width, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, height, width, generator=generator, dtype=dtype) + 1


def assert_equal(a, b, tolerance=1e-12):
    for name in ("count", "mean", "covariance", "second_moment"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=tolerance, atol=tolerance)


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_moments_are_the_definition(batch, channels, height, width, seed):
    x = features(batch, channels, height, width, seed)
    moments = Moments.of(x)
    for b in range(batch):
        pixels = x[b].reshape(channels, -1)
        n = pixels.shape[1]
        torch.testing.assert_close(moments.mean[b], pixels.mean(1))
        torch.testing.assert_close(moments.second_moment[b], pixels @ pixels.T / n)
        torch.testing.assert_close(moments.covariance[b], torch.atleast_2d(torch.cov(pixels, correction=0)))
        torch.testing.assert_close(moments.power[b], pixels.square().sum() / n)
        assert moments.count[b] == n


@given(st.integers(1, 5), st.lists(st.integers(1, 7), min_size=2, max_size=5), st.integers(1, 6), st.integers(0, 99))
def test_tiles_add_up_to_the_whole(channels, widths, height, seed):
    whole = features(2, channels, height, sum(widths), seed)
    tiles = [Moments.of(tile) for tile in whole.split(widths, dim=3)]
    total = tiles[0]
    for tile in tiles[1:]:
        total = total + tile
    assert_equal(total, Moments.of(whole))


def test_many_pixels_are_summed_in_chunks_without_loss():
    x = features(1, 3, 300, 300)
    pixels = x[0].reshape(3, -1)
    torch.testing.assert_close(Moments.of(x).second_moment[0], pixels @ pixels.T / 90_000)


def test_half_precision_features_are_summed_in_float32():
    x = torch.full((1, 2, 256, 256), 3.0, dtype=torch.bfloat16)
    moments = Moments.of(x)
    assert moments.second_moment.dtype == torch.float32
    # A bfloat16 sum would stop growing at 256 times its addend.
    torch.testing.assert_close(moments.second_moment[0], torch.full((2, 2), 9.0))


def test_mixing_weighs_each_part():
    a, b = Moments.of(features(1, 4, 5, 6, 1)), Moments.of(features(1, 4, 3, 2, 2))
    mixed = mix([a, b], torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(mixed.second_moment, 0.75 * a.second_moment + 0.25 * b.second_moment)
    torch.testing.assert_close(mixed.mean, 0.75 * a.mean + 0.25 * b.mean)


def test_stacking_makes_a_batch():
    x = features(3, 4, 5, 6)
    assert_equal(stack([Moments.of(x[i : i + 1]) for i in range(3)]), Moments.of(x))
    assert_equal(Moments.of(x)[1:2], Moments.of(x[1:2]))


def test_a_flat_picture_has_no_covariance_at_all():
    x = torch.rand(1, 64, 1, 1, generator=torch.Generator().manual_seed(0)) * 30
    for dtype in (torch.float32, torch.bfloat16):
        assert float(Moments.of(x.to(dtype).expand(1, 64, 600, 600)).covariance.abs().max()) < 1e-6
