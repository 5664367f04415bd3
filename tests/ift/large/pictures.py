"""Made-up pictures and profiles for the tests of large files."""

import io

import numpy as np
from PIL import Image, ImageCms

from ift.box import Box


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height, width):
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = np.stack([np.sin(3 * x + y), np.cos(4 * y - x), np.sin(5 * x * y + 1)], -1)
    return np.uint8(127.5 + 120 * waves)


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_profile():
    """The sRGB profile with the primaries of Adobe RGB, adapted to D50, in place of its own."""
    profile = bytearray(srgb_profile())
    primaries = {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    }
    for index in range(int.from_bytes(profile[128:132], "big")):
        entry = profile[132 + 12 * index : 144 + 12 * index]
        if values := primaries.get(bytes(entry[:4])):
            start = int.from_bytes(entry[4:8], "big") + 8
            profile[start : start + 12] = b"".join(round(value * 65_536).to_bytes(4, "big") for value in values)
    return bytes(profile)


def written(path, picture, format_, **options):
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, format_, **options)
    return path


def turned_by_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encoded(picture, format_, **options):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format_, **options)
    return buffer.getvalue()


def pixels(raw):
    """(H, W, 3) floats of a raw picture."""
    assert raw.path.stat().st_size == raw.offset + raw.nbytes
    return raw.read(Box(0, 0, raw.height, raw.width)).permute(1, 2, 0).numpy()
