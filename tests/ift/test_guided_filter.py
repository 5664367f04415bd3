import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ift.box_filter import box_mean
from ift.errors import SettingsError
from ift.guided_filter import guided_filter


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def squares(height: int, width: int, radius: int):
    """Each pixel with the rows and columns of the square around it."""
    for y in range(height):
        for x in range(width):
            yield y, x, slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)


def direct_box_mean(x: torch.Tensor, radius: int) -> torch.Tensor:
    result = torch.empty_like(x)
    for row, column, rows, columns in squares(*x.shape[-2:], radius):
        result[..., row, column] = x[..., rows, columns].mean((-2, -1))
    return result


def direct_guided_filter(image: np.ndarray, guide: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """(K, H, W) with guide (3, H, W): a least-squares problem per square, then the mean over the squares."""
    sums, counts = np.zeros_like(image), np.zeros(image.shape[1:])
    for _, _, rows, columns in squares(*image.shape[1:], radius):
        colours, values = guide[:, rows, columns].reshape(3, -1).T, image[:, rows, columns].reshape(len(image), -1).T
        design = np.column_stack([colours, np.ones(len(colours))])
        ridge = np.sqrt(epsilon * len(colours)) * np.eye(3, 4)
        right = np.concatenate([values, np.zeros((3, len(image)))])
        fit = np.linalg.lstsq(np.concatenate([design, ridge]), right, rcond=None)[0]
        sums[:, rows, columns] += (design @ fit).T.reshape(sums[:, rows, columns].shape)
        counts[rows, columns] += 1
    return sums / counts


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 15), st.integers(0, 99))
def test_box_mean_is_the_mean_over_the_square(height, width, radius, seed):
    x = noise(2, 3, height, width, seed=seed)
    torch.testing.assert_close(box_mean(x, radius), direct_box_mean(x, radius))


@pytest.mark.parametrize("shape", [(5, 6), (2, 5, 6), (1, 2, 3, 5, 6)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_box_mean_keeps_shape_and_type(shape, dtype):
    x = noise(*shape).to(dtype)
    made = box_mean(x, 1)
    assert made.dtype == dtype
    torch.testing.assert_close(made, direct_box_mean(x.double(), 1).to(dtype))


def test_box_mean_takes_any_memory_format():
    x = noise(2, 3, 5, 6)
    torch.testing.assert_close(box_mean(x.contiguous(memory_format=torch.channels_last), 1), box_mean(x, 1))
    torch.testing.assert_close(box_mean(x.mT, 1), box_mean(x, 1).mT)


def test_box_mean_of_a_long_float32_row_is_exact_to_the_last_digit():
    row = noise(1, 60_000, dtype=torch.float32) + 1000
    made, exact = box_mean(row, 2), box_mean(row.double(), 2)
    torch.testing.assert_close(made, exact.float(), rtol=0, atol=0)
    middle = row[0, 59_000:59_005].double().mean()
    assert made[0, 59_002].item() == pytest.approx(middle.item(), rel=6e-8)
    flat = torch.full((7, 60_000), 0.1)
    assert torch.equal(box_mean(flat, 30), flat)


def test_box_mean_refuses_a_negative_radius():
    with pytest.raises(SettingsError, match="radius of a box filter is -1"):
        box_mean(noise(3, 3), -1)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 4), st.sampled_from([1e-6, 1e-3, 0.1]), st.integers(0, 99))
def test_the_filter_is_its_definition(height, width, radius, epsilon, seed):
    image, guide = noise(2, 2, height, width, seed=seed), noise(2, 3, height, width, seed=seed + 1)
    made = guided_filter(image, guide, radius, epsilon)
    for i in range(2):
        expected = direct_guided_filter(image[i].numpy(), guide[i].numpy(), radius, epsilon)
        np.testing.assert_allclose(made[i].numpy(), expected, atol=1e-7)


def test_a_grey_guide_works_like_the_definition():
    image, guide = noise(1, 3, 8, 9), noise(1, 1, 8, 9, seed=1).expand(1, 3, 8, 9)
    made = guided_filter(image, guide, 2, 1e-4)
    np.testing.assert_allclose(made[0], direct_guided_filter(image[0].numpy(), guide[0].numpy(), 2, 1e-4), atol=1e-8)


def test_a_guide_that_is_the_image_gives_the_image_back(photo):
    picture = photo("skimage", "coffee.png", 48, 64).unsqueeze(0)
    torch.testing.assert_close(guided_filter(picture, picture, 4, 1e-9), picture, rtol=0, atol=1e-4)
    smoothed = guided_filter(picture, picture, 4, 0.1)
    assert smoothed.diff(dim=-1).abs().mean() < 0.7 * picture.diff(dim=-1).abs().mean()


def test_a_constant_image_stays(photo):
    guide = photo("skimage", "coffee.png", 48, 64).unsqueeze(0)
    flat = torch.full((1, 2, 48, 64), 0.3)
    torch.testing.assert_close(guided_filter(flat, guide, 5, 1e-4), flat)


def test_a_flat_guide_leaves_means_of_means():
    image = noise(1, 2, 9, 11)
    made = guided_filter(image, torch.full((1, 3, 9, 11), 0.7, dtype=torch.float64), 2, 1e-4)
    torch.testing.assert_close(made, box_mean(box_mean(image, 2), 2))


def test_blotches_go_and_the_edges_of_the_guide_stay():
    edge = (torch.arange(40) >= 20).float().expand(1, 1, 40, 40)
    guide = torch.cat([edge, 1 - edge, 0.5 * edge], 1)
    made = guided_filter(edge + 0.2 * noise(1, 1, 40, 40).float(), guide, 6, 1e-4)
    assert (made[..., 20] - made[..., 19]).min() > 0.9
    assert made[..., :20].std() < 0.03
    blind = guided_filter(edge, torch.full_like(guide, 0.5), 6, 1e-4)
    assert (blind[..., 20] - blind[..., 19]).max() < 0.1


def test_soft_shares_follow_the_guides_edge_and_keep_their_sum():
    guide = (torch.arange(60) >= 33).float().expand(1, 3, 20, 60)
    share = ((torch.arange(60) - 25) / 10).clamp(0, 1).expand(1, 1, 20, 60)  # a border that lies 3 pixels off
    made = guided_filter(torch.cat([share, 1 - share], 1), guide, 8, 1e-5)
    torch.testing.assert_close(made.sum(1), torch.ones(1, 20, 60))
    steepest = made[0, 0, 10].diff().abs().argmax()
    assert steepest == 32


def test_pictures_of_a_batch_are_filtered_by_themselves_and_types_are_kept():
    image, guide = noise(2, 3, 7, 8, dtype=torch.float32), noise(2, 3, 7, 8, seed=1, dtype=torch.float32)
    both = guided_filter(image, guide, 2, 1e-3)
    assert both.dtype == torch.float32
    for i in range(2):
        torch.testing.assert_close(both[i : i + 1], guided_filter(image[i : i + 1], guide[i : i + 1], 2, 1e-3))


@pytest.mark.parametrize("radius, epsilon", [(-1, 0.1), (2, 0.0), (2, -1.0), (2, float("nan"))])
def test_settings_out_of_range_are_refused(radius, epsilon):
    with pytest.raises(SettingsError, match="needs a radius of 0 or more and ε above 0"):
        guided_filter(noise(1, 3, 4, 4), noise(1, 3, 4, 4), radius, epsilon)


@pytest.mark.parametrize(
    "image, guide",
    [((1, 3, 4, 4), (1, 1, 4, 4)), ((1, 3, 4, 4), (2, 3, 4, 4)), ((1, 3, 4, 4), (1, 3, 4, 5)), ((3, 4, 4),) * 2],
)
def test_shapes_that_do_not_fit_are_refused(image, guide):
    with pytest.raises(SettingsError, match=r"give \(B, K, H, W\) and \(B, 3, H, W\)"):
        guided_filter(noise(*image), noise(*guide), 1, 0.1)
