"""Contact sheets of what a run has made so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import PurePosixPath

from PIL import Image

from ift.errors import ImageError
from ift.images import decode_image
from jobs.contact_sheet import Triple, contact_sheet, pairs_sheet
from jobs.errors import NotFoundInStoreError, StorageError
from jobs.plan import Plan, PlannedPair
from jobs.storage import Store, read_uri

_THUMB = 224
_MOST = 16


def sheets_of_run(store: Store, plan: Plan) -> Iterator[tuple[str, Image.Image]]:
    """For each preset its name and a sheet.

    Where every content is planned with every style the sheet is their table, else a list of pairs; in a large run,
    the first pairs.
    """
    pairs = [pair for shard in _first_shards(plan) for pair in shard]
    for preset, group in groupby(sorted(pairs, key=lambda p: (p.preset, p.row)), key=lambda p: p.preset):
        yield preset, _Thumbnails(store).sheet(list(group), f"{plan.rows} pairs, preset {preset}")


def _first_shards(plan: Plan) -> Iterator[Sequence[PlannedPair]]:
    seen = 0
    for shard in plan.iter_shards():
        yield shard.pairs
        seen += len(shard.pairs)
        if seen > 2 * _MOST * _MOST:
            return


class _Thumbnails:
    """Small pictures from anywhere, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.source = lru_cache(maxsize=4 * _MOST)(self._source)

    def sheet(self, pairs: list[PlannedPair], title: str) -> Image.Image:
        contents = {pair.content: None for pair in pairs}
        styles = {pair.styles: None for pair in pairs}
        table = {(pair.content, pair.styles): pair for pair in pairs}
        if len(table) == len(pairs) == len(contents) * len(styles):
            return contact_sheet(
                title,
                [(_name(uri), self.source(uri)) for uri in list(contents)[: _MOST + 1]],
                [(" + ".join(map(_name, uris)), self.source(uris[0])) for uris in list(styles)[: _MOST + 1]],
                {
                    (_name(content), " + ".join(map(_name, uris))): self.result(pair)
                    for (content, uris), pair in table.items()
                },
                thumb=_THUMB,
            )
        shown = pairs[: 2 * _MOST]
        triples = [
            Triple(pair.pair_id, self.source(pair.content), self.source(pair.styles[0]), self.result(pair))
            for pair in shown
        ]
        return pairs_sheet(title, triples, thumb=_THUMB)

    def result(self, pair: PlannedPair) -> Image.Image | None:
        """The stylized picture; None if there is none."""
        try:
            return _thumbnail(self._store.read(pair.output), pair.output)
        except NotFoundInStoreError:
            return None

    def _source(self, uri: str) -> Image.Image | None:
        try:
            return _thumbnail(read_uri(uri), uri)
        except (StorageError, ImageError):
            return None


def _thumbnail(data: bytes, name: str) -> Image.Image:
    from torchvision.transforms.functional import to_pil_image  # takes as long to import as torch itself

    picture: Image.Image = to_pil_image(decode_image(data, name, 2 * _THUMB))
    return picture


def _name(uri: str) -> str:
    return PurePosixPath(uri).stem
