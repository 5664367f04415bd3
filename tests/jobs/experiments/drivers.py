"""Experiments as users run them: in processes of their own."""

import subprocess
import sys


def experiment(*arguments):
    """Runs `python -m jobs.experiments` to its end."""
    words = [sys.executable, "-m", "jobs.experiments", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
