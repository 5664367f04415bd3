"""What an experiment asks of the main job: trials, each a row of its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """One picture to be made.

    Attributes:
        pair_id: names the trial within its experiment.
        content: the photo.
        styles: one or more.
        preset: a name in `ift.PRESETS`.
        resolution: longer side in pixels.
        knobs: further columns of the manifest by their names, such as `method` and `alpha`.
    """

    pair_id: str
    content: Path
    styles: tuple[Path, ...]
    preset: str
    resolution: int
    knobs: Mapping[str, object] = field(default_factory=dict)


def to_manifest(trials: Sequence[Trial]) -> bytes:
    """JSON lines, byte for byte the same for the same trials: style may be a list, and absent knobs are absent."""
    return "".join(f"{json.dumps(_row(trial), ensure_ascii=False)}\n" for trial in trials).encode()


def _row(trial: Trial) -> dict[str, object]:
    styles = [str(style) for style in trial.styles]
    return {
        "pair_id": trial.pair_id,
        "content": str(trial.content),
        "style": styles if len(styles) > 1 else styles[0],
        "preset": trial.preset,
        "resolution": trial.resolution,
        **trial.knobs,
    }
