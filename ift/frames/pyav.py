"""PyAV, an optional extra, and what of FFmpeg is let near the bytes of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from ift.errors import ImageError, SettingsError

if TYPE_CHECKING:
    from av.container import InputContainer

_SIGNATURES = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (4, b"free", "mov"),
    (8, b"AVI ", "avi"),
)
"""(offset, bytes, FFmpeg's name of the format). Playlists, which name other files and hosts, are not among them."""

_LONGEST_SIGNATURE = 12

DECODERS = (
    "h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores", "dnxhd", "ffv1",
    "rawvideo",
)  # fmt: skip
"""FFmpeg has hundreds more, many of them hardly tested: untrusted bytes must not reach those."""


def require_pyav() -> None:
    """Sees that there is PyAV.

    Raises:
        SettingsError: there is not.
    """
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise SettingsError('videos need PyAV: pip install "ift[video]"; or give a folder of pictures') from error


@contextmanager
def opened_video(path: Path) -> Iterator[InputContainer]:
    """The container in a video file. FFmpeg is told its format and opens nothing but this file.

    What FFmpeg raises within becomes an ImageError about the file.

    Raises:
        ImageError: the file cannot be read, or is no MP4, MOV, MKV, WebM or AVI.
        SettingsError: PyAV is missing.
    """
    require_pyav()
    import av

    try:
        with path.open("rb") as file, av.open(file, format=_format(path, file), io_open=_refuse) as container:
            yield container
    except av.FFmpegError as error:
        raise ImageError(f"{path} is damaged, or not a video that can be decoded ({error.strerror})") from error
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error


def _format(path: Path, file: BinaryIO) -> str:
    format_ = _signature(file)
    if format_ is None:
        raise ImageError(f"{path} is not a video that can be read (only MP4, MOV, MKV, WebM, AVI)")
    return format_


def _signature(file: BinaryIO) -> str | None:
    start = file.read(_LONGEST_SIGNATURE)
    file.seek(0)
    return next((name for at, mark, name in _SIGNATURES if start[at : at + len(mark)] == mark), None)


def _refuse(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
    raise PermissionError(f"a video must not open {url}")
