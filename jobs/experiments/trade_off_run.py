"""`python -m jobs.experiments trade-off`: runs its definition, and tells what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from jobs.experiments.inputs import Inputs
from jobs.experiments.pairs import Pair
from jobs.experiments.results import Results
from jobs.experiments.run import measure, stylize
from jobs.experiments.trade_off import CONTENT_MEASURES, STYLE_MEASURES, TradeOff, curves_of, trials
from jobs.experiments.trade_off_figure import draw_trade_off
from jobs.experiments.trade_off_tables import Compared, Verdicts, facts, knob_rows, level_rows, show
from jobs.experiments.verdict import FRACTIONS, verdicts
from jobs.flags import Working

NAME = "trade-off"


def run_trade_off(definition: TradeOff, inputs: Inputs, output: Path, working: Working, console: Console) -> None:
    """Makes what is missing of the pictures and of their measures, then the files.

    Raises:
        JobError, IftError: a mistake of the user.
        typer.Exit: a signal stopped it; the same command goes on.
    """
    choose = {"artistic": inputs.artistic, "photo": inputs.photographic}
    pairs = {each.name: choose[each.name](each.pairs, definition.seed) for each in definition.sets}
    ran = stylize(trials(definition, pairs), output, working, console)
    found = analyse(definition, pairs, measure(ran, working, console))
    results = Results(NAME, output, console)
    results.csv(level_rows(found))
    results.csv(knob_rows(found), "-knobs")
    results.json(_facts(definition, pairs, found, ran.job.plan.weights))
    for content, style in product(CONTENT_MEASURES, STYLE_MEASURES):
        sets = {each.name: found[Compared(each.name, content, style)] for each in definition.sets}
        figure = draw_trade_off(sets, content, style, falls=CONTENT_MEASURES[content] < 0)
        first = (content, style) == (next(iter(CONTENT_MEASURES)), STYLE_MEASURES[0])
        results.figure(figure, "" if first else f"-{content}-{style}")
    show(found, console)


def analyse(
    definition: TradeOff, pairs: Mapping[str, Sequence[Pair]], measures: Mapping[str, Mapping[str, Any]]
) -> Verdicts:
    """The verdicts of every set under every two measures.

    Args:
        definition: of the experiment.
        pairs: of each set.
        measures: by trial.
    """
    values = {knob.method: knob.values for knob in definition.knobs}
    return {
        Compared(each.name, content, style): verdicts(
            curves_of(definition, each, pairs[each.name], measures, content, style), values, sign
        )
        for each in definition.sets
        for (content, sign), style in product(CONTENT_MEASURES.items(), STYLE_MEASURES)
    }


def _facts(definition: TradeOff, pairs: Mapping[str, Sequence[Pair]], found: Verdicts, weights: str) -> dict[str, Any]:
    return {
        "experiment": NAME,
        "definition": asdict(definition),
        "weights": weights,
        "reference": definition.methods[0],
        "levels": FRACTIONS.tolist(),
        "pairs": {name: [pair.name for pair in members] for name, members in pairs.items()},
        "verdicts": facts(found),
    }
