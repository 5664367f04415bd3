"""Runs of the main job in processes of their own, as users start them."""

import subprocess
import sys


def command(*arguments):
    """The words of a command of `jobs.stylize`."""
    return [sys.executable, "-m", "jobs.stylize", *map(str, arguments)]


def call(*arguments):
    """Runs it to its end."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=240, check=False)
