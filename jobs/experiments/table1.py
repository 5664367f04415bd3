"""The supplement's Table 1 from the main job's own records: seconds of a picture by resolution, n_upd 15, n_iter 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.experiments.pairs import Pair
from jobs.experiments.trials import Trial
from jobs.manifest.recipes import stem

ON_DEVICE = ("encoder", "transform", "decoder")
"""The stages that are a picture's time where its style is known."""


@dataclass(frozen=True)
class Table1:
    """What is varied and what is fixed.

    Attributes:
        resolutions: varied: sides of square pictures, in pixels.
        n_upd: updates of each level.
        n_iter: how often the whole is repeated.
        preset: of the other settings.
        pairs: at each resolution; each has a style of its own, so that each style is encoded anew.
        seed: of the choice of pairs.
    """

    resolutions: tuple[int, ...] = (256, 512, 768, 1024)
    n_upd: int = 15
    n_iter: int = 1
    preset: str = "artistic"
    pairs: int = 10
    seed: int = 0


def trials(definition: Table1, pairs: Sequence[Pair]) -> list[Trial]:
    """Each pair at each resolution."""
    knobs = {"n_upd": definition.n_upd, "n_iter": definition.n_iter}
    return [
        Trial(
            f"{side}-{number:03d}-{stem(str(pair.content))}-{stem(str(pair.style))}",
            pair.content,
            (pair.style,),
            definition.preset,
            side,
            knobs,
        )
        for side in definition.resolutions
        for number, pair in enumerate(pairs)
    ]


def squares(paths: Sequence[Path], folder: Path, side: int) -> list[Path]:
    """The middle of each picture as a square PNG, enlarged where it is smaller: how long it takes is all that counts.

    Raises:
        ImageError: a picture cannot be read.
    """
    from PIL import Image, ImageOps
    from torchvision.transforms.functional import to_pil_image  # takes as long to import as torch itself

    from ift import load_image

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, path in enumerate(paths):
        made.append(folder / f"{number:03d}-{stem(str(path))}.png")
        square = ImageOps.fit(to_pil_image(load_image(path)), (side, side), Image.Resampling.LANCZOS)
        square.save(made[-1])
    return made


def beside_the_papers(timings: Sequence[Mapping[str, Any]], paper: Mapping[int, float]) -> list[dict[str, Any]]:
    """A row for each resolution.

    Args:
        timings: rows of the run's timings.parquet.
        paper: the paper's seconds by resolution.

    Returns:
        `resolution`, `pairs`, `paper` (None where the paper has none), `ours` (encoder, transform and decoder: the
        sum of their medians), its `ratio` to the paper's, `with_style` and `ratio_with_style` (the style encoded
        too), and the median of every stage; all but the ratios in seconds.
    """
    rows = []
    for timing in sorted(timings, key=lambda row: row["resolution"]):
        side = timing["resolution"]
        stages = {name[: -len("_p50_s")]: value for name, value in timing.items() if name.endswith("_p50_s")}
        ours = sum(stages[stage] for stage in ON_DEVICE)
        published, with_style = paper.get(side), ours + stages["style"]
        rows.append(
            {
                "resolution": side,
                "pairs": timing["count"],
                "paper": published,
                "ours": ours,
                "ratio": published and ours / published,
                "with_style": with_style,
                "ratio_with_style": published and with_style / published,
                **stages,
            }
        )
    return rows
