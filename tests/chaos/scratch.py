"""What stand-in models leave behind for the harness, and it for them: files in a folder on this machine."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "IFT_CHAOS_SCRATCH"
"""The environment variable that names the folder."""


@dataclass(frozen=True)
class Computation:
    """A picture that a model began to compute: when, in seconds since 1970, and of which content."""

    time: float
    content: int


@dataclass(frozen=True)
class Scratch:
    """The files of one run."""

    folder: Path

    @classmethod
    def of(cls, output: str) -> Scratch:
        """Of the run with this output."""
        folder = Path(os.environ[VARIABLE], hashlib.sha256(output.encode()).hexdigest()[:16])
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @property
    def pace(self) -> float:
        """Seconds that each picture takes."""
        path = self.folder / "pace"
        return float(path.read_text()) if path.exists() else 0.0

    def set_pace(self, seconds: float) -> None:
        """For models that are made from now on."""
        (self.folder / "pace").write_text(str(seconds))

    def first(self, content: int) -> bool:
        """Whether nobody has asked this about a content before."""
        try:
            (self.folder / f"met-{content}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def log(self, content: int) -> None:
        """Notes a computation, in one write, so that the lines of several processes do not mix."""
        with (self.folder / "log").open("ab", buffering=0) as log:
            log.write(f"{time.time():.3f} {content}\n".encode())

    def computations(self) -> list[Computation]:
        """All so far, in order."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return sorted(
            (Computation(float(when), int(content)) for when, content in map(str.split, lines)), key=lambda c: c.time
        )
