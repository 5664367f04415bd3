import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift.padding import crop, pad_to_multiple

SIDES = range(1, 41)


def picture(height, width, batch=1, channels=3):
    count = batch * channels * height * width
    return torch.arange(count, dtype=torch.float32).reshape(batch, channels, height, width)


@given(st.integers(2, 70), st.integers(2, 70), st.integers(1, 3), st.integers(1, 4))
def test_padding_is_repeated_reflection(height, width, batch, channels):
    image = picture(height, width, batch, channels)
    padded = pad_to_multiple(image)
    bottom, right = padded.shape[-2] - height, padded.shape[-1] - width
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (0, bottom), (0, right)), mode="reflect")
    np.testing.assert_array_equal(padded.numpy(), expected)


@pytest.mark.parametrize("height", SIDES)
def test_sizes_become_the_next_multiple_of_8_from_16_on_and_crop_undoes_it(height):
    for width in SIDES:
        image = picture(height, width)
        padded = pad_to_multiple(image)
        for side, to in zip((height, width), padded.shape[-2:], strict=True):
            assert to == next(multiple for multiple in (16, 24, 32, 40) if multiple >= side)
        assert torch.equal(crop(padded, (height, width)), image)


def test_a_single_pixel_is_repeated():
    assert torch.equal(pad_to_multiple(torch.full((1, 3, 1, 1), 0.3)), torch.full((1, 3, 16, 16), 0.3))
    row = picture(1, 20)
    assert torch.equal(pad_to_multiple(row)[..., :20], row.expand(1, 3, 16, 20))


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (64, 24)])
def test_what_fits_is_not_copied(size):
    image = picture(*size)
    assert pad_to_multiple(image) is image


def test_padding_keeps_precision_and_the_memory_format_of_the_networks():
    padded = pad_to_multiple(picture(9, 9, batch=2).bfloat16())
    assert padded.dtype == torch.bfloat16
    assert padded.is_contiguous(memory_format=torch.channels_last)
