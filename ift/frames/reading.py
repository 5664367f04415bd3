"""Frames from whatever a user names."""

from __future__ import annotations

from pathlib import Path

from ift.errors import ImageError, SettingsError
from ift.frames.folder import open_folder
from ift.frames.frames import Frames
from ift.frames.video import open_video
from ift.settings import MAX_PIXELS

_VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


def is_video(path: Path) -> bool:
    """Whether a file is taken for a video, by its suffix."""
    return path.suffix.lower() in _VIDEOS


def open_frames(path: Path, scratch: Path, resolution: int | None = None, max_pixels: int = MAX_PIXELS) -> Frames:
    """The frames in a folder of pictures or in a video file; see `open_folder` and `open_video`.

    Args:
        path: the folder or file.
        scratch: folder for the frames of a video as raw pixels.
        resolution: pixels to which the longer side is scaled down; smaller frames stay as they are.
        max_pixels: of a frame.

    Raises:
        ImageError: there is nothing that can be read.
        SettingsError: `resolution` is below 1; PyAV is missing.
    """
    if resolution is not None and resolution < 1:
        raise SettingsError(f"resolution is {resolution}, but pictures need at least 1 pixel")
    if not path.exists():
        raise ImageError(f"{path} does not exist")
    if path.is_dir():
        return open_folder(path, resolution, max_pixels)
    return open_video(path, scratch, resolution, max_pixels)
