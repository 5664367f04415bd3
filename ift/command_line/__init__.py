"""What `python -m ift` does once its flags are read: a picture, a picture too large for memory, or frames."""

from ift.command_line.request import Request
from ift.command_line.run import run

__all__ = ["Request", "run"]
