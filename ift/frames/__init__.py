"""Videos and series of pictures: frames in, frames out, with statistics in common."""

from ift.frames.frames import Frames
from ift.frames.reading import is_video, open_frames
from ift.frames.writer import DEFAULT_RATE, Writer, check_output, open_writer

__all__ = ["DEFAULT_RATE", "Frames", "Writer", "check_output", "is_video", "open_frames", "open_writer"]
