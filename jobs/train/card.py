"""The model card of a training's result: what it was made of and how, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ift.training.quality import RECONSTRUCTIONS
from ift.training.recipe import Recipe, Stage

_ROWS = (
    ("psnr", "PSNR, dB", 1, 2),
    ("sharpness", "sharpness, of the photo's", 1, 3),
    ("moment_error", "error of second moments", 1, 4),
    ("rgb_biases", "colour cast, of 255", 255, 2),
    ("rgb_error", "colour error of a picture, of 255", 255, 2),
)
_MEASURED = """Means over {images} photographs in {where}{skipped}, {size}, cut to multiples of 8 at the right and the
bottom. decoder_N: blocks N to 1 at gate 0; gate_1: all four blocks with the skips. Sharpness is the mean absolute
gradient over the photograph's; the error of the second moments is relative (Frobenius), of the re-encoded
reconstruction, averaged over its levels."""


_WEIGHTS = """| key | shape | precision | meaning |
| --- | --- | --- | --- |
| `encoder.blockI_convJ.scale` (9) | (C,) | float32 | mean activation of each filter of the original VGG-19 |
| `decoder.blockN.conv_in.{weight,bias}`, N = 4, 3, 2 | (C/2, C, 3, 3), (C/2,) | float16 | first of block N |
| `decoder.blockN.body.I.{weight,bias}` | (C/2, C/2, 3, 3), (C/2,) | float16 | those after the up-sampling |
| `decoder.block1.conv.{weight,bias}` | (3, 64, 3, 3), (3,) | float16 | features at relu1_1 to RGB |"""

_LICENCE = """The weights were trained against, and work only with, the original VGG-19 of the Visual Geometry Group,
Oxford (Simonyan and Zisserman, 2014), released under CC BY 4.0, which is not in the file. What may be done with them
may also depend on the photographs, of whose licences the training knows nothing."""


@dataclass(frozen=True)
class Facts:
    """What is known of a training.

    Attributes:
        images: the folder or prefix of the photos, as the user gave it.
        photos: how many were found there.
        skipped: how many of them were tried and could not be used.
        recipe: that was followed.
        lengths: steps of each of its stages.
        steps: that were done, of all stages together.
        seconds: of work, interruptions left out.
        seed: of all that was random.
        start: "scratch", "pretrained", or the weight file where it began.
        workers: that shared each batch.
        device: what each computed on, in words.
        dtype: precision of the networks' arithmetic.
        versions: of the software, by name.
        figures: as `evaluate` writes them; None if nothing was measured.
        evaluated_on: the folder or prefix of the photos that they were measured on.
    """

    images: str
    photos: int
    skipped: int
    recipe: Recipe
    lengths: tuple[int, ...]
    steps: int
    seconds: float
    seed: int
    start: str
    workers: int
    device: str
    dtype: str
    versions: Mapping[str, str]
    figures: Mapping[str, Any] | None = None
    evaluated_on: str | None = None


def model_card(facts: Facts) -> str:
    """Markdown; says what the facts say, and nothing that they do not."""
    return (
        "\n\n".join(
            [
                "# weights.safetensors",
                "A decoder of `ift` and the normalisation of its encoder, made by `python -m jobs.train`; "
                "`Stylizer.from_pretrained(path)` loads it.",
                _WEIGHTS,
                "## Training",
                _data(facts),
                _course(facts),
                _beginning(facts),
                _stages(facts),
                *_losses(facts.recipe),
                _optimiser(facts.recipe),
                "Versions: " + ", ".join(f"{name} {version}" for name, version in facts.versions.items()) + ".",
                "## Figures",
                *_figures(facts),
                "## Licence",
                _LICENCE,
            ]
        )
        + "\n"
    )


def _data(facts: Facts) -> str:
    skipped = f" {facts.skipped} of them could not be used and were skipped." if facts.skipped else ""
    recipe = facts.recipe
    if recipe.square is not None:
        size = f"resized to {recipe.square} × {recipe.square} pixels"
    elif recipe.shorter is not None:
        size = f"scaled down to {recipe.shorter} pixels on their shorter side"
    else:
        size = "at their own size"
    return f"Photographs: {facts.photos:,} in `{facts.images}`, {size}.{skipped}"


def _course(facts: Facts) -> str:
    total = sum(facts.lengths)
    steps = f"{facts.steps:,} steps" if facts.steps == total else f"{facts.steps:,} of {total:,} steps, unfinished"
    start = {"scratch": "from scratch", "pretrained": "from the weights that the package ships"}.get(
        facts.start, f"from `{facts.start}`"
    )
    workers = f"{facts.workers} workers, each on" if facts.workers > 1 else "1 worker on"
    return (
        f"Recipe `{facts.recipe.name}`, {start}, seed {facts.seed}: {steps} in {_duration(facts.seconds)}, "
        f"{workers} {facts.device}, the networks in {facts.dtype}."
    )


def _beginning(facts: Facts) -> str:
    """Where that comes from which no stage trains."""
    trained = {block for stage in facts.recipe.stages for block in stage.blocks}
    if facts.start == "scratch":
        closed = f" Block 1 {'began as' if 1 in trained else 'is'} the least-squares solution."
        normalisation = "The normalisation was measured on photographs of the training."
        return normalisation + (closed if facts.recipe.first_block else "")
    kept = [f"block {block}" for block in (1, 2, 3, 4) if block not in trained]
    return f"As in the weights at the start: {', '.join(['the normalisation', *kept])}."


def _stages(facts: Facts) -> str:
    rows = [
        (
            stage.name,
            ", ".join(map(str, stage.blocks)),
            _drawn(stage),
            "drawn at random" if stage.gates else "0",
            str(stage.crop),
            str(stage.batch),
            f"{stage.learning_rate:g}",
            f"{steps:,}",
        )
        for stage, steps in zip(facts.recipe.stages, facts.lengths, strict=True)
    ]
    return _table(
        ("stage", "blocks trained", "decoders", "gate", "crop, pixels", "batch", "learning rate", "steps"), rows
    )


def _drawn(stage: Stage) -> str:
    if len(stage.levels) == 1:
        return f"decoder_{stage.levels[0][0]}"
    total = sum(chance for _, chance in stage.levels)
    return ", ".join(f"decoder_{level} {100 * chance / total:.0f} %" for level, chance in stage.levels)


def _losses(recipe: Recipe) -> list[str]:
    """What was minimised: the equation's name, or a table of how much each term counts."""
    plain = [stage.name for stage in recipe.stages if stage.terms is None]
    rows = [
        (stage.name, f"decoder_{level}", ", ".join(f"{_factor(weights, name)} {name}" for name in _names(weights)))
        for stage in recipe.stages
        for level, weights in sorted((stage.terms or {}).items())
    ]
    parts = []
    if plain:
        which = "" if not rows else f" in {', '.join(plain)}"
        parts.append(f"Loss{which}: equation 28 of the supplement, squared errors of the picture and of its features.")
    if rows:
        parts.append("Terms of the loss, with their factors (`ift/training/losses.py` says what they are):")
        parts.append(_table(("stage", "decoder", "terms"), rows))
    return parts


def _names(weights: Any) -> list[str]:
    return [field.name for field in fields(weights) if getattr(weights, field.name)]


def _factor(weights: Any, name: str) -> str:
    return f"{getattr(weights, name):g} ×"


def _optimiser(recipe: Recipe) -> str:
    words = [f"Adam, β {recipe.betas[0]:g} and {recipe.betas[1]:g}"]
    if recipe.whitened:
        words[0] += ", in coordinates in which each convolution's inputs are white"
    if recipe.warm_up:
        words.append(f"learning rate rising for {recipe.warm_up} steps at the start of each stage")
    words.append("then falling along a cosine" if recipe.cosine else "learning rate constant")
    if recipe.clip is not None:
        words.append(f"gradients clipped at {recipe.clip:g}")
    decays = dict.fromkeys(f"{stage.average:g}" for stage in recipe.stages if stage.average)
    average = f"a moving average of the weights ({' and '.join(decays)})" if decays else "the last weights"
    return ", ".join(words) + f". The result of a stage is {average}."


def _figures(facts: Facts) -> list[str]:
    figures = facts.figures
    if figures is None:
        return ["None were measured. `python -m jobs.train evaluate --images FOLDER --weights FILE` does."]
    size = f"longer side at most {figures['resolution']} pixels" if figures.get("resolution") else "at their own size"
    skipped = f" ({figures['skipped']} more could not be used)" if figures.get("skipped") else ""
    where = f"`{facts.evaluated_on}`" if facts.evaluated_on else "a place not recorded"
    rows = [
        (title, *(_number(figures[key][name], scale, digits) for name in RECONSTRUCTIONS))
        for key, title, scale, digits in _ROWS
    ]
    return [
        _MEASURED.format(images=figures["images"], where=where, skipped=skipped, size=size),
        _table(("", *RECONSTRUCTIONS), rows),
    ]


def _number(value: float | None, scale: float, digits: int) -> str:
    return "–" if value is None else f"{scale * value:.{digits}f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    # A name may hold whatever a user types.
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} seconds"
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
