"""Contact sheets of what a run has made so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, product
from pathlib import PurePosixPath

from PIL import Image

from jobs.contact_sheet import Labelled, Triple, contact_sheet, pairs_sheet
from jobs.errors import NotFoundInStoreError
from jobs.pictures import Pictures
from jobs.plan import Plan, PlannedPair, Shard
from jobs.storage import Store
from jobs.thumbnails import SIDE, thumbnail, thumbnail_of

_MOST = 16
_MOST_PAIRS = 10_000
"""More are not looked at: a larger run is shown by its first pairs."""


def sheets_of_run(store: Store, plan: Plan) -> Iterator[tuple[str, Image.Image]]:
    """For each preset and method their names, as they go into a file's name, and a sheet.

    Where every content is planned with every style the sheet is their table, else a list of pairs; in a large run,
    of the first pairs.
    """
    shards = list(_first_shards(plan))
    pairs = [pair for shard in shards for pair in shard.pairs]
    whole = len(pairs) == plan.rows
    thumbnails = _Thumbnails(Pictures(store), {pair.pair_id: shard for shard in shards for pair in shard.pairs})
    for (preset, method), group in groupby(sorted(pairs, key=lambda p: (*_group(p), p.row)), _group):
        members = list(group)
        count = f"{len(members)} pairs" if whole else f"the first of {plan.rows} pairs"
        title = f"{count}, preset {preset}, method {method}"
        table = _table(members) if whole else None
        sheet = thumbnails.list_of(title, members) if table is None else thumbnails.table_of(title, table)
        yield f"{preset}_{method.replace(',', '-')}", sheet


def _group(pair: PlannedPair) -> tuple[str, str]:
    return pair.preset, pair.method


def _first_shards(plan: Plan) -> Iterator[Shard]:
    seen = 0
    for shard in plan.iter_shards():
        yield shard
        seen += len(shard.pairs)
        if seen >= _MOST_PAIRS:
            return


_Table = Mapping[tuple[str, str], PlannedPair]
"""By the names of content and style, in the order of rows and columns."""


def _table(pairs: Sequence[PlannedPair]) -> _Table | None:
    """The pairs by name, if each content comes with each style once and names tell them apart."""
    contents, styles = {pair.content for pair in pairs}, {pair.styles for pair in pairs}
    table = {(_name(pair.content), _names(pair.styles)): pair for pair in pairs}
    return table if len(table) == len(pairs) == len(contents) * len(styles) else None


class _Thumbnails:
    """Small pictures from anywhere, as few as are shown; each is read once."""

    def __init__(self, pictures: Pictures, shards: Mapping[str, Shard]) -> None:
        self._pictures, self._shards = pictures, shards
        self._source = lru_cache(maxsize=4 * _MOST)(thumbnail_of)

    def table_of(self, title: str, pairs: _Table) -> Image.Image:
        contents = {name: pair.content for (name, _), pair in pairs.items()}
        styles = {name: pair.styles[0] for (_, name), pair in pairs.items()}
        shown = product(list(contents)[:_MOST], list(styles)[:_MOST])
        return contact_sheet(
            title,
            self._labelled(contents),
            self._labelled(styles),
            {names: self._result(pairs[names]) for names in shown},
            thumb=SIDE,
            max_rows=_MOST,
            max_columns=_MOST,
        )

    def list_of(self, title: str, pairs: Sequence[PlannedPair]) -> Image.Image:
        triples = [
            Triple(pair.pair_id, self._source(pair.content), self._source(pair.styles[0]), self._result(pair))
            for pair in pairs[: 2 * _MOST]
        ]
        return pairs_sheet(title, triples, thumb=SIDE, per_line=2, max_lines=_MOST)

    def _labelled(self, uris: Mapping[str, str]) -> list[Labelled]:
        """All names, for the sheet counts them; pictures only for those that it shows."""
        return [(name, self._source(uri) if at < _MOST else None) for at, (name, uri) in enumerate(uris.items())]

    def _result(self, pair: PlannedPair) -> Image.Image | None:
        """The stylized picture; None if there is none."""
        try:
            return thumbnail(self._pictures.read(self._shards[pair.pair_id], pair), pair.output)
        except NotFoundInStoreError:
            return None


def _name(uri: str) -> str:
    return PurePosixPath(uri).stem


def _names(uris: Sequence[str]) -> str:
    return " + ".join(map(_name, uris))
