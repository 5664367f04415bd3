"""What an actor does with a shard: threads fetch ahead, the device works on batches, threads upload behind."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ift import ImageError, Settings, Style, Stylizer, fit_labels, mix_styles
from ift.allocator import is_out_of_memory
from ift.copies import Fetched, Sent
from ift.images import check_side, decode_image, encode_image, format_of, pixels_of, size_of_picture
from ift.label_mask import decode_labels
from ift.settings import MAX_PIXELS
from ift.stopwatch import Stopwatch
from ift.stylizer import Labels
from jobs.ahead import ahead
from jobs.manifest import LABEL
from jobs.outputs import Outputs, open_outputs
from jobs.parts.contents import Contents
from jobs.plan import PlannedPair, Shard
from jobs.records import STYLIZED, Record
from jobs.shard_worker import ShardWorkerBase
from jobs.style_cache import Loaded, StyleCache, StyleKey
from jobs.work import Effort, WorkerConfig


@dataclass
class _Work:
    """One pair on its way through the stages; a record that failed is carried along and not worked on."""

    pair: PlannedPair
    record: Record
    settings: Settings
    started: float
    content: Sent | None = None
    labels: Tensor | None = None
    result: Fetched | None = None
    setback: Exception | None = None
    short: bool = False
    """Whether there was no memory to load it beside others."""

    @property
    def over(self) -> bool:
        """Whether nothing more is to be done about it here."""
        return self.setback is not None or self.record.status == "failed"


class ShardWorker(ShardWorkerBase[Record]):
    """Stylizes the pairs of shards.

    Args:
        config: what to work with.
        name: for the records.
        model: to use instead of the one that `config` describes.
        observe: told of each piece of work: its records, and the styles that were in the cache and that were not.
    """

    def __init__(
        self,
        config: WorkerConfig,
        name: str = "local",
        model: Stylizer | None = None,
        observe: Callable[[Sequence[Record], int, int], None] = lambda records, hits, misses: None,
    ) -> None:
        super().__init__(config, name, model, STYLIZED)
        self._observe = observe
        self.contents = Contents(config.output, config.max_pixels, config.most_bytes, config.allowed)
        self._uploaders = ThreadPoolExecutor(config.io_threads, "upload")
        self._styles = StyleCache(self._load_style, self._compute_style, self._fetchers)

    def work_on(self, shard: Shard, pairs: Sequence[PlannedPair], effort: Effort) -> list[Record]:
        """Stylizes some pairs of a shard and writes their pictures; one record each, in the order of the rows.

        Raises:
            StorageError: as `run` does.
        """
        begin = partial(self._fetch, shard.fingerprint, effort)
        outputs = open_outputs(self.store, shard)
        uploads: deque[Future[Record]] = deque()
        records: list[Record] = []
        depth = 2 * self.config.batch_size + 2
        with closing(ahead(self._fetchers, begin, pairs, depth)) as works:
            for batch in self._batches(works):
                with self.device:
                    self._compute(batch, effort)
                    self._memory.enforce()
                for work in batch:
                    if work.setback is not None:
                        raise work.setback
                    uploads.append(self._uploaders.submit(self._upload, work, outputs))
                # Finished pictures waiting for a slow store are bounded, and so is memory.
                while len(uploads) > 2 * depth:
                    records.append(uploads.popleft().result())
        records += [upload.result() for upload in uploads]
        outputs.settle(records)
        self._observe(records, *self._styles.lookups())
        return sorted(records, key=lambda record: record.row)

    def _fetch(self, fingerprint: str, effort: Effort, pair: PlannedPair) -> _Work:
        record = self.record_of(pair, fingerprint)
        record.attempts += effort.tries
        work = _Work(pair, record, Settings.from_json(pair.settings), time.perf_counter())
        for style in _style_keys(pair, work.settings):
            self._styles.prefetch(style)
        try:
            self._load(work)
        except Exception as error:  # a row never takes others down, whatever it raises
            work.short = is_out_of_memory(error)
            if not work.short:
                self._fail(work, error, effort)
        self.beats += 1
        return work

    def _load(self, work: _Work) -> None:
        """Reads the content and its mask, or leaves the pair to be made in parts."""
        pair, clock = work.pair, Stopwatch()
        try:
            with clock.stage("fetch"):
                data = self.contents.read(pair.content)
            with clock.stage("decode"):
                size = self._size(data, pair)
            if (why := self._why_in_parts(work, size)) is not None:
                check_side(format_of(pair.output), *size)  # which would else be found out after hours of work
                work.record.wait(*size, why)
                return
            with clock.stage("decode"):
                content = self._decode(data, pair.content, pair.resolution)
            if pair.content_mask is not None:
                with clock.stage("fetch"):
                    data = self._read(pair.content_mask)
                with clock.stage("decode"):
                    work.labels = self._decode_labels(data, pair.content_mask, content)
            work.content = Sent(content, self.model.device)
        finally:
            work.record.seconds |= clock.seconds

    def _fail(self, work: _Work, error: Exception, effort: Effort) -> None:
        """Fails the row, unless the error is not the row's: then the whole shard is to be sent again."""
        if self._is_setback(error, effort):
            work.setback = error
        else:
            work.record.fail(self._in_words(error, work.pair.content))

    def _size(self, data: bytes | None, pair: PlannedPair) -> tuple[int, int]:
        """(H, W) of the content as it will be stylized."""
        if data is None:
            return self.contents.size(pair.content, pair.resolution)
        return size_of_picture(data, pair.content, pair.resolution, self.config.max_pixels)

    def _why_in_parts(self, work: _Work, size: tuple[int, int]) -> str | None:
        """Why a pair is not stylized here and now; None if it is."""
        if self.config.whole_pixels is None or "nst" in work.settings.method:
            return None
        if work.pair.group is not None:
            return f"one of the group {work.pair.group}"
        return "too large for one piece" if size[0] * size[1] > self.config.whole_pixels else None

    def _decode(self, data: bytes | None, uri: str, resolution: int | None) -> Tensor:
        """(3, H, W) of a picture, which may be far larger in its file."""
        if data is None or pixels_of(data, uri) > MAX_PIXELS:
            picture = self.contents.scaled(uri, resolution)
            if data is not None and picture.shape[1:] != size_of_picture(data, uri, resolution, self.config.max_pixels):
                raise ImageError(f"{uri} is damaged: it holds another picture than its header declares")
            return picture
        return decode_image(data, uri, resolution, self._most_at_once)

    def style_of(self, pair: PlannedPair, settings: Settings) -> Style:
        """The style of a pair; for who holds `device`."""
        keys = _style_keys(pair, settings)
        for key in keys:
            self._styles.prefetch(key)
        return mix_styles([self._styles.get(key) for key in keys], pair.style_weights)

    def _load_style(self, key: StyleKey) -> Loaded:
        picture = self._decode(self.contents.read(key.uri), key.uri, key.resolution)
        labels: Labels = None
        if key.mask is not None and key.mask.startswith(LABEL):
            labels = int(key.mask.removeprefix(LABEL))
        elif key.mask is not None:
            labels = self._decode_labels(self._read(key.mask), key.mask, picture)
        return Sent(picture, self.model.device), labels

    def _compute_style(self, key: StyleKey, loaded: Loaded) -> Style:
        picture, labels = loaded
        return self.model.style(picture.get(), labels=labels, patches=key.patches)

    def _decode_labels(self, data: bytes, name: str, picture: Tensor) -> Tensor:
        """The labels in a mask's bytes, one for each pixel of its picture."""
        return fit_labels(decode_labels(data, name, self._most_at_once), picture.shape[-2], picture.shape[-1])

    def _batches(self, works: Iterator[_Work]) -> Iterator[list[_Work]]:
        """Groups pictures of one size, one setting and equally many styles, in an order that only the rows decide.

        A picture with a mask goes by itself. The others wait for partners within the shard, no more than two batches
        of them in all.
        """
        waiting: dict[tuple[object, ...], list[_Work]] = {}
        for work in works:
            if work.content is None or work.labels is not None:
                yield [work]
                continue
            key = (tuple(work.content.shape), work.pair.settings, len(work.pair.styles))
            waiting.setdefault(key, []).append(work)
            if len(waiting[key]) == self.config.batch_size:
                yield waiting.pop(key)
            elif sum(map(len, waiting.values())) > 2 * self.config.batch_size:
                yield waiting.pop(next(iter(waiting)))
        yield from waiting.values()

    def _compute(self, batch: list[_Work], effort: Effort) -> None:
        """Fills in the results of a batch; if it fails as a whole, each pair is tried by itself."""
        styles: list[Style] = []
        ready: list[_Work] = []
        for work in batch:
            if work.over:
                continue
            clock = Stopwatch(self.model.device)
            try:
                if work.short:  # by now no other picture is being worked on
                    self._load(work)
                    if work.over:
                        continue
                with clock.stage("style"):
                    styles.append(self._style(work))
                ready.append(work)
            except Exception as error:  # see _fetch
                self._fail(work, error, effort)
            work.record.seconds |= clock.seconds
            self.beats += 1
        try:
            self._stylize(ready, styles)
        except Exception as error:  # see _fetch
            if len(ready) == 1:
                self._fail(ready[0], error, effort)
                return
            for work in ready:
                work.record.attempts += 1
                self._compute([work], effort)
        self.beats += 1

    def _style(self, work: _Work) -> Style:
        try:
            return self.style_of(work.pair, work.settings)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        return self.style_of(work.pair, work.settings)  # another picture had the memory while it was loaded

    def _stylize(self, works: list[_Work], styles: list[Style]) -> None:
        if not works:
            return
        contents = torch.stack([work.content.get() for work in works if work.content is not None])
        clock = Stopwatch(self.model.device)
        results = self.model.stylize(
            contents, styles, settings=works[0].settings, labels=works[0].labels, stopwatch=clock
        )
        for work, result in zip(works, results, strict=True):
            work.content, work.labels, work.result = None, None, Fetched(result)
            work.record.seconds |= {stage: seconds / len(works) for stage, seconds in clock.seconds.items()}

    def _upload(self, work: _Work, outputs: Outputs) -> Record:
        """Encodes and writes; what the store raises is no fault of the row, and is raised."""
        record, result = work.record, work.result
        clock = Stopwatch()
        if result is not None:
            data = None
            with clock.stage("encode"):
                try:
                    picture = result.get()
                    data = self._encode(work.pair.output, picture)
                except Exception as error:  # see _fetch
                    record.fail(self._in_words(error, work.pair.output))
            if data is not None:
                with clock.stage("upload"):
                    outputs.keep(work.pair, data)
                record.output, record.bytes = work.pair.output, len(data)
                record.sha256 = hashlib.sha256(data).hexdigest()
                record.height, record.width = picture.shape[-2:]
                record.resolution = work.pair.resolution or max(record.height, record.width)
                record.status = "done"
        record.seconds |= clock.seconds | {"total": time.perf_counter() - work.started}
        record.finished_at = time.time()
        self.beats += 1
        return record

    def _encode(self, name: str, result: Tensor) -> bytes:
        encode = partial(encode_image, result, format_of(name), self.config.quality)
        try:
            return encode()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        with self.device:  # now no other picture takes the memory
            return encode()

    def record_of(self, pair: PlannedPair, fingerprint: str) -> Record:
        """The record of a pair that this worker begins."""
        record = Record.begin(pair, fingerprint)
        record.device, record.node, record.actor = str(self.model.device), self._node, self.name
        return record


def _style_keys(pair: PlannedPair, settings: Settings) -> list[StyleKey]:
    patches = "avatar" in settings.method
    return [
        StyleKey(style, pair.style_resolution, mask, patches)
        for style, mask in zip(pair.styles, pair.style_masks, strict=True)
    ]
