"""What an experiment leaves: its table as CSV, everything as JSON, its figure as PNG."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from jobs.storage import Store, open_store

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image


class Results:
    """Writes the files of an experiment, each whole or not at all, and says which.

    Args:
        name: of the experiment, with which the names of its files begin.
        output: folder of the experiment.
        console: where the paths are printed.
    """

    def __init__(self, name: str, output: Path, console: Console) -> None:
        self._name, self._console = name, console
        self._store: Store = open_store(str(output))

    def csv(self, rows: Sequence[Mapping[str, object]], suffix: str = "") -> None:
        """`<name><suffix>.csv`: a cell is empty where a row has nothing.

        Args:
            rows: at least one, all with the same columns; numbers are written to six digits.
            suffix: where there is more than one table.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _shortened(value) for name, value in row.items()} for row in rows)
        self._write(f"{suffix}.csv", text.getvalue().encode())

    def json(self, facts: Mapping[str, Any]) -> None:
        """`<name>.json`."""
        text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
        self._write(".json", f"{text}\n".encode())

    def figure(self, figure: Figure, suffix: str = "") -> None:
        """`<name><suffix>.png`."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=140)
        self._write(f"{suffix}.png", buffer.getvalue())

    def picture(self, image: Image.Image, suffix: str) -> None:
        """`<name><suffix>.png`."""
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        self._write(f"{suffix}.png", buffer.getvalue())

    def _write(self, suffix: str, data: bytes) -> None:
        key = f"{self._name}{suffix}"
        self._store.write(key, data)
        self._console.print(f"{self._store.uri}/{key}", highlight=False, markup=False, soft_wrap=True)


def _shortened(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
