"""What an actor does with a shard of triples: threads fetch and decode ahead, the device judges."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ift import Stylizer
from ift.images import decode_image
from ift.metrics import Described, Judge
from ift.stopwatch import Stopwatch
from jobs.ahead import ahead
from jobs.evaluate.records import JUDGED, JudgedRecord
from jobs.evaluate.triple import NotStylizedError, Triple, TripleShard
from jobs.evaluate.work import JudgeConfig
from jobs.picture_cache import PictureCache
from jobs.pictures import KeptPictures
from jobs.shard_worker import ShardWorkerBase
from jobs.storage import open_store
from jobs.work import Effort

_MOST_DESCRIBED, _MOST_BYTES = 512, 256 << 20
"""Of contents, and of styles, that are kept."""


class ChangedPictureError(Exception):
    """A picture is not the one that the run has recorded."""


class PictureKey(NamedTuple):
    """All that decides what is known of a content or style.

    Attributes:
        uri: of the picture.
        resolution: the longer side to which it is scaled down; None for its own size.
        size: (height, width) that it is then given exactly; None for whatever it has.
    """

    uri: str
    resolution: int | None
    size: tuple[int, int] | None = None


@dataclass
class _Work:
    """One triple on its way; a record that failed is carried along and not worked on."""

    triple: Triple
    record: JudgedRecord
    started: float
    result: Tensor | None = None
    content: PictureKey | None = None
    styles: tuple[PictureKey, ...] = ()
    setback: Exception | None = None


class JudgeWorker(ShardWorkerBase[JudgedRecord]):
    """Judges the triples of shards.

    Args:
        config: what to work with.
        name: for messages.
        model: whose encoder is used, instead of the one that `config` describes.
    """

    def __init__(self, config: JudgeConfig, name: str = "local", model: Stylizer | None = None) -> None:
        super().__init__(config, name, model, JUDGED)
        self._judge = Judge(self.model)
        self._kept = None if config.run is None else KeptPictures(open_store(config.run))
        self._contents: PictureCache[PictureKey, Tensor, Described] = PictureCache(
            self._load, partial(self._describe, content=True), bytes_of, self._fetchers, _MOST_DESCRIBED, _MOST_BYTES
        )
        self._styles: PictureCache[PictureKey, Tensor, Described] = PictureCache(
            self._load,
            partial(self._describe, content=False),
            lambda style: 3 * bytes_of(style),  # with the roots that are made of a style as it is compared with
            self._fetchers,
            _MOST_DESCRIBED,
            _MOST_BYTES,
        )

    def work_on(self, shard: TripleShard, pairs: Sequence[Triple], effort: Effort) -> list[JudgedRecord]:
        """See `ShardWorkerBase.work_on`."""
        begin = partial(self._fetch, shard.fingerprint, effort)
        records: list[JudgedRecord] = []
        with closing(ahead(self._fetchers, begin, pairs, 2 * self.config.io_threads)) as works:
            for work in works:
                with self.device:
                    self._judge_one(work, effort)
                    self._memory.enforce()
                if work.setback is not None:
                    raise work.setback
                work.record.stages["total"] = time.perf_counter() - work.started
                work.record.finished_at = time.time()
                records.append(work.record)
        return sorted(records, key=lambda record: record.row)

    def _fetch(self, fingerprint: str, effort: Effort, triple: Triple) -> _Work:
        """The result as a picture; and what it is compared with on its way, which needs its size."""
        record = JudgedRecord.begin(triple, fingerprint)
        record.attempts += effort.tries
        work = _Work(triple, record, time.perf_counter())
        clock = Stopwatch()
        try:
            with clock.stage("fetch"):
                data = self._read_result(triple)
            record.sha256 = self._checked(data, triple)
            with clock.stage("decode"):
                result = decode_image(data, str(triple.result), None, self._most_at_once)
            self._prepare(work, result)
        except Exception as error:  # a row never takes others down, whatever it raises
            self._fail(work, error, effort)
        record.stages |= clock.seconds
        self.beats += 1
        return work

    def _read_result(self, triple: Triple) -> bytes:
        if triple.result is None:
            raise NotStylizedError(triple.failure)
        if self._kept is None:
            return self._read(triple.result)
        return self._kept.read(triple.result, triple.pack, triple.pair_id)

    def _checked(self, data: bytes, triple: Triple) -> str:
        """The SHA-256 of a result, which is that of the run's record where there is one."""
        digest = hashlib.sha256(data).hexdigest()
        if triple.sha256 not in (None, digest):
            raise ChangedPictureError(
                f"the SHA-256 of {triple.result} is {digest}, its record says {triple.sha256}: `jobs.stylize verify"
                " --repair` makes the picture again, and another evaluation judges it then"
            )
        return digest

    def _prepare(self, work: _Work, result: Tensor) -> None:
        """Takes the result in, and sends for the content in its size and for the styles."""
        triple, (height, width) = work.triple, result.shape[-2:]
        longer = max(height, width)
        work.result = result
        work.record.height, work.record.width = height, width
        work.record.resolution = triple.resolution or longer
        # The styles as the run has seen them; nobody knows how those of a list were.
        resolution = triple.style_resolution if self._kept is not None else longer
        work.content = PictureKey(triple.content, longer, (height, width))
        work.styles = tuple(PictureKey(style, resolution) for style in triple.styles)
        self._contents.prefetch(work.content)
        for style in work.styles:
            self._styles.prefetch(style)

    def _load(self, key: PictureKey) -> Tensor:
        picture = decode_image(self._read(key.uri), key.uri, key.resolution, self._most_at_once)
        return picture if key.size is None else in_size(picture, key.size)

    def _describe(self, key: PictureKey, picture: Tensor, content: bool) -> Described:
        return self._judge.describe(picture, content=content)

    def _judge_one(self, work: _Work, effort: Effort) -> None:
        """Fills in what is found, or fails the row."""
        if work.result is None or work.content is None:
            return
        clock = Stopwatch(self.model.device)
        try:
            with clock.stage("describe"):
                content = self._contents.get(work.content)
                styles = [self._styles.get(key) for key in work.styles]
            with clock.stage("judge"):
                judgement = self._judge.judge(content, styles, work.triple.style_weights, work.result)
        except Exception as error:  # see _fetch
            self._fail(work, error, effort)
        else:
            record = work.record
            record.status, record.ruin = "done", judgement.ruin
            record.metrics = judgement.metrics
            record.descriptor = packed(judgement.descriptor)
            record.content_descriptor = packed(content.descriptor)
            described = [packed(style.descriptor) for style in styles]
            record.style_descriptors = tuple(one for one in described if one is not None)
        work.result = None
        work.record.stages |= clock.seconds
        self.beats += 1

    def _fail(self, work: _Work, error: Exception, effort: Effort) -> None:
        """Fails the row, unless the error is not the row's: then the whole shard is to be sent again."""
        if self._is_setback(error, effort):
            work.setback = error
            return
        # Of a picture that is damaged or gone, so that it is judged once it is there again with these very bytes.
        if work.result is None:
            work.record.sha256 = None
        work.record.fail(self._in_words(error, work.triple.result or work.triple.content))


def in_size(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(3, H, W) in [0, 1] as (3, *size); as it is where it has that size."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    resized = torch.nn.functional.interpolate(picture[None], size, mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def packed(descriptor: Tensor | None) -> bytes | None:
    """A descriptor as float16 in little-endian bytes; None where it is not finite."""
    if descriptor is None or not bool(descriptor.isfinite().all()):
        return None
    return descriptor.float().cpu().numpy().astype(np.dtype("<f2")).tobytes()


def bytes_of(described: Any) -> int:
    """Bytes of the tensors that something is made of."""
    return sum(tensor.nbytes for tensor in _tensors(described))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from _tensors(getattr(value, each.name))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
