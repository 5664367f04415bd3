import struct
import zlib

import pytest
from PIL import TiffImagePlugin

from ift.errors import ImageError, SettingsError
from ift.large.header import size_of
from ift.settings import MAX_LARGE_PIXELS
from tests.ift.large.pictures import encoded, noise, turned_by_exif, written


def png_header(width, height, interlaced=False):
    """A PNG that declares a size, and begins to hold pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, int(interlaced)))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100)))


def test_size_is_height_and_width_scaled_and_upright(tmp_path):
    path = written(tmp_path / "a.jpg", noise(30, 100, 3), "JPEG", exif=turned_by_exif(6))
    assert size_of(path) == (100, 30)
    assert size_of(path, 50) == (50, 15)
    assert size_of(path, 3) == (3, 1)
    assert size_of(path, 1000) == (100, 30)
    with pytest.raises(SettingsError, match="at least 1 pixel"):
        size_of(path, 0)


HEAVY = bytes(6_000_000)


def test_only_the_header_is_read(tmp_path):
    (tmp_path / "a").write_bytes(png_header(60_000, 50_000) + HEAVY)
    assert size_of(tmp_path / "a") == (50_000, 60_000)


def test_bombs_are_refused(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(png_header(70_000, 70_000) + HEAVY)
    assert MAX_LARGE_PIXELS < 70_000**2
    with pytest.raises(ImageError, match=r"bomb has 4900 megapixels \(70000×70000\), more than the limit of 4295"):
        size_of(path)
    assert size_of(path, max_pixels=70_000**2) == (70_000, 70_000)
    path.write_bytes(png_header(60_000, 50_000, interlaced=True) + HEAVY)
    with pytest.raises(ImageError, match="interlaced PNG holds all of them in memory"):
        size_of(path)


@pytest.mark.parametrize("format_", ["BMP", "PPM", "EPS", "ICO", "TGA", "SGI", "PDF"])
def test_formats_off_the_list_are_refused(format_, tmp_path):
    path = written(tmp_path / "a.png", noise(8, 8, 3), format_)
    with pytest.raises(ImageError, match=r"not a picture that can be read at this size \(only JPEG, PNG"):
        size_of(path)


def test_what_is_no_picture_is_refused(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    with pytest.raises(ImageError, match="not a picture"):
        size_of(path)
    path.write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        size_of(path)
    with pytest.raises(ImageError, match="does not exist"):
        size_of(tmp_path / "none")
    with pytest.raises(ImageError, match="is a folder"):
        size_of(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # the library does so, but pytest undoes it
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "AVIF"])
def test_a_magic_number_is_no_picture(format_, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(encoded(noise(8, 8, 3), format_)[:14])
    with pytest.raises(ImageError, match=r"a is (truncated|damaged)"):
        size_of(path)


def test_tiles_out_of_proportion_are_refused(tmp_path):
    path = written(tmp_path / "a.tif", noise(64, 64, 3), "TIFF")
    data = path.read_bytes()
    tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    with path.open("rb") as file:
        file.seek(tags.next)
        tags.load(file)
    tags[322] = tags[323] = 60_000
    with path.open("wb") as file:
        tags.save(file)
    with pytest.raises(ImageError, match="tiles of 3600 megapixels"):
        size_of(path)


def test_a_small_file_that_declares_a_gigapixel_is_a_bomb(tmp_path):
    import pyvips

    pyvips.Image.black(30_000, 30_000).cast("uchar").colourspace("b-w").pngsave(str(tmp_path / "flat.png"), bitdepth=1)
    with pytest.raises(ImageError, match=r"flat\.png declares 900 megapixels in \d+ bytes, as only"):
        size_of(tmp_path / "flat.png")
