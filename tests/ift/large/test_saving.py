import io

import numpy as np
import pytest
from PIL import Image

from ift.errors import ImageError, SettingsError
from ift.images import encode_image, load_image
from ift.large.saving import save_large, save_preview
from ift.raw_picture import RawPicture
from tests.ift.large.pictures import noise, smooth


def raw_of(path, picture, offset=0):
    """A raw picture of (H, W, 3) 8- or 16-bit values, after `offset` other bytes."""
    path.write_bytes(bytes(range(offset)) + picture.tobytes())
    return RawPicture(path, picture.shape[0], picture.shape[1], offset, picture.itemsize)


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("suffix", ["tif", "TIFF", "png"])
@pytest.mark.parametrize(("height", "width", "offset"), [(1, 1, 0), (1, 700, 3), (300, 517, 0), (2100, 400, 10)])
def test_lossless_files_give_the_pixels_back(suffix, height, width, offset, tmp_path):
    picture = noise(height, width, 3)
    path = tmp_path / "new" / "folder" / f"a.{suffix}"
    save_large(raw_of(tmp_path / "raw", picture, offset), path)
    np.testing.assert_array_equal(opened(path), picture)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp"])
def test_lossy_files_come_close(suffix, tmp_path):
    picture = smooth(200, 310)
    save_large(raw_of(tmp_path / "raw", picture), tmp_path / f"a.{suffix}")
    assert np.abs(opened(tmp_path / f"a.{suffix}") / 255 - picture / 255).mean() < 0.01


@pytest.mark.parametrize("quality", [95, 90, 89, 40])
def test_jpegs_keep_colour_as_small_ones_do(quality, tmp_path):
    picture = noise(64, 64, 3)
    save_large(raw_of(tmp_path / "raw", picture), tmp_path / "a.jpg", quality)
    ours = Image.open(tmp_path / "a.jpg")
    small = Image.open(io.BytesIO(encode_image(load_image(tmp_path / "a.jpg"), "jpeg", quality)))
    assert ours.layer == small.layer  # which holds the sampling of each component
    assert ours.quantization == small.quantization


def test_sixteen_bits_are_rounded_to_eight(tmp_path):
    picture = np.random.default_rng(0).integers(0, 65_536, (30, 40, 3), dtype=np.uint16)
    save_large(raw_of(tmp_path / "raw", picture), tmp_path / "a.png")
    np.testing.assert_array_equal(opened(tmp_path / "a.png"), np.rint(picture / 257).astype(np.uint8))
    save_large(raw_of(tmp_path / "raw", picture), tmp_path / "a.tif")
    np.testing.assert_array_equal(opened(tmp_path / "a.tif"), np.rint(picture / 257).astype(np.uint8))


def test_a_tiff_is_a_pyramid_of_tiles(tmp_path):
    save_large(raw_of(tmp_path / "raw", smooth(900, 1300)), tmp_path / "a.tif")
    image = Image.open(tmp_path / "a.tif")
    sizes = []
    for page in range(image.n_frames):
        image.seek(page)
        sizes.append(image.size)
        assert image.tag_v2[322] == image.tag_v2[323] == 256
        assert (image.tag_v2[259], image.tag_v2[317]) == (8, 2)  # deflate; horizontal differences
    assert sizes == [(1300, 900), (650, 450), (325, 225), (162, 112)]
    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II*\0"


@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "webp"])
def test_equal_pixels_give_equal_bytes_without_metadata(suffix, tmp_path):
    picture = noise(400, 300, 3)
    for name in ("a", "b"):
        save_large(raw_of(tmp_path / name, picture), tmp_path / f"{name}.{suffix}")
    data = (tmp_path / f"a.{suffix}").read_bytes()
    assert data == (tmp_path / f"b.{suffix}").read_bytes()
    assert b"Exif" not in data
    assert b"vips" not in data.lower()
    assert b"20" + b"26:" not in data


@pytest.mark.parametrize(("suffix", "limit"), [("jpg", 65_500), ("webp", 16_383)])
def test_sides_that_a_format_cannot_hold(suffix, limit, tmp_path):
    path = tmp_path / f"a.{suffix}"
    with pytest.raises(ImageError, match=rf"at most {limit} pixels a side, not {limit + 1}×1: use \.tif"):
        save_large(raw_of(tmp_path / "raw", noise(1, limit + 1, 3)), path)
    assert not path.exists()
    save_large(raw_of(tmp_path / "raw", noise(1, limit, 3)), path)
    assert Image.open(path).size == (limit, 1)


def test_refusals_leave_nothing(tmp_path):
    raw = raw_of(tmp_path / "raw", noise(40, 30, 3))
    with pytest.raises(ImageError, match=r"the suffix must be one of \.jpg"):
        save_large(raw, tmp_path / "out" / "a.gif")
    with pytest.raises(SettingsError, match="quality is 0"):
        save_large(raw, tmp_path / "out" / "a.jpg", 0)
    with pytest.raises(ImageError, match="cut short"):
        save_large(RawPicture(raw.path, 41, 30), tmp_path / "out" / "a.png")
    with pytest.raises(ImageError, match="cannot be read"):
        save_large(RawPicture(tmp_path / "none", 40, 30), tmp_path / "out" / "a.png")
    assert not (tmp_path / "out").exists()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "kept").touch()
    with pytest.raises(ImageError, match="cannot be written"):
        save_large(raw, tmp_path / "folder.png")
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "folder.png"}


def test_progress_ends_at_the_last_row(tmp_path):
    heard = []
    raw = raw_of(tmp_path / "raw", noise(700, 300, 3))
    save_large(raw, tmp_path / "a.tif", progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (700, 700)
    assert heard == sorted(heard)


def test_a_preview_is_the_picture_made_smaller(tmp_path):
    picture = smooth(300, 900)
    raw = raw_of(tmp_path / "raw", picture)
    save_preview(raw, tmp_path / "a.png", 100)
    expected = np.asarray(Image.fromarray(picture).resize((100, 33), Image.Resampling.LANCZOS))
    np.testing.assert_allclose(opened(tmp_path / "a.png").astype(int), expected, atol=2)
    save_preview(raw, tmp_path / "a.jpg")
    assert Image.open(tmp_path / "a.jpg").size == (900, 300)
    with pytest.raises(SettingsError, match="at least 1"):
        save_preview(raw, tmp_path / "a.jpg", 0)
