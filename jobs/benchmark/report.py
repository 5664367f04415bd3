"""What was measured, on the screen and as benchmark.json, .parquet, .md and .png."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table

from jobs.benchmark.figure import Figure, Grid, Table1Row, Timed
from jobs.benchmark.keys import Key
from jobs.benchmark.plot import plot
from jobs.parquet import to_parquet

_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("what", pa.string()),
        ("resolution", pa.int64()),
        ("repetition", pa.int64()),
        ("seconds", pa.float64()),
    ]
)
_WIDE = 400  # characters: no cell of a Markdown table is wrapped


@dataclass(frozen=True)
class Report:
    """All that was measured.

    Attributes:
        machine: as `describe_machine` has it.
        figures: by their keys.
        skipped: why a key could not be measured.
    """

    machine: Mapping[str, str | int]
    figures: dict[Key, Figure] = field(default_factory=dict)
    skipped: dict[Key, str] = field(default_factory=dict)

    def write(self, folder: Path) -> list[Path]:
        """Writes benchmark.json, .parquet, .md and .png; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"benchmark.{suffix}" for suffix in ("json", "parquet", "md", "png")]
        paths[0].write_text(json.dumps(self._facts(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        paths[1].write_bytes(to_parquet(self._measurements()))
        paths[2].write_text(self._markdown(), encoding="utf-8")
        plot({key: figure.value for key, figure in self.figures.items()}, self.table1, self._subtitle(), paths[3])
        return paths

    def grids(self) -> list[Grid]:
        """The table of keys, and those that explain them."""
        rows = [
            (key.name, key.what, _value(figure.value), key.bar_in_words, "yes" if key.clears(figure.value) else "no")
            for key, figure in self.figures.items()
        ]
        rows += [(key.name, key.what, "–", key.bar_in_words, "not measured") for key in self.skipped]
        summary = Grid(self._subtitle(), ("key", "what", "measured", "bar", "clears it?"), tuple(rows))
        extra = {name: value for figure in self.figures.values() for name, value in figure.extra.items()}
        beside = Grid("Beside these", ("name", "measured"), tuple((name, _value(v)) for name, v in extra.items()))
        grids = [grid for figure in self.figures.values() for grid in figure.grids]
        return [summary, *([beside] if extra else []), *grids]

    @property
    def table1(self) -> tuple[Table1Row, ...]:
        """Its rows, if they were measured."""
        return tuple(row for figure in self.figures.values() for row in figure.table1)

    def _subtitle(self) -> str:
        machine = self.machine
        threads = f", {machine['threads']} threads" if machine["device"] == "cpu" else f", {machine['device']}"
        return f"{machine['cpu']}{threads}, {machine['dtype']}, PyTorch {machine['torch']}"

    def _facts(self) -> dict[str, Any]:
        return {
            "ratios": {key.name: figure.value for key, figure in self.figures.items()},
            "clears": {key.name: key.clears(figure.value) for key, figure in self.figures.items()},
            "extra": {name: value for figure in self.figures.values() for name, value in figure.extra.items()},
            "skipped": {key.name: reason for key, reason in self.skipped.items()},
            "seconds": {key.name: [_facts_of(each) for each in figure.timed] for key, figure in self.figures.items()},
            "machine": dict(self.machine),
            "table1": [asdict(row) for row in self.table1],
        }

    def _measurements(self) -> pa.Table:
        rows = [
            {"key": key.name, "what": each.what, "resolution": each.resolution, "repetition": number, "seconds": second}
            for key, figure in self.figures.items()
            for each in figure.timed
            for number, second in enumerate(each.times.seconds)
        ]
        return pa.Table.from_pylist(rows, _SCHEMA)

    def _markdown(self) -> str:
        output = io.StringIO()
        console = Console(file=output, width=_WIDE, color_system=None)
        for grid in self.grids():
            console.print(f"### {grid.title}", highlight=False, markup=False)
            console.print(_table(Grid("", grid.columns, grid.rows), box.MARKDOWN))  # an empty line above and below it
        return "\n".join(line.strip() for line in output.getvalue().splitlines()).strip() + "\n"


def show(grids: Sequence[Grid], console: Console) -> None:
    """Prints tables."""
    for grid in grids:
        console.print(_table(grid, box.HEAVY_HEAD))


def in_one_line(key: Key, figure: Figure) -> str:
    """A key that was just measured."""
    verdict = "[green]clears it[/]" if key.clears(figure.value) else "[red]misses it[/]"
    return f"{key.name}  [bold]{_value(figure.value)}[/]  (bar {key.bar_in_words}: {verdict})"


def _facts_of(timed: Timed) -> dict[str, Any]:
    low, high = timed.times.spread
    return {
        "what": timed.what,
        "resolution": timed.resolution,
        "repetitions": len(timed.times.seconds),
        "median": timed.times.median,
        "least": low,
        "most": high,
    }


def _value(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _table(grid: Grid, style: box.Box) -> Table:
    table = Table(title=grid.title or None, box=style)
    for number, column in enumerate(grid.columns):
        words = number == 0 or column == "what"
        table.add_column(column, justify="left" if words else "right", no_wrap=number == 0, overflow="fold")
    for row in grid.rows:
        table.add_row(*row)
    return table
