import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFilter
from torch.nn import functional

from ift.errors import ImageError, SettingsError
from ift.label_mask import _spread, _take_nearest, decode_labels, fit_labels, load_labels
from ift.labels import NAMED_COLOURS, label_of

RGB = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "grey": (128, 128, 128),
    "light_blue": (0, 255, 255),
    "purple": (255, 0, 255),
}


def encoded(picture: np.ndarray | Image.Image, format_: str = "PNG", **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    labels = decode_labels(data, "mask")
    assert labels.dtype == torch.int32
    assert labels.is_contiguous()
    return labels.numpy()


def coloured(labels: np.ndarray) -> np.ndarray:
    """Labels of named colours as (H, W, 3) uint8."""
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for name, number in NAMED_COLOURS.items():
        picture[labels == number] = RGB[name]
    return picture


def blocks(height: int, width: int, values: list[int], side: int = 12, seed: int = 0) -> np.ndarray:
    """Squares of random values; each value occurs if there are squares enough."""
    rows, columns = -(-height // side), -(-width // side)
    drawn = np.resize(values, rows * columns)
    np.random.default_rng(seed).shuffle(drawn)
    return drawn.reshape(rows, columns).repeat(side, 0).repeat(side, 1)[:height, :width]


def scene(height: int, width: int, names: tuple[str, ...], scale: int = 1) -> np.ndarray:
    """Labels of a background, a disc, a bar across it, a slanted corner and a ring, `scale` times as large."""
    y, x = np.mgrid[0 : height * scale, 0 : width * scale] + 0.5
    y, x = y / (height * scale), x / (width * scale)
    regions = [
        (x - 0.33) ** 2 + (y - 0.4) ** 2 < 0.05,
        (np.abs(y - 0.45) < 0.07) & (x > 0.2) & (x < 0.8),
        2 * x + y > 2.3,
        np.abs(np.hypot(x - 0.6, y - 0.75) - 0.14) < 0.05,
    ]
    labels = np.full(x.shape, NAMED_COLOURS[names[0]])
    for region, name in zip(regions, names[1:], strict=True):
        labels[region] = NAMED_COLOURS[name]
    return labels


def softened(height: int, width: int, names: tuple[str, ...]) -> Image.Image:
    """The scene, drawn at four times the size and scaled down."""
    return Image.fromarray(coloured(scene(height, width, names, 4))).resize((width, height), Image.Resampling.BOX)


def dilated(mask: np.ndarray, reach: int) -> np.ndarray:
    plane = torch.from_numpy(mask).float()[None, None]
    return functional.max_pool2d(plane, 2 * reach + 1, 1, reach)[0, 0].bool().numpy()


def assert_within(actual: np.ndarray, expected: np.ndarray, reach: int) -> None:
    """The same labels, with borders that lie at most `reach` pixels apart."""
    assert set(np.unique(actual)) == set(np.unique(expected))
    for label in np.unique(expected):
        assert not ((actual == label) & ~dilated(expected == label, reach)).any()
        assert not ((expected == label) & ~dilated(actual == label, reach)).any()


COLOURFUL = ("black", "white", "red", "yellow", "blue")
TREACHEROUS = ("yellow", "blue", "green", "purple", "white")  # grey lies halfway between each two of the first four
MONOCHROME = ("black", "white", "grey", "black", "white")


# --- kinds of files --------------------------------------------------------------------------------

NINE = blocks(60, 84, list(NAMED_COLOURS.values()))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM"])
def test_the_nine_colours_have_their_numbers(format):
    assert set(np.unique(NINE)) == {0, 128, 255, 256, 257, 258, 259, 260, 261}
    np.testing.assert_array_equal(decoded(encoded(coloured(NINE), format)), NINE)


def test_transparency_is_ignored():
    alpha = np.random.default_rng(0).integers(0, 256, (*NINE.shape, 1), dtype=np.uint8)
    np.testing.assert_array_equal(decoded(encoded(np.concatenate([coloured(NINE), alpha], -1))), NINE)
    values = blocks(60, 84, [3, 4, 9])
    both = np.concatenate([values[..., None].astype(np.uint8), alpha], -1)
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(both, "LA"))), values)


@pytest.mark.parametrize("values", [[0, 1, 2, 3], [0, 255], [0, 128, 255], [0, 7, 255], [40, 41], [5]])
def test_grey_files_hold_their_labels_as_values(values):
    labels = blocks(60, 84, values)
    grey = labels.astype(np.uint8)
    for data in (
        encoded(grey),
        encoded(np.stack([grey] * 3, -1)),
        encoded(np.stack([grey] * 4, -1)),
        encoded(grey, "BMP"),
    ):
        np.testing.assert_array_equal(decoded(data), labels)


@pytest.mark.parametrize("values", [[0, 1, 2, 3], [11, 24_000, 26_001], [0, 5, 65_535], [0, 255]])
def test_deep_grey_files_hold_their_labels_as_values(values):
    labels = blocks(60, 84, values)
    for format in ("PNG", "TIFF"):
        np.testing.assert_array_equal(decoded(encoded(labels.astype(np.uint16), format)), labels)
    big_endian = Image.frombytes("I;16B", labels.shape[::-1], labels.astype(">u2").tobytes())
    np.testing.assert_array_equal(decoded(encoded(big_endian, "TIFF")), labels)
    for type_ in (np.int32, np.float32):
        np.testing.assert_array_equal(decoded(encoded(labels.astype(type_), "TIFF")), labels)


def test_labels_of_32_bits():
    labels = blocks(60, 84, [-1, 0, 100_000, 2_000_000_000])
    np.testing.assert_array_equal(decoded(encoded(labels.astype(np.int32), "TIFF")), labels)


def test_black_grey_and_white_are_the_same_in_every_kind_of_file():
    labels = blocks(60, 84, [0, 128, 255])
    deep = np.select([labels == 128, labels == 255], [32_768, 65_535]).astype(np.uint16)
    half = np.where(labels == 128, 127, labels).astype(np.uint8)
    index = np.select([labels == 128, labels == 255], [2, 1]).astype(np.uint8)
    palette = Image.fromarray(index)
    palette.putpalette([0, 0, 0, 255, 255, 255, 128, 128, 128])
    for picture in (coloured(labels), labels.astype(np.uint8), half, deep, palette):
        np.testing.assert_array_equal(decoded(encoded(picture)), labels)
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(labels > 0))), np.where(labels > 0, 255, 0))


# --- palettes --------------------------------------------------------------------------------------


def voc_palette() -> np.ndarray:
    """The colours of PASCAL VOC: the bits of an index, three at a time, from the top of red, green and blue down."""
    colours = np.zeros((256, 3), np.uint8)
    for index in range(256):
        for bit in range(8):
            for channel in range(3):
                colours[index, channel] |= (
                    (index >> (3 * (bit // 3) + channel) & 1) << 7 - bit // 3 if bit % 3 == 0 else 0
                )
    return colours


def with_palette(labels: np.ndarray, palette: list | np.ndarray) -> Image.Image:
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(np.uint8(palette).tobytes())
    return image


@pytest.mark.parametrize("values", [[0, 1, 5, 15, 20, 255], [0, 7], [0]])
@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_voc_palettes_hold_labels_even_where_they_look_like_named_colours(values, format):
    palette = voc_palette()
    assert palette[[1, 7, 15, 255]].tolist() == [[128, 0, 0], [128, 128, 128], [192, 128, 128], [224, 224, 192]]
    labels = blocks(60, 84, values)
    options = {"optimize": False} if format == "GIF" else {}
    np.testing.assert_array_equal(decoded(encoded(with_palette(labels, palette), format, **options)), labels)


@pytest.mark.parametrize("background", [[], [[0, 0, 0]]])
def test_ade20k_palettes_hold_labels(background):
    palette = [*background, [120, 120, 120], [180, 120, 120], [6, 230, 230], [80, 50, 50], [4, 200, 3]]
    labels = blocks(60, 84, [0, len(background) + 2])
    np.testing.assert_array_equal(decoded(encoded(with_palette(labels, palette))), labels)


def test_cityscapes_palettes_hold_labels():
    palette = [[128, 64, 128], [244, 35, 232], [70, 70, 70], [102, 102, 156], [190, 153, 153], [153, 153, 153]]
    labels = blocks(60, 84, [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(decoded(encoded(with_palette(labels, palette))), labels)


@pytest.mark.parametrize("colours", [9, 32, 200])
def test_palettes_of_named_colours_are_colours(colours):
    image = Image.fromarray(coloured(NINE)).quantize(colours)
    assert image.mode == "P"
    for format in ("PNG", "GIF"):
        np.testing.assert_array_equal(decoded(encoded(image, format)), NINE)


def test_palettes_that_strayed_from_the_named_colours_are_colours():
    palette = [[255, 255, 243], [255, 255, 0], [9, 255, 234], [166, 170, 108], [49, 21, 37], [255, 0, 254], [8, 0, 243]]
    index = blocks(60, 84, list(range(7)))
    expected = np.array([255, 259, 260, 128, 0, 261, 258])[index]
    np.testing.assert_array_equal(decoded(encoded(with_palette(index, palette))), expected)


def test_soft_edges_in_a_palette_are_no_labels():
    image = softened(200, 260, COLOURFUL).quantize(64)
    assert_within(decoded(encoded(image)), scene(200, 260, COLOURFUL), 3)


# --- repair ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [COLOURFUL, TREACHEROUS, MONOCHROME])
@pytest.mark.parametrize("size", [(90, 120), (300, 260), (500, 700)])
def test_soft_edges_are_repaired(names, size):
    image = softened(*size, names)
    assert len(image.getcolors(1 << 24)) > 5
    actual, expected = decoded(encoded(image)), scene(*size, names)
    assert_within(actual, expected, 3)  # 3 at one pixel, in a cusp
    assert (actual != expected).mean() < 1.5 / max(size)  # a fraction of a pixel along all borders


@pytest.mark.parametrize("size", [(90, 120), (500, 700)])
def test_soft_edges_of_grey_files_are_repaired(size):
    image = softened(*size, MONOCHROME).convert("L")
    expected = scene(*size, MONOCHROME)
    deep = np.asarray(image).astype(np.uint16) * 257
    for picture in (image, deep):
        assert_within(decoded(encoded(picture)), expected, 2)


def test_soft_edges_of_labels_are_repaired():
    labels = np.select([scene(300, 400, COLOURFUL, 4) == c for c in (256, 255, 259, 258)], [30, 60, 90, 200])
    image = Image.fromarray(labels.astype(np.uint8)).resize((400, 300), Image.Resampling.BOX)
    expected = np.select([scene(300, 400, COLOURFUL) == c for c in (256, 255, 259, 258)], [30, 60, 90, 200])
    assert_within(decoded(encoded(image)), expected, 3)


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_blurred_black_and_white_stays_black_and_white(radius):
    labels = np.where(scene(300, 400, MONOCHROME) == 255, 255, 0)
    image = Image.fromarray(labels.astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    for picture in (image, image.convert("RGB")):
        assert_within(decoded(encoded(picture)), np.where(np.asarray(image) > 127, 255, 0), 2)


def test_soft_mattes_do_not_turn_into_hundreds_of_labels():
    image = Image.fromarray(scene(300, 400, MONOCHROME).astype(np.uint8)).filter(ImageFilter.GaussianBlur(12))
    assert set(np.unique(decoded(encoded(image)))) == {0, 128, 255}


def test_masks_enlarged_24_fold_have_no_grey_between_their_colours():
    small = Image.fromarray(coloured(scene(64, 84, COLOURFUL)))
    labels = decoded(encoded(small.resize((84 * 24, 64 * 24), Image.Resampling.BILINEAR)))
    assert set(np.unique(labels)) == {NAMED_COLOURS[name] for name in COLOURFUL}


def test_noisy_regions_keep_their_label():
    labels = blocks(300, 400, [0, 255, 256], side=100)
    dirt = np.random.default_rng(0).integers(0, 60, (300, 400, 3), dtype=np.uint8)
    picture = np.where((labels == 255)[..., None], 255 - dirt, coloured(labels))
    assert_within(decoded(encoded(picture)), labels, 1)


@pytest.mark.parametrize("names", [COLOURFUL, MONOCHROME])
@pytest.mark.parametrize("quality", [60, 95])
@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_compressed_masks_are_repaired(names, quality, format):
    size = (350, 500)
    data = encoded(softened(*size, names), format, quality=quality)
    actual, expected = decoded(data), scene(*size, names)
    assert_within(actual, expected, 4)  # in cusps
    assert (actual != expected).mean() < 0.004


def test_lossy_grey_files_are_black_grey_and_white():
    expected = scene(350, 500, MONOCHROME)
    data = encoded(expected.astype(np.uint8), "JPEG", quality=75)
    assert Image.open(io.BytesIO(data)).mode == "L"
    assert_within(decoded(data), expected, 2)
    assert set(np.unique(decoded(encoded(np.full((40, 40), 9, np.uint8), "JPEG")))) == {0}


def test_what_is_thin_but_pure_is_kept():
    y, x = np.mgrid[0:1600, 0:2400]
    fine = np.where(np.abs(x - 1200 - y // 5) < 9, 255, 258)
    image = Image.fromarray(coloured(fine)).resize((600, 400), Image.Resampling.BOX)  # a line of 4.25 pixels
    assert_within(decoded(encoded(image)), fine[2::4, 2::4], 1)


def test_what_is_exact_is_kept_however_thin():
    labels = blocks(300, 400, [0, 256, 259])
    labels[::7], labels[:, ::11], labels[np.arange(300), np.arange(300)] = 128, 261, 255
    np.testing.assert_array_equal(decoded(encoded(coloured(labels))), labels)


def test_repair_does_not_wear_off_what_lies_at_the_border():
    labels = np.full((300, 400), 256)
    labels[:, :6], labels[-5:], labels[:9, -9:] = 0, 255, 258
    picture = coloured(labels)
    picture[150, 200] = 90, 60, 30  # so that it needs repair
    np.testing.assert_array_equal(decoded(encoded(picture)), labels)


@pytest.mark.parametrize("exact", [True, False])
def test_specks_are_absorbed_and_small_regions_are_kept(exact):
    labels = blocks(400, 500, [0, 255, 256, 259], side=100)
    picture = coloured(labels)
    picture[20:25, 20:26] = RGB["purple"]  # 30 of 200,000 pixels
    expected = labels.copy()
    expected[300:312, 30:42] = NAMED_COLOURS["light_blue"]  # 144
    picture[300:312, 30:42] = RGB["light_blue"]
    if not exact:
        picture[0, 0] = 50, 10, 20
    np.testing.assert_array_equal(decoded(encoded(picture)), expected)


def test_rare_values_of_grey_files_are_absorbed():
    labels = blocks(400, 500, [3, 4], side=100)
    picture = labels.astype(np.uint8)
    picture[50, 40:45] = 77
    np.testing.assert_array_equal(decoded(encoded(picture)), labels)


def test_a_mask_where_nothing_can_be_trusted_is_quantised_only():
    y, x = np.mgrid[0:64, 0:64]
    labels = np.array([0, 255, 256, 259, 260])[(x + 2 * y) % 5]  # no two neighbours are alike
    dirty = np.where(coloured(labels) == 0, 60, 200).astype(np.uint8)
    np.testing.assert_array_equal(decoded(encoded(dirty)), labels)


@given(st.integers(1, 15), st.integers(1, 15), st.integers(0, 20), st.integers(0, 999))
def test_extremes_over_squares(height, width, radius, seed):
    values = np.random.default_rng(seed).permutation(height * width).reshape(height, width)
    for choose in (np.maximum, np.minimum):
        expected = [
            [
                choose.reduce(values[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1], None)
                for x in range(width)
            ]
            for y in range(height)
        ]
        np.testing.assert_array_equal(_spread(values, radius, choose), expected)


@settings(deadline=None)
@given(st.integers(1, 14), st.integers(1, 14), st.integers(1, 20), st.integers(0, 999))
def test_the_nearest_trusted_label_is_taken(height, width, count, seed):
    random = np.random.default_rng(seed)
    trusted = np.zeros(height * width, bool)
    trusted[random.choice(height * width, min(count, height * width), replace=False)] = True
    trusted = trusted.reshape(height, width)
    labels = np.arange(height * width, dtype=np.int32).reshape(height, width)  # a label says where it comes from
    found = _take_nearest(labels, trusted)
    y, x = np.mgrid[0:height, 0:width]
    steps = np.abs(y - found // width) + np.abs(x - found % width)
    places = np.argwhere(trusted)
    least = (np.abs(y[..., None] - places[:, 0]) + np.abs(x[..., None] - places[:, 1])).min(-1)
    assert trusted.reshape(-1)[found].all()
    np.testing.assert_array_equal(steps, least)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["colours", "L", "I;16", "1", "voc", "RGBA"]),
    st.integers(5, 120),
    st.integers(5, 120),
    st.integers(5, 30),
    st.integers(1, 12),
    st.integers(0, 999),
)
def test_clean_masks_come_back_exactly(kind, height, width, side, count, seed):
    random = np.random.default_rng(seed)
    choices = {"colours": list(NAMED_COLOURS.values()), "RGBA": list(NAMED_COLOURS.values()), "1": [0, 255]}
    # 127 is a grey of 128 to whoever rounds down.
    integers = np.setdiff1d(np.arange(60_000 if kind == "I;16" else 256), [127])
    values = choices.get(kind) or random.choice(integers, count, replace=False).tolist()
    labels = random.choice(values, (-(-height // side), -(-width // side))).repeat(side, 0).repeat(side, 1)
    labels = labels[: max(5, height // side * side), : max(5, width // side * side)]
    picture = {
        "colours": lambda: coloured(labels),
        "RGBA": lambda: Image.fromarray(coloured(labels)).convert("RGBA"),
        "L": lambda: labels.astype(np.uint8),
        "I;16": lambda: labels.astype(np.uint16),
        "1": lambda: Image.fromarray(labels > 0),
        "voc": lambda: with_palette(labels, voc_palette()),
    }[kind]()
    np.testing.assert_array_equal(decoded(encoded(picture)), labels)


# --- files -----------------------------------------------------------------------------------------

TURNS = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x.T, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
def test_masks_are_turned_upright(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    labels = blocks(60, 84, [0, 3, 4, 9])
    named = blocks(60, 84, [0, 255, 256, 258])
    for picture, stored in [
        (labels.astype(np.uint8), labels),
        (labels.astype(np.uint16), labels),
        (with_palette(labels, voc_palette()), labels),
        (coloured(named), named),
        (Image.fromarray(named == 0), np.where(named == 0, 255, 0)),
    ]:
        np.testing.assert_array_equal(decoded(encoded(picture, exif=exif)), TURNS[orientation](stored))
    assert_within(decoded(encoded(coloured(named), "JPEG", quality=95, exif=exif)), TURNS[orientation](named), 2)


def test_masks_are_read_from_files(tmp_path):
    path = tmp_path / "naïve файл (1).dat"
    path.write_bytes(encoded(coloured(NINE)))
    np.testing.assert_array_equal(load_labels(path).numpy(), NINE)
    np.testing.assert_array_equal(load_labels(str(path)).numpy(), NINE)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ImageError, match=r"none\.png does not exist"):
        load_labels(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder"):
        load_labels(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        load_labels("a\0b.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png is empty"):
        load_labels(tmp_path / "empty.png")


def test_what_is_no_mask_is_refused():
    with pytest.raises(ImageError, match=r"odd\.png is not a picture that can be read"):
        decode_labels(b"<html>not found</html>", "odd.png")
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    for format in ("PNG", "JPEG", "TIFF", "WEBP"):
        data = encoded(noise, format)
        with pytest.raises(ImageError, match=r"odd\.file is (truncated|damaged)"):
            decode_labels(data[: len(data) // 2], "odd.file")


def test_masks_that_are_too_large_are_refused_before_decoding():
    data = encoded(np.zeros((30, 40), np.uint8))
    assert decode_labels(data, "m", max_pixels=1200).shape == (30, 40)
    with pytest.raises(ImageError, match=r"m\.png has 0\.0012 megapixels \(40×30\).*raise max_pixels or scale it down"):
        decode_labels(data, "m.png", max_pixels=1199)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match=r"bomb\.png has 3600 megapixels"):
        decode_labels(bomb, "bomb.png")


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf, 1e12])
def test_fractions_are_no_labels(bad):
    values = np.zeros((6, 7), np.float32)
    values[2, 3] = bad
    with pytest.raises(ImageError, match=r"soft\.tif holds fractions or far too large numbers"):
        decode_labels(encoded(values, "TIFF"), "soft.tif")


# --- labels by name, sizes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, label",
    [
        ("black", 0),
        ("Grey", 128),
        ("gray", 128),
        (" white ", 255),
        ("RED", 256),
        ("green", 257),
        ("blue", 258),
        ("yellow", 259),
        ("light blue", 260),
        ("light_blue", 260),
        ("light-blue", 260),
        ("LightBlue", 260),
        ("cyan", 260),
        ("purple", 261),
        ("magenta", 261),
        ("7", 7),
        (" 0 ", 0),
        ("-1", -1),
        ("+12", 12),
        ("2147483647", 2_147_483_647),
    ],
)
def test_labels_have_names_and_numbers(text, label):
    assert label_of(text) == label


@pytest.mark.parametrize("text", ["", "orange", "1.5", "2147483648", "9" * 5000, "1e3", "١", "0x7", "light  blue sky"])
def test_what_names_no_label_is_refused_with_all_that_do(text):
    with pytest.raises(SettingsError, match=r"give a whole number, or a colour: black, grey, white, red, .*purple"):
        label_of(text)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 40), st.integers(1, 40))
def test_fitted_labels_are_those_at_the_centres_of_pixels(height, width, to_height, to_width):
    labels = torch.arange(height * width, dtype=torch.int32).reshape(height, width)
    fitted = fit_labels(labels, to_height, to_width)
    assert fitted.dtype == torch.int32
    assert fitted.shape == (to_height, to_width)
    for y in range(to_height):
        for x in range(to_width):
            # Compared in whole numbers, so that centres on a border are exact.
            row, column = fitted[y, x].item() // width, fitted[y, x].item() % width
            assert 2 * row * to_height <= (2 * y + 1) * height < 2 * (row + 1) * to_height
            assert 2 * column * to_width <= (2 * x + 1) * width < 2 * (column + 1) * to_width
