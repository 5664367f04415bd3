"""Pictures in several phases of the networks' lattice, averaged."""

import pytest
import torch
from torch.nn.functional import pad

from ift import Settings
from ift.box import Box
from ift.errors import SettingsError
from ift.parts import InMemory
from ift.parts.phases import Shifted
from ift.shifts import SHIFTS

SETTINGS = Settings.from_options("artistic", n_upd=2)
DEEPEST_ONLY = Settings.from_options("artistic", n_upd=(0, 0, 0, 3), gate=0)
"""One station, so that a frame's result depends on those that share its map, and on nothing of theirs."""


@pytest.fixture(scope="module")
def frames(photo):
    wide = photo("skimage", "coffee.png", 72, 108)
    return [wide[:, :, left : left + 96] for left in (0, 5, 12)]


@pytest.fixture(scope="module")
def style(model, photo):
    return model.style(photo("sklearn", "flower.jpg", 96, 96))


def shifted(frame, down, right):
    return pad(frame[None], (right, 0, down, 0), mode="reflect")[0]


def by_hand(in_parts, frames, style, count, folder, **how):
    """Each shift as a picture of its own in one group, then the mean."""
    shifts = SHIFTS[:count]
    moved = [shifted(frame, *shift) for frame in frames for shift in shifts]
    results = iter(in_parts(moved, style, SETTINGS, folder=folder, **how))
    return [
        sum(next(results)[:, down : down + frame.shape[1], right : right + frame.shape[2]] for down, right in shifts)
        / count
        for frame in frames
    ]


@pytest.mark.parametrize("size", [(9, 12), (8, 8), (40, 31)])
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shifted_picture_is_reflected_at_the_top_and_the_left(size, shift):
    picture = torch.rand(3, *size)
    ours, expected = Shifted(InMemory(picture), *shift), shifted(picture, *shift)
    assert (ours.height, ours.width) == expected.shape[1:]
    for box in (Box(0, 0, ours.height, ours.width), Box(2, 1, 5, 4), Box(ours.height - 1, ours.width - 2, 1, 2)):
        rows, columns = box.slices
        assert torch.equal(ours.read(box), expected[:, rows, columns])


@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_even_a_picture_smaller_than_the_shift(size):
    picture = torch.rand(3, *size)
    ours = Shifted(InMemory(picture), 7, 5)
    read = ours.read(Box(0, 0, ours.height, ours.width))
    assert torch.equal(read[:, 7:, 5:], picture)
    assert set(read[0].unique().tolist()) == set(picture[0].unique().tolist())


@pytest.mark.parametrize("how", [{}, {"tile": 48}], ids=["whole", "tiles"])
def test_it_is_the_mean_of_shifted_pictures_with_one_map(in_parts, frames, style, tmp_path, how):
    ours = in_parts(frames, style, SETTINGS, phases=4, **how)
    expected = by_hand(in_parts, frames, style, 4, tmp_path / "hand")
    for our, wanted in zip(ours, expected, strict=True):
        torch.testing.assert_close(our, wanted, rtol=0, atol=2e-3)  # λ goes by the number of pixels, here with borders
        assert our.shape == wanted.shape


def test_a_window_counts_frames_and_not_phases(in_parts, frames, style, tmp_path):
    window = in_parts(frames, style, DEEPEST_ONLY, phases=2, reach=1)
    first = in_parts(frames[:2], style, DEEPEST_ONLY, phases=2, folder=tmp_path / "first")[0]
    last = in_parts(frames[1:], style, DEEPEST_ONLY, phases=2, folder=tmp_path / "last")[1]
    middle = in_parts(frames, style, DEEPEST_ONLY, phases=2, folder=tmp_path / "all")[1]
    for ours, expected in zip(window, (first, middle, last), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)
    assert not list((tmp_path / "scratch").glob("state*"))


def test_a_picture_that_moves_changes_less(in_parts, photo, style, tmp_path):
    still = photo("skimage", "coffee.png", 107, 139)
    errors = []
    for count in (1, 4):
        results = [
            in_parts([still[:, top : top + 96, top : top + 128]], style, SETTINGS, phases=count,
                     folder=tmp_path / f"{count}-{top}")[0]
            for top in (0, 3)
        ]  # fmt: skip
        errors.append(float((results[0][:, 19:-16, 19:-16] - results[1][:, 16:-19, 16:-19]).abs().mean()))
    assert errors[1] < 0.6 * errors[0]


def test_what_was_begun_in_phases_begins_again(in_parts, frames, style, tmp_path):
    first = in_parts(frames, style, SETTINGS, phases=2)
    again = in_parts(frames, style, SETTINGS, phases=2)  # where the scratch of the first one says that all is done
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize(("count", "masked", "message"), [(9, False, "1 to 8"), (2, True, "with masks")])
def test_what_does_not_go_is_refused(in_parts, frames, style, count, masked, message):
    masks = [torch.zeros(4, 4, dtype=torch.int64)] if masked else None
    with pytest.raises(SettingsError, match=message):
        in_parts(frames[:1], style, SETTINGS, phases=count, masks=masks)
