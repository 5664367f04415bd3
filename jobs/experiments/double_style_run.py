"""`python -m jobs.experiments double-style`: runs its definition, and tells what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ift import Style, Stylizer, load_image
from ift.images import decode_image
from jobs.contact_sheet import contact_sheet
from jobs.errors import JobError
from jobs.experiments.double_style import DoubleStyle, Remains, StylePair, remains, style_pairs, trial_id, trials
from jobs.experiments.inputs import Inputs
from jobs.experiments.results import Results
from jobs.experiments.run import Ran, stylize
from jobs.flags import Working
from jobs.thumbnails import thumbnail, thumbnail_of

NAME = "double-style"


def run_double_style(definition: DoubleStyle, inputs: Inputs, output: Path, working: Working, console: Console) -> None:
    """Makes what is missing of the pictures, measures what is left of either style, and writes the files.

    Raises:
        JobError, IftError: a mistake of the user.
        typer.Exit: a signal stopped it; the same command goes on.
    """
    contents = inputs.content_pictures()
    pairs = style_pairs(inputs.style_pictures(), own=inputs.styles is not None)
    if not pairs:
        raise JobError(f"{inputs.styles} has one style only: give a folder with two or more")
    ran = stylize(trials(definition, contents, pairs), output, working, console)
    model = Stylizer.from_pretrained()
    rows = [row for pair in pairs for row in _measured(model, definition, contents, pair, ran)]
    medians = {method: _medians([row for row in rows if row["method"] == method]) for method in definition.methods}
    results = Results(NAME, output, console)
    results.csv(rows)
    results.json(
        {
            "experiment": NAME,
            "definition": asdict(definition),
            "weights": ran.job.plan.weights,
            "pictures": len(contents) * len(pairs),
            "medians": medians,
        }
    )
    for pair in pairs:
        results.picture(_sheet(definition, contents, pair, ran), f"-{pair.name}")
    _show(medians, len(contents) * len(pairs), console)


def _measured(
    model: Stylizer, definition: DoubleStyle, contents: Sequence[Path], pair: StylePair, ran: Ran
) -> list[dict[str, Any]]:
    """A row for each content and method; that of a failed trial has no figures."""
    styles = [model.style(load_image(path, definition.resolution)) for path in pair]
    rows = []
    for number, content in enumerate(tqdm(contents, desc=f"measuring {pair.name}", unit=" contents")):
        for method in definition.methods:
            made = ran.picture(trial_id(number, content, pair, method))
            figures = dict.fromkeys(Remains._fields) if made is None else _figures(model, made, styles)
            about = {"content": content.stem, "first": pair.first.stem, "second": pair.second.stem, "method": method}
            rows.append({**about, **figures})
    return rows


def _figures(model: Stylizer, made: bytes, styles: Sequence[Style]) -> dict[str, Any]:
    return remains(model, decode_image(made, "a result"), styles)._asdict()


def _medians(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Over the pictures that there are; for each the style that is nearer apart from the other."""
    there = [row for row in rows if row["variance"] is not None]
    if not there:
        return {}
    return {
        "nearer style": statistics.median(min(row["to_first"], row["to_second"]) for row in there),
        "farther style": statistics.median(max(row["to_first"], row["to_second"]) for row in there),
        "mixture of both": statistics.median(row["to_mixture"] for row in there),
        "variance": statistics.median(row["variance"] for row in there),
    }


def _sheet(definition: DoubleStyle, contents: Sequence[Path], pair: StylePair, ran: Ran) -> Image.Image:
    namesakes = len({path.stem for path in contents}) < len(contents)
    labels = {path.name if namesakes else path.stem: (number, path) for number, path in enumerate(contents)}
    halves = _halves(*map(_read, pair))
    made = {
        (label, method): ran.picture(trial_id(number, path, pair, method))
        for label, (number, path) in labels.items()
        for method in definition.methods
    }
    return contact_sheet(
        f"Two styles in one picture: {pair.first.stem} + {pair.second.stem}",
        [(label, thumbnail_of(str(path))) for label, (_, path) in labels.items()],
        [(method, halves) for method in definition.methods],
        {key: None if data is None else thumbnail(data, key[0]) for key, data in made.items()},
    )


def _read(path: Path) -> Image.Image:
    return thumbnail(path.read_bytes(), path.name)


def _halves(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures side by side in one square."""
    side = min(*left.size, *right.size)
    square = Image.new("RGB", (side, side))
    for index, picture in enumerate((left, right)):
        square.paste(ImageOps.fit(picture, (side // 2, side)), (index * side // 2, 0))
    return square


def _show(medians: dict[str, dict[str, float]], pictures: int, console: Console) -> None:
    table = Table(title=f"{pictures} pictures of two styles each: medians")
    columns = ("nearer style", "farther style", "mixture of both", "variance")
    for column in ("method", *columns):
        table.add_column(column, justify="right")
    for method, figures in medians.items():
        table.add_row(method, *(f"{figures[column]:.3f}" if figures else "failed" for column in columns))
    console.print(table)
