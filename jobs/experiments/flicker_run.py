"""`python -m jobs.experiments flicker`: runs its definition, and tells what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track
from rich.table import Table

from ift import Stylizer, load_image
from ift.metrics.luma import luma
from ift.weight_files import weights_digest
from jobs.benchmark.machine import describe_machine
from jobs.experiments.flicker import BAR, Flicker, Scene, Sharing, Way, scenes, ways
from jobs.experiments.flicker_camera import lanczos, sampled
from jobs.experiments.flicker_figure import draw_flicker
from jobs.experiments.flicker_findings import Finding, findings
from jobs.experiments.flicker_frames import stylized
from jobs.experiments.flicker_measures import MEASURES, flicker_of
from jobs.experiments.inputs import Inputs
from jobs.experiments.results import Results

if TYPE_CHECKING:
    from torch import Tensor

    from jobs.experiments.flicker_camera import View

NAME = "flicker"


def run_flicker(definition: Flicker, inputs: Inputs, output: Path, console: Console) -> None:
    """Makes the sequences, stylizes them in every way, then writes the files.

    Raises:
        JobError, IftError: a mistake of the user.
    """
    chosen = scenes(definition, inputs.content_pictures(), inputs.style_pictures(), unevenness)
    filmed = [_filmed(definition, scene) for scene in chosen]  # first, for a still may be too small
    model = Stylizer.from_pretrained()
    measured: dict[tuple[Scene, Way], Mapping[str, float]] = {}
    for scene, (views, frames) in zip(chosen, filmed, strict=True):
        style = model.style(load_image(scene.pair.style, definition.resolution))
        for way in track(list(ways(definition)), scene.name, console=console):
            settings, result = way.settings, frames
            if settings is not None:
                sharing = definition.sharing[way.sharing] if way.sharing else Sharing(None)
                result = stylized(model, frames, style, settings, sharing)
            measured[scene, way] = flicker_of(result, views, definition.long_step, definition.margin)
    found = findings(definition, chosen, measured)
    results = Results(NAME, output, console)
    results.csv([finding.row() for finding in found.values()])
    results.json(
        {
            "experiment": NAME,
            "definition": asdict(definition),
            "measures": MEASURES,
            "bar": BAR,
            "weights": weights_digest(),
            "machine": describe_machine(model.device, model.dtype),
            "sequences": [scene.name for scene in chosen],
            "results": [finding.row() for finding in found.values()],
            "measured": [
                {"sequence": scene.name, **asdict(way), **measures} for (scene, way), measures in measured.items()
            ],
        }
    )
    results.figure(draw_flicker(definition, found))
    _show(definition, found, console)


def unevenness(path: Path) -> float:
    """How much mean and contrast of the luma differ from the left third of a still to the right one.

    Raises:
        ImageError: it cannot be read.
    """
    light = luma(load_image(path, 256))
    third = max(1, light.shape[1] // 3)
    left, right = light[:, :third], light[:, -third:]
    return float((left.mean() - right.mean()).abs() + (left.std() - right.std()).abs())


def _filmed(definition: Flicker, scene: Scene) -> tuple[list[View], list[Tensor]]:
    """What the camera sees: its views, and (3, h, w) in [0, 1] for each."""
    still = load_image(scene.pair.content)
    views = scene.motion.views((still.shape[1], still.shape[2]), definition.size, definition.frames)
    return views, [sampled(still, view, definition.size, lanczos).clamp(0, 1) for view in views]


def _show(definition: Flicker, found: Mapping[tuple[Way, str], Finding], console: Console) -> None:
    count = len(definition.motions)
    _table(
        definition,
        found,
        ("error", "relative", "by_detail"),
        f"Warping error over that of encoder and decoder alone: plain / over contrast / over detail; "
        f"geometric means of {count} sequences. The bar: group at most {BAR}",
        console,
    )
    _table(
        definition,
        found,
        ("colour", "contrast_change"),
        "Change of mean colour / of contrast from frame to frame, over that of encoder and decoder alone",
        console,
    )


def _table(
    definition: Flicker, found: Mapping[tuple[Way, str], Finding], measures: Sequence[str], title: str, console: Console
) -> None:
    table = Table(title=title)
    for column in ("preset", "method"):
        table.add_column(column)
    for column in (*definition.sharing, "group over each"):
        table.add_column(column, justify="right")
    for preset in definition.presets:
        for method in definition.methods:
            cells = [
                " / ".join(
                    found[Way(preset, method, sharing), name].over_decoder.words(".2f").split()[0] for name in measures
                )
                for sharing in definition.sharing
            ]
            group = found[Way(preset, method, "group"), measures[0]].over_each
            table.add_row(preset, method, *cells, "–" if group is None else group.words(".2f"))
    console.print(table)
