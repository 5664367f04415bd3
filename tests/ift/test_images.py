import io
import os
import stat
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, TiffTags

from ift.errors import ImageError, SettingsError
from ift.images import decode_image, encode_image, format_of, load_image, save_image
from ift.settings import MAX_PIXELS

# The library silences these itself, but pytest starts every test with filters of its own.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin"),
    pytest.mark.filterwarnings("ignore::UserWarning:PIL.PngImagePlugin"),
]

LEVEL = 1 / 255

LOSSLESS = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "tiff-lzw": {"format": "TIFF", "compression": "tiff_lzw"},
    "BMP": {},
    "PPM": {},
    "JPEG2000": {},
}
LOSSY = {"JPEG": {"quality": 95}, "progressive": {"format": "JPEG", "progressive": True}, "AVIF": {}, "MPO": {}}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    """A colourful 8-bit picture without fine detail, which lossy formats keep well."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = np.stack([np.sin(3 * x + y), np.cos(4 * y - x), np.sin(5 * x * y + 1)], -1)
    return np.uint8(127.5 + 120 * waves)


def encoded(picture: np.ndarray | Image.Image, format_: str, /, **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, **{"format": format_, **options})
    return buffer.getvalue()


def decoded(data: bytes, **options) -> np.ndarray:
    """(H, W, 3) floats, after checks that hold for every picture."""
    image = decode_image(data, "picture", **options)
    assert image.dtype == torch.float32
    assert image.is_contiguous()
    assert image.shape[0] == 3
    assert 0 <= image.min() <= image.max() <= 1
    return image.permute(1, 2, 0).numpy()


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, -1)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return -10 * np.log10(np.mean((a - b) ** 2) + 1e-12)


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float = 1e-6) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


# --- formats and modes -----------------------------------------------------------------------------


@pytest.mark.parametrize("format", LOSSLESS)
def test_lossless_formats_give_the_stored_pixels(format):
    picture = noise(23, 37, 3)
    assert_close(decoded(encoded(picture, format, **LOSSLESS[format])), picture / 255)


@pytest.mark.parametrize("format", LOSSY)
def test_lossy_formats_come_close_to_the_stored_pixels(format):
    picture = smooth(60, 90)
    assert psnr(decoded(encoded(picture, format, **LOSSY[format])), picture / 255) > 38


@pytest.mark.parametrize("format", ["EPS", "ICO", "PCX", "TGA", "SGI", "PDF"])
def test_formats_off_the_list_are_refused(format):
    with pytest.raises(ImageError, match="not a picture that can be read"):
        decode_image(encoded(noise(8, 8, 3), format), "odd.file")


def test_the_content_decides_the_format_not_the_suffix(tmp_path):
    picture = noise(5, 6, 3)
    path = tmp_path / "naïve файл 名前 (1).jpg"
    path.write_bytes(encoded(picture, "PNG"))
    assert_close(load_image(path).permute(1, 2, 0).numpy(), picture / 255)
    assert_close(load_image(str(path)).permute(1, 2, 0).numpy(), picture / 255)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_the_first_frame_is_taken(format):
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    data = encoded(red, format, save_all=True, append_images=[blue])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    for resolution in (None, 4):
        assert_close(decoded(data, resolution=resolution).mean((0, 1)), np.array([1, 0, 0]), 0.02)


def test_one_bit_and_grey_and_palette_pictures():
    values = noise(9, 14)
    assert_close(decoded(encoded(values, "PNG")), grey(values / 255))
    bits = values > 127
    assert_close(decoded(encoded(Image.fromarray(bits), "PNG")), grey(bits.astype(float)))
    palette = noise(256, 3, seed=1)
    image = Image.fromarray(values)
    image.putpalette(palette.tobytes())
    for format in ("PNG", "GIF", "BMP"):
        assert_close(decoded(encoded(image, format)), palette[values] / 255)


def test_cmyk_without_profile_is_inverted_and_dimmed_by_black():
    ink = noise(12, 12, 4) / 255
    expected = (1 - ink[..., :3]) * (1 - ink[..., 3:])
    image = Image.fromarray(np.uint8(np.rint(ink * 255)), "RGBA")
    image = Image.merge("CMYK", image.split())
    assert_close(decoded(encoded(image, "TIFF")), expected, 1.5 * LEVEL)
    flat = Image.new("CMYK", (16, 16), (0, 128, 255, 51))
    expected = np.broadcast_to([0.8, 0.8 * 127 / 255, 0], (16, 16, 3))
    assert_close(decoded(encoded(flat, "JPEG", quality=100)), expected, 2 * LEVEL)


# --- more than 8 bits ------------------------------------------------------------------------------


def deep(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65_536, (11, 17), dtype=np.uint16)


def test_16_bit_grey_keeps_its_precision():
    values = deep()
    expected = grey(values / 65_535)
    assert_close(decoded(encoded(values, "PNG")), expected)
    assert_close(decoded(encoded(values, "TIFF")), expected)
    assert_close(decoded(b"P5 17 11 65535\n" + values.astype(">u2").tobytes()), expected)
    big_endian = Image.frombytes("I;16B", (17, 11), values.astype(">u2").tobytes())
    assert_close(decoded(encoded(big_endian, "TIFF")), expected)
    assert_close(decoded(encoded(values.astype(np.int32), "TIFF")), expected)
    ten_bits = values // 64
    data = b"P5 17 11 1023\n" + ten_bits.astype(">u2").tobytes()
    assert_close(decoded(data), grey(ten_bits / 1023), 1 / 65_535)


def test_48_bit_colour_is_read_to_8_bits():
    values = np.random.default_rng(0).integers(0, 65_536, (4, 5, 3), dtype=np.uint16)
    header = struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    assert_close(decoded(png(header, zlib.compress(rows))), values / 65_535, LEVEL)


@pytest.mark.parametrize("low, high", [(-500, 70_000), (0, 2_000_000_000), (-2_000_000_000, 2_000_000_000)])
def test_32_bit_integers_outside_16_bits_are_stretched_over_their_range(low, high):
    values = np.linspace(low, high, 63).astype(np.int32).reshape(7, 9)
    expected = grey((values.astype(float) - low) / (high - low))
    assert_close(decoded(encoded(values, "TIFF")), expected, 1e-5)


@pytest.mark.parametrize("top, white", [(1, 1), (0.3, 1), (200, 255), (255, 255), (3000, 3000)])
def test_float_pictures_are_taken_by_their_range(top, white):
    values = np.linspace(0, top, 40, dtype=np.float32).reshape(5, 8)
    assert_close(decoded(encoded(values, "TIFF")), grey(values / white))


def test_float_values_below_black_are_black():
    values = np.array([[-3, 0, 0.5]], dtype=np.float32)
    assert_close(decoded(encoded(values, "TIFF")), grey(np.array([[0, 0, 0.5]])))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_float_pictures_with_non_finite_values_are_refused(bad):
    values = np.full((4, 4), 0.5, dtype=np.float32)
    values[1, 2] = bad
    with pytest.raises(ImageError, match=r"odd\.tif contains NaN or infinite"):
        decode_image(encoded(values, "TIFF"), "odd.tif")


def test_constant_deep_pictures():
    for value, expected in [(0, 0), (65_535, 1), (100_000, 0)]:
        flat = np.full((3, 4), value, dtype=np.int32)
        assert_close(decoded(encoded(flat, "TIFF")), np.full((3, 4, 3), float(expected)))


def test_deep_pictures_are_scaled_down_without_leaving_the_range():
    values = np.zeros((64, 64), dtype=np.uint16)
    values[:, 32:] = 65_535  # a hard edge, over which Lanczos overshoots
    image = decoded(encoded(values, "PNG"), resolution=16)
    assert image.shape == (16, 16, 3)
    assert_close(image.mean((0, 1)), np.full(3, 0.5), 0.01)


# --- transparency ----------------------------------------------------------------------------------


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return colour * alpha[..., None] + (1 - alpha[..., None])


@pytest.mark.parametrize("format, options", [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})])
def test_alpha_is_laid_over_white(format, options):
    values = noise(13, 11, 4)
    expected = over_white(values[..., :3] / 255, values[..., 3] / 255)
    assert_close(decoded(encoded(values, format, **options)), expected)


def test_grey_with_alpha_is_laid_over_white():
    values = noise(13, 11, 2)
    expected = over_white(grey(values[..., 0] / 255), values[..., 1] / 255)
    assert_close(decoded(encoded(values, "PNG")), expected)


def test_transparent_palette_entries_are_laid_over_white():
    values, palette, alpha = noise(9, 14), noise(256, 3, seed=1), noise(256, seed=2)
    image = Image.fromarray(values)
    image.putpalette(palette.tobytes())
    data = encoded(image, "PNG", transparency=alpha.tobytes())
    assert_close(decoded(data), over_white(palette[values] / 255, alpha[values] / 255))
    key = int(values[0, 0])
    for format in ("PNG", "GIF"):
        data = encoded(image, format, transparency=key)
        assert_close(decoded(data), over_white(palette[values] / 255, (values != key).astype(float)))


@pytest.mark.parametrize("values", [noise(6, 7) // 64, deep() // 16_384 * 16_384, noise(6, 7) > 127])
def test_a_transparent_grey_value_becomes_white(values):
    key = values[0, 0].item()
    data = encoded(Image.fromarray(values), "PNG", transparency=key)
    white = {"uint8": 255, "uint16": 65_535, "bool": 1}[values.dtype.name]
    assert_close(decoded(data), grey(np.where(values == key, 1, values / white)))


def test_a_transparent_colour_becomes_white():
    values = np.zeros((4, 4, 3), np.uint8)
    values[1, 2] = (10, 20, 30)
    values[3, 3] = (10, 20, 31)
    expected = values / 255
    expected[1, 2] = 1
    assert_close(decoded(encoded(values, "PNG", transparency=(10, 20, 30))), expected)


def test_invisible_colours_do_not_bleed_when_scaled_down():
    values = np.zeros((64, 64, 4), np.uint8)
    values[:, ::2] = (0, 0, 255, 255)
    values[:, 1::2] = (255, 0, 0, 0)  # invisible red between visible blue
    image = decoded(encoded(values, "PNG"), resolution=8)
    assert_close(image, np.broadcast_to([0.5, 0.5, 1], (8, 8, 3)), 0.02)


# --- orientation -----------------------------------------------------------------------------------

# By the EXIF standard: what a viewer does with the stored rows and columns.
VIEW = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags.tobytes()


@pytest.mark.parametrize("orientation", VIEW)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "tiff-lzw", "JPEG"])
def test_pictures_are_turned_upright(orientation, format):
    picture = smooth(24, 40)
    options = LOSSLESS.get(format, {"quality": 100, "subsampling": 0})
    data = encoded(picture, format, exif=exif(orientation), **options)
    assert_close(decoded(data), VIEW[orientation](picture / 255), 5 * LEVEL if format == "JPEG" else 1e-6)


@pytest.mark.parametrize("orientation", VIEW)
def test_pictures_are_turned_upright_when_scaled_down(orientation):
    data = encoded(smooth(300, 500), "JPEG", exif=exif(orientation))
    upright = decoded(encoded(smooth(300, 500), "JPEG"), resolution=50)
    assert_close(decoded(data, resolution=50), VIEW[orientation](upright), 0.02)


def test_orientation_may_come_from_xmp():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    picture = smooth(16, 48)
    data = encoded(picture, "JPEG", xmp=xmp, quality=100, subsampling=0)
    assert_close(decoded(data), np.rot90(picture / 255, -1), 5 * LEVEL)


MALFORMED_EXIF = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"


@pytest.mark.parametrize(
    "tags",
    [
        b"Exif\0\0rubbish",
        MALFORMED_EXIF,
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04zz\0\0",
        exif(0),
        exif(9),
        exif(65_535),
        b"",
    ],
)
def test_malformed_exif_is_ignored(tags):
    picture = smooth(24, 40)
    for format, options in {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}}.items():
        assert_close(decoded(encoded(picture, format, exif=tags, **options)), picture / 255, 5 * LEVEL)


# --- colour profiles -------------------------------------------------------------------------------


def icc(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ", kind: bytes = b"mntr") -> bytes:
    """Assemble an ICC v2 profile."""
    tags = {b"wtpt": xyz(0.9642, 1.0, 0.8249), **tags}
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += padded
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"", 0x02200000, kind, space, pcs)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + xyz(0.9642, 1.0, 0.8249)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65_536 * value) for value in values))


def gamma(exponent: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * exponent))


RED, GREEN, BLUE = (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141)
GREY_PROFILE = icc(b"GRAY", {b"kTRC": gamma(1.8)})
# sRGB's primaries with red and blue exchanged, and another gamma.
SWAPPED_PROFILE = icc(
    b"RGB ",
    {
        b"rXYZ": xyz(*BLUE),
        b"gXYZ": xyz(*GREEN),
        b"bXYZ": xyz(*RED),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(1.8)),
    },
)


def cmyk_profile() -> bytes:
    """Only the black ink shows: L* = 100 (1 − K), a* = b* = 0."""
    grid = b"".join(bytes([255 * (1 - corner % 2), 128, 128]) for corner in range(16))
    ramp = bytes(range(256))
    identity = struct.pack(">9i", 65_536, 0, 0, 0, 65_536, 0, 0, 0, 65_536)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + 4 * ramp + grid + 3 * ramp
    return icc(b"CMYK", {b"A2B0": table}, pcs=b"Lab ", kind=b"prtr")


def srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_a_colour_profile_is_applied():
    values = smooth(20, 30)
    expected = srgb((values / 255) ** 1.8)[..., ::-1]
    assert_close(decoded(encoded(values, "PNG", icc_profile=SWAPPED_PROFILE)), expected, 2 * LEVEL)
    jpeg = encoded(values, "JPEG", icc_profile=SWAPPED_PROFILE, quality=100, subsampling=0)
    assert psnr(decoded(jpeg), expected) > 40


def test_a_colour_profile_is_applied_beneath_alpha_and_palette():
    values = np.dstack([smooth(20, 30), noise(20, 30)])
    expected = over_white(srgb((values[..., :3] / 255) ** 1.8)[..., ::-1], values[..., 3] / 255)
    assert_close(decoded(encoded(values, "PNG", icc_profile=SWAPPED_PROFILE)), expected, 2 * LEVEL)
    image = Image.fromarray(values[..., :3]).quantize(64)
    colours = np.asarray(image.convert("RGB")) / 255
    expected = srgb(colours**1.8)[..., ::-1]
    assert_close(decoded(encoded(image, "PNG", icc_profile=SWAPPED_PROFILE)), expected, 2 * LEVEL)


def test_a_grey_profile_is_applied_to_grey_pictures_of_any_depth():
    values = noise(20, 30)
    expected = grey(srgb((values / 255) ** 1.8))
    assert_close(decoded(encoded(values, "PNG", icc_profile=GREY_PROFILE)), expected, 2 * LEVEL)
    sixteen = values.astype(np.uint16) * 257
    assert_close(decoded(encoded(sixteen, "PNG", icc_profile=GREY_PROFILE)), expected, 2 * LEVEL)
    with_alpha = np.dstack([values, noise(20, 30, seed=1)])
    expected = over_white(expected, with_alpha[..., 1] / 255)
    assert_close(decoded(encoded(with_alpha, "PNG", icc_profile=GREY_PROFILE)), expected, 2 * LEVEL)


def test_a_cmyk_profile_is_applied():
    black = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    ink = np.zeros((4, 256, 4), np.uint8)
    ink[..., 3] = black
    ink[..., :3] = 40  # inks that this profile does not show, but the plain conversion does
    image = Image.merge("CMYK", [Image.fromarray(plane) for plane in np.moveaxis(ink, -1, 0)])
    lightness = 100 * (1 - black / 255)
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    actual = decoded(encoded(image, "TIFF", icc_profile=cmyk_profile()))
    assert_close(actual, grey(srgb(luminance)), 3 * LEVEL)


@pytest.mark.parametrize("values", [noise(8, 8, 3), noise(8, 8), deep(), noise(8, 8, 4)])
@pytest.mark.parametrize("profile", [b"", b"rubbish" * 20, SWAPPED_PROFILE[:-60], cmyk_profile()])
def test_a_broken_or_unfitting_profile_is_ignored(values, profile):
    assert_close(decoded(encoded(values, "PNG", icc_profile=profile)), decoded(encoded(values, "PNG")))


def test_profiles_of_another_colour_model_are_ignored():
    colour, plain = noise(8, 8, 3), noise(8, 8)
    assert_close(decoded(encoded(colour, "PNG", icc_profile=GREY_PROFILE)), colour / 255)
    assert_close(decoded(encoded(plain, "PNG", icc_profile=SWAPPED_PROFILE)), grey(plain / 255))
    cmyk = Image.fromarray(colour).convert("CMYK")
    with_profile = encoded(cmyk, "TIFF", icc_profile=SWAPPED_PROFILE)
    assert_close(decoded(with_profile), decoded(encoded(cmyk, "TIFF")))


def test_a_tiff_profile_tag_that_holds_no_bytes_is_ignored():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[TiffImagePlugin.ICCPROFILE] = 5
    tags.tagtype[TiffImagePlugin.ICCPROFILE] = TiffTags.SHORT
    picture = noise(8, 8, 3)
    data = encoded(picture, "TIFF", tiffinfo=tags)
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == 5
    assert_close(decoded(data), picture / 255)


def test_an_srgb_profile_changes_nothing():
    values = noise(8, 8, 3)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_close(decoded(encoded(values, "PNG", icc_profile=profile)), values / 255, 1.1 * LEVEL)


# --- scaling down ----------------------------------------------------------------------------------

sides = st.integers(1, 120)


@settings(deadline=None, max_examples=60)
@given(width=sides, height=sides, resolution=st.integers(1, 130), format=st.sampled_from(["PNG", "JPEG"]))
@example(width=4000, height=16, resolution=512, format="JPEG")
@example(width=16, height=4000, resolution=7, format="JPEG")
@example(width=1, height=600, resolution=100, format="PNG")
@example(width=2000, height=1000, resolution=1, format="JPEG")
@example(width=1001, height=667, resolution=250, format="JPEG")
def test_resolution_bounds_the_longer_side_and_keeps_the_aspect(width, height, resolution, format):
    data = encoded(Image.new("RGB", (width, height), (200, 100, 50)), format, quality=95)
    image = decoded(data, resolution=resolution)
    longer = min(resolution, max(width, height))
    scale = longer / max(width, height)
    assert max(image.shape[:2]) == longer
    assert abs(image.shape[0] - height * scale) < 1
    assert abs(image.shape[1] - width * scale) < 1
    expected = np.array([200, 100, 50]) / 255
    assert_close(image, np.broadcast_to(expected, image.shape), 3 * LEVEL)


def test_a_picture_that_is_small_enough_keeps_its_pixels():
    picture = noise(30, 20, 3)
    for resolution in (30, 31, 4096, None):
        assert_close(decoded(encoded(picture, "PNG"), resolution=resolution), picture / 255)


@pytest.mark.parametrize("resolution", [31, 100, 333, 700])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_scaling_down_is_close_to_exact_area_averages(resolution, format):
    picture = smooth(600, 801)
    image = decoded(encoded(picture, format, quality=95), resolution=resolution)
    whole = torch.from_numpy(picture / 255).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(whole, image.shape[:2], mode="area")
    assert psnr(image, expected[0].permute(1, 2, 0).numpy()) > 38


def test_reduced_jpeg_decoding_keeps_edges_in_place():
    picture = np.zeros((803, 1201, 3), np.uint8)
    picture[:, 600:] = 255
    jpeg, exact = (decoded(encoded(picture, format, quality=95), resolution=75) for format in ("JPEG", "PNG"))
    assert psnr(jpeg, exact) > 35


def test_detail_finer_than_the_target_is_averaged_not_aliased():
    picture = np.zeros((512, 512), np.uint8)
    picture[:, ::2] = 255
    for format in ("PNG", "JPEG"):
        image = decoded(encoded(picture, format, quality=95), resolution=60)[4:-4, 4:-4]
        assert_close(image, np.full_like(image, 0.5), 0.02)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_detail_that_the_target_can_show_is_kept(format):
    wave = np.cos(2 * np.pi * 0.35 * np.arange(512) / 4)  # 0.35 cycles a pixel once scaled to a quarter
    picture = np.tile(np.uint8(np.rint(127.5 + 100 * wave)), (512, 1))
    image = decoded(encoded(picture, format, quality=95), resolution=128)[64, 8:-8, 0]
    assert image.std() > 0.85 * picture.std() / 255


@pytest.mark.parametrize("resolution", [0, -5])
def test_an_impossible_resolution_is_refused(resolution):
    with pytest.raises(SettingsError, match="at least 1 pixel"):
        decode_image(encoded(noise(4, 4, 3), "PNG"), "a.png", resolution)


# --- files that cannot be read ---------------------------------------------------------------------


def png(header: bytes, data: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    chunks = [(b"IHDR", header), *extra, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ImageError, match=r"no such\.png does not exist"):
        load_image(tmp_path / "no such.png")
    with pytest.raises(ImageError, match="is a folder"):
        load_image(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path / "file" / "below.png")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image("nul\0byte.png")
    with pytest.raises(ImageError, match=r"file is empty"):
        load_image(tmp_path / "file")


@pytest.mark.parametrize("data", [b"x", b"<html>404</html>", b"\0" * 500, b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF"])
def test_other_files_are_told_apart_from_damaged_pictures(data):
    with pytest.raises(ImageError, match=r"s3://b/k\.png is not a picture that can be read"):
        decode_image(data, "s3://b/k.png")


CUT = {**LOSSLESS, **LOSSY, "GIF": {}}


@pytest.mark.parametrize("format", CUT)
def test_truncated_files_are_refused(format):
    picture = smooth(40, 56) ^ (noise(40, 56, 3) & 7)
    data = encoded(picture, format, **CUT[format])
    for share in (0.05, 0.3, 0.5, 0.8, 0.95):
        with pytest.raises(ImageError, match=r"^half\.jpg (is|has)"):
            decode_image(data[: int(share * len(data))], "half.jpg")


def test_truncated_jpegs_are_refused_when_scaled_down():
    data = encoded(smooth(800, 800) ^ (noise(800, 800, 3) & 15), "JPEG")
    with pytest.raises(ImageError, match=r"half\.jpg is truncated: fetch"):
        decode_image(data[: len(data) // 2], "half.jpg", resolution=64)


def test_a_forged_header_is_refused_before_decoding():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    with pytest.raises(ImageError, match=r"forged\.png has 3600 megapixels .* limit of 89.48: raise max_pixels"):
        decode_image(png(header, zlib.compress(b"")), "forged.png", resolution=64)
    gif = b"GIF89a\1\0\1\0\0\0\0," + struct.pack("<4HB", 0, 0, 65_535, 65_535, 0) + b"\x08\0;"
    with pytest.raises(ImageError, match=r"forged\.gif has more pixels than Pillow's own limit.*raise max_pixels"):
        decode_image(gif, "forged.gif")


def test_the_limit_counts_declared_pixels_exactly():
    data = encoded(noise(40, 50, 3), "PNG")
    assert decode_image(data, "a.png", max_pixels=2000).shape == (3, 40, 50)
    with pytest.raises(ImageError, match=r"\(50×40\), more than the limit of 0.001999"):
        decode_image(data, "a.png", max_pixels=1999)


def test_the_default_limit_is_where_pillow_starts_to_warn():
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("side", [13, 25])  # above Pillow's warning limit, and above its error limit
def test_max_pixels_decides_instead_of_pillows_limit(side, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 120)
    for format in ("PNG", "JPEG", "BMP"):
        data = encoded(noise(side, side, 3), format)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert decode_image(data, "large").shape == (3, side, side)


def test_pillows_warnings_do_not_reach_the_user(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(noise(9, 9, 3), "JPEG", exif=MALFORMED_EXIF))
    (tmp_path / "b.tif").write_bytes(encoded(noise(13, 13, 3), "TIFF"))
    script = (
        "import PIL.Image, ift.images\n"
        "PIL.Image.MAX_IMAGE_PIXELS = 120\n"
        "for name in ('a.jpg', 'b.tif'): ift.images.load_image(name)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": ""}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_an_unpacking_text_chunk_is_refused():
    text = b"note\0\0" + zlib.compress(bytes(2 * PngImagePlugin.MAX_TEXT_CHUNK))
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    with pytest.raises(ImageError, match=r"bomb\.png carries far too much text"):
        decode_image(png(header, zlib.compress(b"\0\0"), (b"zTXt", text)), "bomb.png")


def test_a_picture_too_large_for_memory_is_refused():
    header = struct.pack(">IIBBBBB", 2**30, 1, 8, 2, 0, 0, 0)  # Pillow refuses rows this long at once
    with pytest.raises(ImageError, match=r"wide\.png needs more memory than there is"):
        decode_image(png(header, zlib.compress(b"\0")), "wide.png", max_pixels=2**40)


def test_a_damaged_picture_is_not_called_something_else():
    data = bytearray(encoded(noise(32, 32, 3), "PNG"))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(ImageError, match=r"rot\.png is damaged, or .+ \(broken data stream.*\)"):
        decode_image(bytes(data), "rot.png")


MAGIC = [
    b"",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"RIFF\x40\0\0\0WEBPVP8X",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"GIF89a",
    b"BM",
    b"P3 ",
    b"P6\n",
    b"Pf\n",
    b"Py\n",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x20ftypavif",
]


@settings(deadline=None, max_examples=400)
@given(magic=st.sampled_from(MAGIC), rest=st.binary(max_size=400))
def test_random_bytes_only_ever_raise_image_errors(magic, rest):
    try:
        decoded(magic + rest, max_pixels=100_000)
    except ImageError as error:
        assert str(error).startswith("picture ")


SAMPLES = [
    encoded(picture, format, **options)
    for picture in (smooth(24, 30),)
    for format, options in [
        *{**LOSSLESS, **LOSSY, "GIF": {}}.items(),
        ("JPEG", {"exif": exif(6), "icc_profile": SWAPPED_PROFILE}),
        ("TIFF", {"compression": "tiff_adobe_deflate", "exif": exif(8)}),
        ("PNG", {"exif": exif(3), "icc_profile": SWAPPED_PROFILE, "transparency": (1, 2, 3)}),
    ]
] + [encoded(deep(), "PNG"), encoded(deep().astype(np.float32), "TIFF"), encoded(noise(9, 9, 4), "PNG")]


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_flipped_bits_only_ever_raise_image_errors(data):
    damaged = bytearray(data.draw(st.sampled_from(SAMPLES)))
    reach = data.draw(st.sampled_from([64, 400, len(damaged)]))  # headers are where it gets interesting
    places = st.integers(0, min(reach, len(damaged)) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=8)):
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        decoded(bytes(damaged), resolution=data.draw(st.sampled_from([None, 8])), max_pixels=100_000)
    except ImageError as error:
        assert str(error).startswith("picture ")


# --- writing ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 2**31))
@example(width=1, height=1, seed=0)
@example(width=1, height=600, seed=1)
@example(width=4000, height=2, seed=2)
def test_png_and_tiff_round_trips_are_exact_to_half_a_level(width, height, seed):
    image = torch.rand((3, height, width), generator=torch.Generator().manual_seed(seed))
    for format in ("png", "tiff"):
        again = decode_image(encode_image(image, format), "again")
        assert again.shape == image.shape
        assert (again - image).abs().max() <= 1 / 510 + 1e-6


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_lossy_writing_follows_quality(format):
    picture = smooth(96, 64) ^ (noise(96, 64, 3) & 31)
    image = torch.from_numpy(picture / 255).permute(2, 0, 1)
    good, poor = (encode_image(image, format, quality) for quality in (95, 20))
    assert len(poor) < len(good) / 2
    assert psnr(decoded(poor), picture / 255) < psnr(decoded(good), picture / 255)
    assert psnr(decoded(good), picture / 255) > 27


@pytest.mark.parametrize("quality, sampling", [(100, 0), (90, 0), (89, 2), (10, 2)])
def test_jpegs_keep_full_colour_resolution_from_quality_90(quality, sampling):
    data = encode_image(torch.rand(3, 32, 32), "jpeg", quality)
    assert JpegImagePlugin.get_sampling(Image.open(io.BytesIO(data))) == sampling


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_the_same_tensor_always_gives_the_same_bytes(format):
    image = torch.rand(3, 50, 70, generator=torch.Generator().manual_seed(0))
    with ThreadPoolExecutor(4) as pool:
        copies = set(pool.map(lambda _: encode_image(image.clone(), format), range(8)))
    assert len(copies) == 1
    assert Image.open(io.BytesIO(copies.pop())).format == format.upper()


def test_values_are_clamped_and_rounded():
    row = torch.tensor([-7.0, 0.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 9.0])
    levels = decoded(encode_image(row.expand(3, 2, -1), "png"))[0, :, 0] * 255
    assert_close(levels, np.array([0, 0, 0, 1, 255, 255, 255]), 1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_any_floating_type_and_layout_can_be_written(dtype):
    image = (torch.randint(0, 2, (3, 8, 6)) * 1.0).to(dtype).requires_grad_()
    assert_close(decoded(encode_image(image.mT, "png")), image.detach().float().permute(2, 1, 0).numpy())


@pytest.mark.parametrize(
    "image",
    [
        torch.rand(1, 8, 8),
        torch.rand(8, 8, 3),
        torch.rand(1, 3, 8, 8),
        torch.rand(8, 8),
        torch.rand(3, 0, 8),
        torch.ones(3, 8, 8, dtype=torch.uint8),
    ],
)
def test_tensors_that_are_no_pictures_are_refused(image):
    with pytest.raises(ImageError, match=r"\(3, H, W\)"):
        encode_image(image, "png")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_non_finite_pictures_are_refused(bad):
    image = torch.rand(3, 8, 8)
    image[1, 2, 3] = bad
    with pytest.raises(ImageError, match="NaN or infinite"):
        encode_image(image, "png")


def test_what_a_format_cannot_hold_is_refused_with_a_way_out():
    with pytest.raises(ImageError, match="webp holds at most 16383 pixels a side, not 20000×1: use png"):
        encode_image(torch.rand(3, 1, 20_000), "webp")
    with pytest.raises(ImageError, match="jpeg holds at most"):
        encode_image(torch.rand(3, 70_000, 1), "jpeg")
    with pytest.raises(ImageError, match='"gif" cannot be written, only jpeg, png, webp, tiff'):
        encode_image(torch.rand(3, 8, 8), "gif")
    for quality in (0, 101):
        with pytest.raises(SettingsError, match="quality"):
            encode_image(torch.rand(3, 8, 8), "jpeg", quality)


@pytest.mark.parametrize(
    "name, format",
    [
        ("a/b.JPG", "jpeg"),
        ("b.jpeg", "jpeg"),
        ("s3://bucket/a.b/c d.Png", "png"),
        ("x.webp", "webp"),
        ("x.tif", "tiff"),
        ("x.tiff", "tiff"),
    ],
)
def test_format_of_suffix(name, format):
    assert format_of(name) == format


@pytest.mark.parametrize("name", ["a", "a.gif", "png", ".png", "a.png/b", "", "a.png.bak"])
def test_unknown_suffixes_are_refused(name):
    with pytest.raises(ImageError, match=r"\.jpg \.jpeg \.png \.webp \.tif \.tiff"):
        format_of(name)


def test_saving_makes_folders_and_follows_the_suffix(tmp_path):
    image = torch.rand(3, 9, 7)
    for suffix, format in {".jpg": "JPEG", ".PNG": "PNG", ".webp": "WEBP", ".tif": "TIFF"}.items():
        path = tmp_path / "new folder" / "très" / f"名前{suffix}"
        save_image(image, path)
        assert Image.open(path).format == format
        assert path.read_bytes() == encode_image(image, format.lower())
    assert len(list(path.parent.iterdir())) == 4


def test_saving_leaves_the_permissions_to_the_umask(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    save_image(torch.rand(3, 4, 4), tmp_path / "a.png")
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_failed_save_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "a.png"
    save_image(torch.zeros(3, 4, 4), path)
    before = path.read_bytes()
    with pytest.raises(ImageError, match=r"a\.png: the picture contains NaN"):
        save_image(torch.full((3, 4, 4), torch.nan), path)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match=r"folder\.png cannot be written"):
        save_image(torch.zeros(3, 4, 4), tmp_path / "folder.png")
    with pytest.raises(ImageError, match=r"b\.png cannot be written"):
        save_image(torch.zeros(3, 4, 4), path / "b.png")
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.png", "folder.png"]


def test_saving_over_a_file_replaces_it_for_new_readers_only(tmp_path):
    path = tmp_path / "a.png"
    save_image(torch.zeros(3, 4, 4), path)
    before = path.read_bytes()
    with Path(path).open("rb") as reader:
        save_image(torch.ones(3, 4, 4), path)
        assert reader.read() == before
    assert load_image(path).min() == 1


def test_many_threads_read_what_one_thread_reads():
    alone = [decode_image(data, "a", resolution=20) for data in SAMPLES]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decode_image(data, "a", resolution=20), SAMPLES * 10))
    assert all(torch.equal(image, alone[i % len(alone)]) for i, image in enumerate(together))
