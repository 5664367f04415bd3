import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.affine import AffineMap
from ift.moments import Moments


def random_map(batch, channels, seed, offset=True):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(batch, channels, channels, generator=generator, dtype=torch.float64)
    return AffineMap(matrix, torch.randn(batch, channels, generator=generator, dtype=torch.float64) if offset else None)


shapes = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(0, 6)),
    st.integers(0, 99),
    st.booleans(),
)
def test_map_of_features_is_a_f_plus_b(shape, seed, offset):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    affine = random_map(shape[0], shape[1], seed, offset)
    expected = torch.einsum("bcd,bdhw->bchw", affine.matrix, x)
    if offset:
        expected = expected + affine.offset[:, :, None, None]
    torch.testing.assert_close(affine(x), expected)


@given(shapes, st.integers(0, 99), st.booleans())
def test_moments_follow_the_features(shape, seed, offset):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    affine = random_map(shape[0], shape[1], seed, offset)
    predicted, measured = affine.of_moments(Moments.of(x)), Moments.of(affine(x))
    torch.testing.assert_close(predicted.mean, measured.mean)
    torch.testing.assert_close(predicted.second_moment, measured.second_moment)


@given(shapes, st.integers(0, 99), st.booleans(), st.booleans())
def test_composition_is_one_after_the_other(shape, seed, first_offset, second_offset):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    first, second = (random_map(shape[0], shape[1], seed + k, o) for k, o in enumerate((first_offset, second_offset)))
    torch.testing.assert_close(second.after(first)(x), second(first(x)))
