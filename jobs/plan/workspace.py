"""Tables that are larger than memory, to sort and to compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.errors import PlanError

_MEMORY = "512MB"
_THREADS = 2  # each needs some of the memory, and more than two go short of it where rows are long
_BATCH_ROWS = 1 << 13


class Workspace:
    """Tables in a database of its own, on the disk as far as they do not fit into memory."""

    def __init__(self, folder: Path, connection: Any) -> None:
        self._folder = folder
        self._connection = connection

    def run(self, sql: str) -> None:
        """Runs a statement that has no result."""
        with self._plain_errors():
            self._connection.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        with self._plain_errors():
            rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
            return rows

    def insert(self, table: str, added: pa.Table, columns: str = "*") -> None:
        """Adds rows to a table; `columns` are SQL expressions of those of `added`."""
        with self._plain_errors():
            # Not by a registered name, for a transaction would keep all that it ever stood for.
            self._connection.from_arrow(added).project(columns).insert_into(table)

    def table(self, sql: str) -> pa.Table:
        """A result that fits into memory."""
        with self._plain_errors():
            return self._connection.sql(sql).to_arrow_table()

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The batches of a large result; other queries may run meanwhile."""
        with self._plain_errors(), self._connection.cursor() as cursor:
            yield from cursor.sql(sql).to_arrow_reader(_BATCH_ROWS)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes all changes within one, which takes fewer writes."""
        self.run("BEGIN")
        yield
        self.run("COMMIT")

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise PlanError(
                f"no room to plan in {self._folder.parent}: free some, or set TMPDIR to a folder with more"
                f" ({str(error).splitlines()[0]})"
            ) from error


@contextmanager
def open_workspace(folder: Path) -> Iterator[Workspace]:
    """A new workspace, whose files are in `folder`."""
    import duckdb

    settings: dict[str, Any] = {
        "memory_limit": _MEMORY,
        "threads": _THREADS,
        "temp_directory": str(folder / "spilled"),
        "autoinstall_known_extensions": False,  # nothing here reaches for a network
        "autoload_known_extensions": False,
    }
    with duckdb.connect(folder / "tables.duckdb", config=settings) as connection:
        yield Workspace(folder, connection)
