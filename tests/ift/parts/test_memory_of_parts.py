"""How large tiles may be, and what a user writes for a size."""

import math
import re
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ift import Settings
from ift.allocator import resident_bytes
from ift.errors import SettingsError
from ift.parts.memory import bytes_of, fits_whole, tile_within, usual_memory

UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@given(
    number=st.integers(0, 10**12),
    thousandths=st.integers(0, 999),
    unit=st.sampled_from(list(UNITS)),
    binary=st.booleans(),
    b=st.booleans(),
    upper=st.booleans(),
    gap=st.sampled_from(["", " ", "  "]),
)
def test_sizes_are_what_is_written(number, thousandths, unit, binary, b, upper, gap):
    text = f"{number}.{thousandths:03d}{gap}{unit}{'i' if binary and unit else ''}{'b' if b else ''}"
    factor = (1024 if binary else 1000) ** UNITS[unit]
    assert bytes_of(text.upper() if upper else text) == math.floor((number + Fraction(thousandths, 1000)) * factor)


@given(st.integers(0, 2**63))
def test_a_number_alone_is_bytes(number):
    assert bytes_of(str(number)) == bytes_of(f" {number}B ") == number


NONSENSE = ["", " ", "GB", "two", "2 gigs", "-1GB", "2GBs", "1e9", "1,5GB", "5i", "5iB", ".5GB", "1.GB", "inf", "nan",
            "2GB 3GB", "٣GB", "9" * 400]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_size(text):
    with pytest.raises(SettingsError, match="is no size: give it such as 2GB or 512MiB"):
        bytes_of(text)


@given(st.text(max_size=8))
def test_any_text_is_a_size_or_refused(text):
    with suppress(SettingsError):
        assert bytes_of(text) >= 0


def test_usual_memory_is_half_of_the_machines():
    with Path("/proc/meminfo").open() as file:
        total = int(re.search(r"MemTotal:\s+(\d+) kB", file.read())[1]) * 1024
    assert usual_memory() == pytest.approx(total / 2, rel=0.01)


@pytest.mark.parametrize("halo", [0, 104, 200])
def test_more_memory_never_gives_smaller_tiles(model, halo):
    sides = []
    for megabytes in range(500, 20_000, 250):
        try:
            sides.append(tile_within(megabytes * 10**6, model, Settings(), halo))
        except SettingsError:
            assert not sides
    assert sides == sorted(sides) and len(set(sides)) > 5
    assert all(side % 8 == 0 and 128 <= side <= 2048 for side in sides)
    assert sides[-1] == 2048


def test_wider_halos_and_patches_take_of_the_tiles(model):
    plain, wide = (tile_within(resident_bytes() + 10**9, model, Settings(), halo) for halo in (96, 160))
    patches = tile_within(resident_bytes() + 10**9, model, Settings.from_options(method="avatar"), 96)
    assert patches < plain > wide


@pytest.mark.parametrize("halo", [0, 104, 160])
@pytest.mark.parametrize("method", ["ift", "avatar"])
@pytest.mark.parametrize("memory", [0, 1, 10**8])
def test_too_little_memory_names_one_that_is_enough(model, memory, halo, method):
    settings = Settings.from_options(method=method)
    with pytest.raises(SettingsError, match="are too little for the smallest tiles: give --memory ") as error:
        tile_within(memory, model, settings, halo)
    advised = bytes_of(re.search(r"--memory (\S+)$", str(error.value))[1])
    assert tile_within(advised, model, settings, halo) >= 128
    with pytest.raises(SettingsError):
        tile_within(advised - 3 * 10**8, model, settings, halo)


def test_what_fits_whole_grows_with_memory_and_shrinks_with_precision():
    assert fits_whole(10**6, 20 * 10**9, torch.float32)
    assert not fits_whole(10**6, 10**9, torch.float32)
    assert not fits_whole(10**12, 20 * 10**9, torch.bfloat16)
    most = [max(mp for mp in range(1, 200) if fits_whole(mp * 10**5, 10 * 10**9, dtype))
            for dtype in (torch.bfloat16, torch.float32)]  # fmt: skip
    assert most[0] > 1.9 * most[1]
