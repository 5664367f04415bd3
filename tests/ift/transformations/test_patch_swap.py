import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from ift.errors import SettingsError
from ift.transformations.patch_swap import BUDGET, swap_patches

SIDE = st.integers(1, 13)


def direct(content, style, patch):
    """Patch by patch: all of them unfolded, normalised, multiplied; the chosen ones folded back and averaged."""
    height, width = content.shape[1:]
    while patch > min(style.shape[1:]):
        patch -= 2
    margin = patch // 2
    small = margin >= min(height, width)
    padded = functional.pad(content[None], [margin] * 4, mode="replicate" if small else "reflect")
    patches = functional.unfold(style[None], patch)[0]
    norms = patches.norm(dim=0)
    scores = torch.where(norms > 0, patches / norms, 0).T @ functional.unfold(padded, patch)[0]
    chosen = patches[:, scores.argmax(dim=0)]

    def laid(columns):
        return functional.fold(columns[None], (height + 2 * margin, width + 2 * margin), patch)[0]

    mean = laid(chosen) / laid(torch.ones_like(chosen))
    return mean[:, margin : margin + height, margin : margin + width]


def features(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


# Another match would show: a pixel is the mean of random pixels, and another one in it moves it by 1/25 of its size.
@given(
    sides=st.tuples(SIDE, SIDE, SIDE, SIDE),
    channels=st.integers(2, 5),  # of one channel, all patches of one pixel are parallel
    patch=st.sampled_from([1, 3, 5, 7]),
    budget=st.sampled_from([1, 10_000, 40_000, BUDGET]),
    seed=st.integers(0, 2**31),
)
def test_it_is_the_direct_computation(sides, channels, patch, budget, seed):
    content, style = features(channels, *sides[:2], seed=seed), features(channels, *sides[2:], seed=seed + 1)
    torch.testing.assert_close(
        swap_patches(content, style, patch, budget), direct(content, style, patch), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("budget", [1, 2_000_000, BUDGET])
@pytest.mark.parametrize(("content", "style"), [((33, 40), (37, 29)), ((40, 9), (8, 50)), ((16, 64), (64, 16))])
def test_it_is_the_direct_computation_in_float32(content, style, budget):
    content, style = features(48, *content), features(48, *style, seed=1)
    swapped = swap_patches(content.float(), style.float(), budget=budget)
    assert swapped.dtype == torch.float32
    torch.testing.assert_close(swapped.double(), direct(content, style, 5), rtol=0, atol=1e-5)


def test_neither_the_order_of_memory_nor_a_gradient_matters():
    content, style = features(6, 11, 9), features(6, 10, 12, seed=1)
    expected = swap_patches(content, style)
    last = (feature.permute(1, 2, 0).contiguous().permute(2, 0, 1).requires_grad_() for feature in (content, style))
    torch.testing.assert_close(swap_patches(*last), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("patch", [1, 3, 5, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_content_that_has_only_patches_of_the_style_stays_as_it_is(patch, dtype):
    content = features(16, 20, 15, dtype=dtype)
    margin = patch // 2
    style = functional.pad(content, [margin] * 4, mode="reflect")
    torch.testing.assert_close(swap_patches(content, style, patch, budget=100_000), content)
    # Without the reflected border in the style: all pixels whose patches do not reach over the border.
    inside = (slice(None), slice(2 * margin, 20 - 2 * margin), slice(2 * margin, 15 - 2 * margin))
    torch.testing.assert_close(swap_patches(content, content, patch, budget=100_000)[inside], content[inside])


# Whole numbers make all scores exact; of parallel patches the score is the same to the last bit.
@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("factors", [(1, 2, 4), (4, 2, 1), (2, 4, 1)])
@pytest.mark.parametrize("budget", [1, 40_000, BUDGET])
def test_the_first_of_equal_patches_wins(axis, factors, budget):
    content = torch.randint(-9, 10, (8, 12, 12), generator=torch.Generator().manual_seed(0)).float()
    style = torch.cat([factor * content for factor in factors], dim=axis)
    inside = (slice(None), slice(4, 8), slice(4, 8))
    assert torch.equal(swap_patches(content, style, budget=budget)[inside], factors[0] * content[inside])


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 5), (9, 7)])
@pytest.mark.parametrize("value", [0.0, 1e-30, -2.0])
def test_a_flat_style_gives_itself(size, value):
    style = torch.full((4, *size), value)
    swapped = swap_patches(features(4, 8, 6, dtype=torch.float32), style)
    torch.testing.assert_close(swapped, torch.full((4, 8, 6), value), rtol=1e-6, atol=0)


def test_a_style_that_is_black_in_part_and_a_black_content():
    content, style = features(3, 10, 11), features(3, 14, 12, seed=1)
    style[:, 4:] = 0
    torch.testing.assert_close(swap_patches(content, style), direct(content, style, 5), rtol=0, atol=1e-12)
    black = torch.zeros_like(content)
    torch.testing.assert_close(swap_patches(black, style), direct(black, style, 5), rtol=0, atol=1e-12)


@pytest.mark.parametrize("patch", [-1, 0, 2, 4])
def test_a_patch_has_a_centre(patch):
    with pytest.raises(SettingsError, match=f"patch is {patch}: it must be a positive odd number of pixels"):
        swap_patches(features(3, 8, 8), features(3, 8, 8), patch)


# VmHWM, since getrusage's ru_maxrss begins at the peak of the process that started this one.
MEMORY_SCRIPT = """
import torch
from ift.transformations.patch_swap import swap_patches
torch.set_num_threads(1)
swapped = swap_patches(torch.randn(512, 128, 128), torch.randn(512, 128, 128))
assert swapped.shape == (512, 128, 128)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_picture_of_1024_pixels_stays_under_one_and_a_half_gigabytes():
    result = subprocess.run([sys.executable, "-c", MEMORY_SCRIPT], capture_output=True, text=True, check=True)
    assert int(result.stdout) * 1024 < 1.5e9, result.stdout
