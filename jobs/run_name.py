"""The short name of a run, for metrics and logs: readable, and another for every output."""

from __future__ import annotations

import hashlib
import re


def run_name(output: str) -> str:
    """The name of the run whose results go to `output`, a URI: the last words of it, and a digest of all of it."""
    output = output.rstrip("/")
    words = re.sub(r"[^A-Za-z0-9]+", "-", output)[-40:].strip("-")
    return f"{words}-{hashlib.sha256(output.encode()).hexdigest()[:8]}"
