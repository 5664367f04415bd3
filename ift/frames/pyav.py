"""PyAV, an optional extra, and what of FFmpeg is let near the bytes of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from ift.errors import ImageError, SettingsError
from ift.frames.matroska import is_truncated

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

_SOUND_DECODERS = (
    "aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "flac", "alac", "ac3", "eac3", "pcm_s16le", "pcm_s24le",
    "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be", "pcm_u8",
)  # fmt: skip
_OTHER_NAMES = ("libdav1d", "libaom-av1", "libvpx", "libvpx-vp9")
_OPTIONS = {"codec_whitelist": ",".join((*DECODERS, *_OTHER_NAMES, *_SOUND_DECODERS))}
"""Merely opening a file has FFmpeg decode a little of each stream, which the whitelist holds to these."""


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
        ImageError: the file cannot be read, is truncated, or is no MP4, MOV, MKV, WebM or AVI.
        SettingsError: PyAV is missing.
    """
    require_pyav()
    import av

    try:
        with (
            path.open("rb") as file,
            av.open(
                file,
                "r",
                format=_format(path, file),
                container_options=_OPTIONS,
                metadata_errors="replace",  # AVI has titles in any encoding
                io_open=_refuse,
            ) as container,
        ):
            yield container
    except av.FFmpegError as error:
        raise ImageError(f"{path} is damaged, or not a video that can be decoded ({error.strerror})") from error
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error


def _format(path: Path, file: BinaryIO) -> str:
    format_ = _signature(file)
    if format_ is None and not path.stat().st_size:
        raise ImageError(f"{path} is empty (0 bytes)")
    if format_ is None:
        raise ImageError(f"{path} is not a video that can be read (only MP4, MOV, MKV, WebM, AVI)")
    if format_ == "matroska" and is_truncated(file):
        raise ImageError(f"{path} is truncated: fetch or export it again")
    return format_


def _signature(file: BinaryIO) -> str | None:
    start = file.read(_LONGEST_SIGNATURE)
    file.seek(0)
    return next((name for at, mark, name in _SIGNATURES if start[at : at + len(mark)] == mark), None)


def _refuse(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
    raise PermissionError(f"a video must not open {url}")
