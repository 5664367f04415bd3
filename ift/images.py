"""Pictures as tensors: reading whatever people have, safely, and writing what they asked for."""

import ctypes
import io
import logging
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageCms, _imaging
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from ift.allocator import is_out_of_memory
from ift.errors import ImageError, SettingsError
from ift.settings import MAX_PIXELS

_WRITERS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}
"""Pixels, of the formats that have a limit."""

_LARGEST_TILE = 1 << 24
_SMALLEST_TILE_SIDE = 16
_MOST_SCANNED_PIXELS = 10**11
"""Pixels of a JPEG times the scans in which it comes, usually ten at most: about a minute's work."""


def refuse_wild_tiles(tags: Mapping[int, Any]) -> None:
    """Make sure that a TIFF's tiles and strips are in proportion to the picture.

    Pillow and libtiff believe what a file says of them: a tile of a gigapixel, or millions of strips, take gigabytes
    and minutes for a picture that shows none of it.

    Raises:
        OSError: They are not.
    """
    width, height, samples = (tags.get(tag, 1) for tag in (256, 257, 277))
    tile = tags.get(322, 0) * tags.get(323, 0)
    if tile > 2 * width * height + _LARGEST_TILE:
        raise OSError(f"tiles of {tile / 1e6:.4g} megapixels for {width}×{height}")
    parts = max(len(tags.get(tag, ())) for tag in (273, 324))
    tiles = -(-width // _SMALLEST_TILE_SIDE) * -(-height // _SMALLEST_TILE_SIDE)
    if parts > samples * (height + tiles):
        raise OSError(f"{parts} strips or tiles for {width}×{height}")


class _TiffFile(TiffImageFile):
    def _setup(self) -> None:
        refuse_wild_tiles(self.tag_v2)
        super()._setup()


# Pillow's other decoders are rarely needed and rarely tested: untrusted bytes must not reach them.
_READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")
Image.init()
_READERS = {name: Image.OPEN[name] for name in _READABLE if name in Image.OPEN}
_READERS["TIFF"] = (_TiffFile, _READERS["TIFF"][1])

# Nothing a user can act on: max_pixels decides what is too large, and malformed metadata is ignored.
# Appended, so that any filter of the application wins.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning, append=True)
warnings.filterwarnings("ignore", module=r"PIL\.(Jpeg|Png|Tiff)ImagePlugin", append=True)
# What is logged besides an error is for applications that listen; libtiff would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())
with suppress(AttributeError, OSError):  # where Pillow was built without libtiff, or hides it
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def load_image(path: str | os.PathLike[str], resolution: int | None = None, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Read a picture file as (3, H, W) float32 sRGB in [0, 1].

    The content decides the format, not the suffix. The first frame is taken, turned upright,
    converted to sRGB and laid over white where it is transparent.

    Args:
        path: The file.
        resolution: Pixels to which the longer side is scaled down; smaller pictures stay as they are.
        max_pixels: Refuse files that declare more pixels than this.

    Raises:
        ImageError: The file cannot be read, is no picture, is damaged or is too large.
        SettingsError: `resolution` is below 1.
    """
    return decode_image(read_bytes(path, "picture"), os.fspath(path), resolution, max_pixels)


def decode_image(data: bytes, name: str, resolution: int | None = None, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Decode the bytes of a picture file; `name` stands for it in messages. See `load_image`."""
    if resolution is not None and resolution < 1:
        raise SettingsError(f"resolution is {resolution}, but pictures need at least 1 pixel")
    with decoding(name):
        return _decode(data, name, resolution, max_pixels)


def encode_image(image: Tensor, format: str, quality: int = 95) -> bytes:
    """Encode (3, H, W) values in [0, 1] as 8-bit sRGB; the same tensor always gives the same bytes.

    Args:
        image: Any floating type on any device; values outside [0, 1] are clamped.
        format: "jpeg", "png", "webp" or "tiff".
        quality: 1 to 100, for JPEG (full colour resolution from 90 on) and WebP.

    Raises:
        ImageError: The tensor is no picture, or the format is unknown or cannot hold it.
        SettingsError: `quality` is out of its range.
    """
    if not 1 <= quality <= 100:
        raise SettingsError(f"quality is {quality}, but must lie between 1 and 100")
    options = _write_options(format, quality)
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape or not image.is_floating_point():
        raise ImageError(f"a picture is (3, H, W) floating point, not {tuple(image.shape)} {image.dtype}")
    values = image.detach().to("cpu", torch.float32)
    if not all(bound.isfinite() for bound in values.aminmax()):  # of NaN, both are
        raise ImageError("the picture contains NaN or infinite values")
    height, width = values.shape[1:]
    check_side(format, height, width)
    pixels = values.clamp(0, 1).mul_(255).round_().to(torch.uint8).permute(1, 2, 0).contiguous()
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels.numpy()).save(buffer, format, **options)
    except (OSError, ValueError, MemoryError) as error:
        raise ImageError(f"the picture cannot be written as {format}: {_words(error)}") from error
    return buffer.getvalue()


def check_side(format: str, height: int, width: int) -> None:
    """Sees that a format holds pictures of this size.

    Raises:
        ImageError: it does not.
    """
    if max(height, width) > LONGEST_SIDE.get(format, max(height, width)):
        raise ImageError(f"{format} holds at most {LONGEST_SIDE[format]} pixels a side, not {width}×{height}: use png")


def save_image(image: Tensor, path: str | os.PathLike[str], quality: int = 95) -> None:
    """Write a (3, H, W) picture in the format that the suffix names; see `encode_image`.

    Parent folders are created. The file appears whole or not at all.

    Raises:
        ImageError: The suffix is unknown, the tensor is no picture, or the file cannot be written.
        SettingsError: `quality` is out of its range.
    """
    target = Path(path)
    format_ = format_of(os.fspath(path))
    try:
        data = encode_image(image, format_, quality)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    # Not the tempfile module: its files are private to the user whatever the umask says.
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be written: {_words(error)}") from error


def format_of(name: str) -> str:
    """Name the format that a file name's suffix asks for: "a/b.JPG" gives "jpeg".

    Raises:
        ImageError: The suffix is none of those that can be written.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in _WRITERS:
        raise ImageError(f"{name}: the suffix must be one of {' '.join(_WRITERS)}")
    return _WRITERS[suffix]


def read_bytes(path: str | os.PathLike[str], kind: str) -> bytes:
    """The bytes of a file that should hold a `kind`, such as a picture or a mask.

    Raises:
        ImageError: The file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder, not a {kind}") from None
    except (OSError, ValueError) as error:  # ValueError: names that no file can have
        raise ImageError(f"{path} cannot be read: {_words(error)}") from error


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Within it, whatever a decoder raises becomes an ImageError about the file `name`."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} has more pixels than Pillow's own limit: scale it down,"
            " or raise max_pixels and PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    except Exception as error:  # decoders answer bad bytes with exceptions of any type
        if is_out_of_memory(error):
            raise ImageError(f"{name} needs more memory than there is: scale it down") from error
        raise ImageError(f"{name} {_damage(error)}") from error


def _decode(data: bytes, name: str, resolution: int | None, max_pixels: int) -> Tensor:
    source = open_picture(data, name, max_pixels)
    box = _load(source, resolution)
    image = _canonical(source, name)
    size = fitted_size(box[2], box[3], resolution)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    image = upright(image, source)

    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode[:-1]) if alpha else image
    result = _to_tensor(_to_srgb(colour, source.info.get("icc_profile")))
    if alpha:
        opacity = _to_tensor(alpha)
        result = result * opacity + (1 - opacity)
    return result.expand(3, -1, -1).contiguous()


def open_picture(data: bytes, name: str, max_pixels: int) -> ImageFile:
    """Read the header only. Unlike Image.open, a file whose magic number fits stays with that format.

    Raises:
        ImageError: The bytes are no picture, or declare more than `max_pixels`.
    """
    source = _open(data, name)
    if source.width * source.height > max_pixels:
        raise ImageError(
            f"{name} has {source.width * source.height / 1e6:.4g} megapixels"
            f" ({source.width}×{source.height}), more than the limit of {max_pixels / 1e6:.4g}:"
            " raise max_pixels or scale it down"
        )
    if source.format == "JPEG" and data.count(b"\xff\xda") * source.width * source.height > _MOST_SCANNED_PIXELS:
        raise ImageError(f"{name} is a JPEG in far more scans than any program writes: save it again")
    return source


def pixels_of(data: bytes, name: str) -> int:
    """How many pixels a picture file declares.

    Raises:
        ImageError: The bytes are no picture.
    """
    with decoding(name):
        source = _open(data, name)
        return source.width * source.height


def size_of_picture(
    data: bytes, name: str, resolution: int | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """(H, W) that `decode_image` would give a picture, from its header alone.

    Raises:
        ImageError: The bytes are no picture, or declare more than `max_pixels`.
    """
    with decoding(name):
        source = open_picture(data, name, max_pixels)
        width, height = fitted_size(*source.size, resolution)
        turned = _turn_of(source) in _SIDEWAYS
        return (width, height) if turned else (height, width)


def _open(data: bytes, name: str) -> ImageFile:
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)")
    for reader, accepts in _READERS.values():
        if accepts and accepts(data[:16]):
            return reader(io.BytesIO(data), "")
    raise ImageError(f"{name} is not a picture that can be read (only {', '.join(_READERS)})")


def fitted_size(width: float, height: float, resolution: int | None) -> tuple[int, int]:
    """Scale (width, height) down so that the longer side is at most `resolution`."""
    longer = max(width, height)
    scale = 1.0 if resolution is None else min(1.0, resolution / longer)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _load(source: ImageFile, resolution: int | None) -> tuple[float, float, float, float]:
    """Decode, and return the picture's box, which reduced decoding may leave with fractional edges."""
    width, height = fitted_size(*source.size, resolution)
    # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size; twice the target leaves Lanczos enough to work with.
    draft = source.draft(None, (2 * width, 2 * height)) if (width, height) != source.size else None
    source.load()
    return draft[1] if draft else (0, 0, *source.size)


def _canonical(image: Image.Image, name: str) -> Image.Image:
    """Bring any mode to L, LA, RGB, RGBA, CMYK or, where there are more than 8 bits, F in [0, 1]."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_unit_range(image, name))
    if image.mode == "CMYK":
        return image
    base = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    mode = base + "A" if image.has_transparency_data else base
    return image if image.mode == mode else image.convert(mode)


def _unit_range(image: Image.Image, name: str) -> np.ndarray:
    """Map 16-bit, 32-bit and float grey values to float32 in [0, 1] (floats below 0 stay below)."""
    values = np.asarray(image)
    low, high = values.min().item(), values.max().item()
    if not np.isfinite([low, high]).all():
        raise ImageError(f"{name} contains NaN or infinite values")
    if image.mode == "F":
        black, white = 0, next((white for white in (1, 255) if high <= white), high)
    elif low >= 0 and high <= 65_535:
        black, white = 0, 65_535
    else:  # no convention says what white is in 32-bit integers: stretch the range that is there
        black, white = low, max(high, low + 1)
    scaled = (values.astype(np.float32) - black) / np.float32(white - black)
    if "transparency" in image.info:
        scaled[values == image.info["transparency"]] = 1  # one grey value stands for transparent
    return scaled


def upright(image: Image.Image, source: ImageFile) -> Image.Image:
    """The picture as its EXIF orientation, read from `source`, wants it seen."""
    turn = _turn_of(source)
    return image if turn is None else image.transpose(turn)


def _turn_of(source: ImageFile) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(source.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # malformed EXIF fails in every way there is, and is no reason to refuse the pixels
        return None


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply the ICC profile of an L, RGB, CMYK or F picture; a broken or unfitting one is ignored."""
    if profile:
        plain = image if image.mode != "F" else _to_8_bit(image)
        try:
            transform = ImageCms.buildTransform(
                io.BytesIO(profile),
                ImageCms.createProfile("sRGB"),
                plain.mode,  # a profile for another colour model is refused here
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            return transform.apply(plain)
        except (ImageCms.PyCMSError, TypeError):  # TypeError: a TIFF's profile need not be bytes
            pass
    return image.convert("RGB") if image.mode == "CMYK" else image


def _to_8_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.rint(np.asarray(image).clip(0, 1) * 255).astype(np.uint8))


def _to_tensor(image: Image.Image) -> Tensor:
    """Turn L, RGB or F into (1 or 3, H, W) float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(image)).view(image.height, image.width, -1)
    planes = pixels.permute(2, 0, 1).contiguous()
    return planes.clamp_(0, 1) if planes.is_floating_point() else planes.float().div_(255)


def _write_options(format_: str, quality: int) -> dict[str, Any]:
    match format_:
        case "jpeg":
            return {"quality": quality, "subsampling": "4:4:4" if quality >= 90 else "4:2:0"}
        case "png":
            return {"compress_level": 4}  # within 2 % of level 6 on photos, in down to half the time
        case "webp":
            return {"quality": quality}
        case "tiff":
            return {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}}  # horizontal predictor
    raise ImageError(f'"{format_}" cannot be written, only {", ".join(dict.fromkeys(_WRITERS.values()))}')


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _damage(error: Exception) -> str:
    reason = _words(error)
    if "truncated" in reason.lower():
        return "is truncated: fetch or export it again"
    if "MAX_TEXT_CHUNK" in reason or "MAX_TEXT_MEMORY" in reason:
        return "carries far too much text beside its pixels: save it again without metadata"
    return f"is damaged, or of a kind that cannot be decoded ({reason})"
