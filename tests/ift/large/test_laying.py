"""Files laid down are what `load_image` gives, and what Pillow and NumPy say."""

import numpy as np
import pytest
import pyvips
from PIL import Image

from ift.errors import ImageError, SettingsError
from ift.images import load_image
from ift.large.header import size_of
from ift.large.laying import lay_down
from tests.ift.large.pictures import noise, pixels, smooth, srgb_profile, turned_by_exif, wide_profile, written

LEVEL = 1 / 255


def laid(path, **options):
    to = path.parent / "scratch" / "picture.raw"
    raw = lay_down(path, to, **options)
    assert raw.path == to
    assert (raw.height, raw.width) == size_of(path, options.get("resolution"))
    assert list(to.parent.iterdir()) == [to]
    return raw


def loaded(path, **options):
    return load_image(path, **options).permute(1, 2, 0).numpy()


def assert_as_loaded(path, tolerance, depth=1):
    raw = laid(path)
    assert raw.depth == depth
    expected = loaded(path)
    assert (raw.height, raw.width) == expected.shape[:2]
    np.testing.assert_allclose(pixels(raw), expected, rtol=0, atol=tolerance + 1e-6)


EXACT = {
    "png": ("PNG", {}),
    "tiff": ("TIFF", {}),
    "lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "jpeg": ("JPEG", {"quality": 95}),
    "420": ("JPEG", {"quality": 80}),
    "progressive": ("JPEG", {"progressive": True}),
    "webp": ("WEBP", {}),
    "with an sRGB profile": ("PNG", {"icc_profile": srgb_profile()}),
    "with a broken profile": ("PNG", {"icc_profile": b"no profile at all" * 9}),
}


@pytest.mark.parametrize("name", EXACT)
def test_colour_pictures_are_the_same_to_the_bit(name, tmp_path):
    format_, options = EXACT[name]
    path = written(tmp_path / "a", noise(61, 83, 3), format_, **options)
    assert_as_loaded(path, 0)


def test_a_suffix_says_nothing(tmp_path):
    picture = noise(20, 30, 3)
    raw = laid(written(tmp_path / "naïve [n=3] (1).jpg", picture, "PNG"))
    np.testing.assert_allclose(pixels(raw), picture / 255, atol=1e-6)


def see_through(mode):
    colours = smooth(40, 50)
    opacity = noise(40, 50, seed=1)
    if mode == "LA":
        return Image.merge("LA", [Image.fromarray(colours[..., 0]), Image.fromarray(opacity)])
    return Image.fromarray(np.dstack([colours, opacity]))


OTHERS = {
    "grey": ("PNG", Image.fromarray(noise(33, 21)), {}),
    "grey jpeg": ("JPEG", Image.fromarray(noise(33, 21)), {}),
    "one bit": ("PNG", Image.fromarray(noise(33, 21) > 127), {}),
    "one bit tiff": ("TIFF", Image.fromarray(noise(33, 21) > 127), {}),
    "palette": ("PNG", Image.fromarray(smooth(33, 21)).quantize(40), {}),
    "palette tiff": ("TIFF", Image.fromarray(smooth(33, 21)).quantize(40), {}),
    "gif": ("GIF", Image.fromarray(smooth(33, 21)).quantize(40), {}),
    "see-through": ("PNG", see_through("RGBA"), {}),
    "see-through grey": ("PNG", see_through("LA"), {}),
    "see-through tiff": ("TIFF", see_through("RGBA"), {}),
    "see-through webp": ("WEBP", see_through("RGBA"), {"lossless": True}),
    "padded tiff": ("TIFF", Image.fromarray(noise(33, 21, 4), "RGBX"), {}),
    "cmyk tiff": ("TIFF", Image.fromarray(noise(33, 21, 4), "CMYK"), {}),
    "cmyk jpeg": ("JPEG", Image.fromarray(smooth(33, 21)).convert("CMYK"), {}),
    "cmyk, unfitting": ("TIFF", Image.fromarray(noise(33, 21, 4), "CMYK"), {"icc_profile": srgb_profile()}),
    "grey, unfitting": ("PNG", Image.fromarray(noise(33, 21)), {"icc_profile": wide_profile()}),
    "wide colours": ("PNG", Image.fromarray(noise(33, 21, 3)), {"icc_profile": wide_profile()}),
    "wide colours jpeg": ("JPEG", Image.fromarray(smooth(33, 21)), {"icc_profile": wide_profile()}),
    "wide, see-through": ("PNG", see_through("RGBA"), {"icc_profile": wide_profile()}),
    "avif": ("AVIF", Image.fromarray(smooth(34, 22)), {"subsampling": "4:4:4"}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", OTHERS)
def test_other_pictures_are_the_same_within_a_level(name, tmp_path):
    format_, picture, options = OTHERS[name]
    rounded_twice = name == "wide, see-through"  # by the profile, then over white
    assert_as_loaded(written(tmp_path / "a", picture, format_, **options), 1.5 * LEVEL if rounded_twice else LEVEL)


def test_a_wide_profile_changes_colours(tmp_path):
    picture = noise(9, 9, 3)
    raw = laid(written(tmp_path / "a", picture, "PNG", icc_profile=wide_profile()))
    assert np.abs(pixels(raw) - picture / 255).max() > 0.05


@pytest.mark.parametrize("form", ["tiled", "bigtiff", "premultiplied", "adam7"])
def test_forms_that_libvips_writes(form, tmp_path):
    picture = pyvips.Image.new_from_array(smooth(70, 90)).copy(interpretation="srgb")
    path = tmp_path / "a"
    match form:
        case "tiled":
            picture.tiffsave(str(path), tile=True, tile_width=32, tile_height=16, compression="deflate")
        case "bigtiff":
            picture.tiffsave(str(path), bigtiff=True)
        case "premultiplied":
            opaque = pyvips.Image.new_from_array(np.full((70, 90), 200, np.uint8))
            picture.bandjoin(opaque).copy(interpretation="srgb").tiffsave(str(path), premultiply=True)
        case "adam7":
            picture.pngsave(str(path), interlace=True)
    assert_as_loaded(path, 1.5 * LEVEL if form == "premultiplied" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_stands_upright(orientation, format_, tmp_path):
    path = written(tmp_path / "a", smooth(24, 40), format_, exif=turned_by_exif(orientation))
    assert_as_loaded(path, 0)
    assert size_of(path, 20) == ((20, 12) if orientation >= 5 else (12, 20))


def test_bands_of_a_turned_picture_meet(tmp_path, monkeypatch):
    monkeypatch.setattr("ift.large.turning._BAND", 3 * 40 * 7)
    for orientation in range(2, 9):
        path = written(tmp_path / "a", noise(24, 40, 3), "PNG", exif=turned_by_exif(orientation))
        assert_as_loaded(path, 0)


def test_lab_becomes_srgb(tmp_path):
    picture = smooth(40, 50)
    lab = pyvips.Image.new_from_array(picture).copy(interpretation="srgb").colourspace("lab")
    lab.tiffsave(str(tmp_path / "a"))
    np.testing.assert_allclose(pixels(laid(tmp_path / "a")), picture / 255, atol=1.5 * LEVEL)


def test_see_through_ink_is_laid_over_white(tmp_path):
    ink = noise(20, 30, 5) / 255
    picture = pyvips.Image.new_from_array(np.uint8(np.rint(ink * 255))).copy(interpretation="cmyk")
    picture.tiffsave(str(tmp_path / "a"))
    light, opacity = (1 - ink[..., :3]) * (1 - ink[..., 3:4]), ink[..., 4:]
    np.testing.assert_allclose(pixels(laid(tmp_path / "a")), light * opacity + 1 - opacity, atol=1.5 * LEVEL)


# --- more than 8 bits ---------------------------------------------------------------------------------------------


def test_sixteen_bits_are_kept(tmp_path):
    grey = np.random.default_rng(0).integers(0, 65_536, (19, 23), dtype=np.uint16)
    for format_ in ("PNG", "TIFF"):
        path = written(tmp_path / "a", grey, format_)
        assert_as_loaded(path, 1e-6, depth=2)
    colours = np.random.default_rng(1).integers(0, 65_536, (19, 23, 3), dtype=np.uint16)
    pyvips.Image.new_from_array(colours).copy(interpretation="rgb16").pngsave(str(path))
    raw = laid(path)
    assert raw.depth == 2
    np.testing.assert_allclose(pixels(raw), colours / 65_535, atol=1e-6)
    np.testing.assert_allclose(pixels(raw), loaded(path), atol=LEVEL)


def test_sixteen_bits_with_a_profile_agree_with_eight(tmp_path):
    picture = noise(15, 15, 3)
    deep = pyvips.Image.new_from_array(picture.astype(np.uint16) * 257).copy(interpretation="rgb16")
    deep.set_type(pyvips.GValue.blob_type, "icc-profile-data", wide_profile())
    deep.pngsave(str(tmp_path / "deep"))
    shallow = written(tmp_path / "shallow", picture, "PNG", icc_profile=wide_profile())
    np.testing.assert_allclose(pixels(laid(tmp_path / "deep")), loaded(shallow), atol=LEVEL + 1e-6)


@pytest.mark.parametrize("top", [0.7, 1, 200, 3000])
def test_floats_find_their_white(top, tmp_path):
    values = np.random.default_rng(0).random((19, 23), np.float32) * np.float32(top)
    values[0, 0], values[1, 1] = top, -0.1 * top
    path = written(tmp_path / "a", values, "TIFF")
    assert_as_loaded(path, 1e-4, depth=2)
    three = np.stack([values, values / 2, values / 4], -1)
    pyvips.Image.new_from_array(three).tiffsave(str(path))
    white = {0.7: 1, 1: 1, 200: 255, 3000: 3000}[top]
    np.testing.assert_allclose(pixels(laid(path)), (three / white).clip(0, 1), atol=1e-4)


def test_whole_numbers_of_32_bits_are_stretched(tmp_path):
    values = noise(19, 23).astype(np.int32) * 1_000_000 - 50_000_000
    assert_as_loaded(written(tmp_path / "a", values, "TIFF"), 1e-4, depth=2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value, tmp_path):
    values = np.zeros((9, 9), np.float32)
    values[4, 4] = value
    with pytest.raises(ImageError, match="NaN or infinite"):
        laid(written(tmp_path / "a", values, "TIFF"))
    assert list((tmp_path / "scratch").iterdir()) == []


# --- scaling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("size", [(301, 203), (203, 301), (640, 480)])
@pytest.mark.parametrize("resolution", [200, 77, 20])
def test_scaled_pictures_come_close(format_, size, resolution, tmp_path):
    picture = np.asarray(Image.fromarray(noise(40, 40, 3)).resize(size, Image.Resampling.BICUBIC))
    path = written(tmp_path / "a", picture, format_)
    raw = laid(path, resolution=resolution)
    expected = loaded(path, resolution=resolution)
    assert (raw.height, raw.width) == expected.shape[:2]
    difference = np.abs(pixels(raw) - expected)
    assert difference.mean() < 1.2 * LEVEL
    assert difference.max() < 10 * LEVEL


def test_what_cannot_be_seen_does_not_show_when_scaled(tmp_path):
    picture = np.zeros((60, 60, 4), np.uint8)
    picture[..., 1], picture[:, 30:, :] = 255, (255, 0, 0, 255)  # green, but wholly transparent; red
    path = written(tmp_path / "a", picture, "PNG")
    result = pixels(laid(path, resolution=21))
    np.testing.assert_allclose(result, loaded(path, resolution=21), atol=3 * LEVEL)
    assert (result[..., 1] >= result[..., 2] - 2 * LEVEL).all()
    assert (result[..., 1] <= result[..., 2] + 2 * LEVEL).all()


def test_deep_see_through_pictures_are_laid_over_white(tmp_path):
    values = np.random.default_rng(0).integers(0, 65_536, (40, 30, 4), dtype=np.uint16)
    path = tmp_path / "a"
    pyvips.Image.new_from_array(values).copy(interpretation="rgb16").pngsave(str(path))
    colours, opacity = values[..., :3] / 65_535, values[..., 3:] / 65_535
    np.testing.assert_allclose(pixels(laid(path)), colours * opacity + 1 - opacity, atol=1e-4)
    raw = laid(path, resolution=20)
    assert raw.depth == 2
    np.testing.assert_allclose(pixels(raw), loaded(path, resolution=20), atol=0.1)
    assert np.abs(pixels(raw) - loaded(path, resolution=20)).mean() < 0.01


def test_smaller_pictures_stay_as_they_are(tmp_path):
    picture = noise(20, 30, 3)
    raw = laid(written(tmp_path / "a", picture, "PNG"), resolution=31)
    np.testing.assert_allclose(pixels(raw), picture / 255, atol=1e-6)
    with pytest.raises(SettingsError, match="resolution is 0"):
        laid(tmp_path / "a", resolution=0)


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP", "GIF"])
def test_a_truncated_file_leaves_nothing(format_, tmp_path):
    path = written(tmp_path / "a.picture", noise(300, 300, 3), format_)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    to = tmp_path / "scratch" / "a.raw"
    with pytest.raises(ImageError, match=r"a\.picture is (truncated|damaged)"):
        lay_down(path, to)
    assert not to.parent.exists() or list(to.parent.iterdir()) == []


def test_a_truncated_file_that_lies_leaves_nothing_and_replaces_nothing(tmp_path):
    path = written(tmp_path / "a", noise(300, 300, 3), "JPEG", exif=turned_by_exif(6))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    to = tmp_path / "scratch" / "a.raw"
    to.parent.mkdir()
    to.write_bytes(b"earlier")
    with pytest.raises(ImageError, match="is truncated: fetch or export it again"):
        lay_down(path, to)
    assert list(to.parent.iterdir()) == [to]
    assert to.read_bytes() == b"earlier"


def test_bytes_damaged_in_the_middle_are_noticed(tmp_path):
    path = written(tmp_path / "a", noise(300, 300, 3), "PNG")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"a is (truncated|damaged)"):
        laid(path)


def test_a_place_that_cannot_be_written_is_told_as_such(tmp_path):
    path = written(tmp_path / "a", noise(30, 30, 3), "PNG")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ImageError, match="cannot be written"):
        lay_down(path, tmp_path / "file" / "a.raw")


def test_progress_counts_rows_and_can_end_the_work(tmp_path):
    path = written(tmp_path / "a", noise(700, 50, 3), "PNG")
    heard = []
    laid(path, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (700, 700)
    assert heard == sorted(heard)
    assert {total for _, total in heard} == {700}
    (tmp_path / "scratch" / "picture.raw").unlink()

    def stop(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lay_down(path, tmp_path / "scratch" / "picture.raw", progress=stop)
    assert list((tmp_path / "scratch").iterdir()) == []
