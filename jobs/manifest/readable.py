"""Whether pictures and masks are there and can be decoded: looked at by threads here, or by tasks on a Ray cluster."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ift.errors import ImageError
from ift.settings import MAX_LARGE_PIXELS, MAX_PIXELS
from jobs.ahead import ahead
from jobs.errors import CredentialsError, StorageError, StorageUnavailableError
from jobs.storage import read_start, read_uri

_THREADS = 16  # for stores that take long to answer
_DECODED = 256  # pixels of the longer side: a JPEG is read to its end for that, too, and takes less room
_TOGETHER = 64  # pictures of a task
_AHEAD = 2  # tasks for each CPU of the cluster


class Picture(NamedTuple):
    """A picture or mask of a manifest.

    Attributes:
        uri: where it is.
        is_mask: whether it is read for its labels.
        row: the first that names it.
        rows: how often it is named.
        columns: where, in words.
    """

    uri: str
    is_mask: bool
    row: int
    rows: int
    columns: str


@dataclass(frozen=True)
class Look:
    """How pictures are looked at.

    Attributes:
        quick: only whether they are there.
        max_pixels: larger ones are refused, as the job does.
        most_bytes: the same of their files.
        allowed: see `jobs.storage.check_allowed`.
    """

    quick: bool = False
    max_pixels: int = MAX_LARGE_PIXELS
    most_bytes: int = 512_000_000
    allowed: tuple[str, ...] = ()


Looked = tuple[Picture, str | None]
"""A picture, and what is wrong with it."""


def problem_of(look: Look, picture: Picture, decoders: AbstractContextManager[object]) -> str | None:
    """What is wrong with a picture; None if nothing is. It is decoded within `decoders`.

    Raises:
        StorageUnavailableError: the store does not answer, so that nobody knows.
        CredentialsError: it does not accept who asks.
    """
    try:
        if look.quick:
            read_start(picture.uri, 1, allowed=look.allowed)
        else:
            data = read_uri(picture.uri, most_bytes=look.most_bytes, allowed=look.allowed)
            with decoders:
                _decode(data, picture, look.max_pixels)
    except (StorageUnavailableError, CredentialsError):
        raise
    except (StorageError, ImageError) as error:
        return str(error)
    return None


def look_with_threads(look: Look, pictures: Iterable[Picture], cpus: int | None = None) -> Iterator[Looked]:
    """Looks at all pictures from this machine, and gives them back in order; raises as `problem_of`.

    No more are decoded at a time than there are `cpus`, all of the machine's by default: each may need much room.
    """
    decoders = threading.Semaphore(cpus or os.cpu_count() or 1)
    with (
        ThreadPoolExecutor(_THREADS, "look") as pool,
        closing(ahead(pool, partial(_looked, look, decoders), pictures, 4 * _THREADS)) as looked,
    ):
        yield from looked


def look_with_ray(look: Look, pictures: Iterable[Picture]) -> Iterator[Looked]:
    """Looks at all pictures by tasks of the cluster that this process has joined, and gives them back in no order.

    Tasks whose process dies are split, until the picture that kills is alone.

    Raises:
        StorageError: as `problem_of`.
    """
    import ray

    task = ray.remote(max_retries=1)(_problems)  # a node may be lost
    cpus = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]
    room = _AHEAD * max(int(cpus), 1)
    source = iter(pictures)
    again: deque[list[Picture]] = deque()
    working: dict[Any, list[Picture]] = {}
    while True:
        while len(working) < room and (some := again.popleft() if again else list(islice(source, _TOGETHER))):
            working[task.remote(look, some)] = some
        if not working:
            return
        for done in ray.wait(list(working))[0]:
            some = working.pop(done)
            try:
                yield from zip(some, ray.get(done), strict=True)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except ray.exceptions.RayError:
                if len(some) == 1:
                    yield some[0], "the process that decodes it dies: look at it, or remove its rows"
                else:
                    again.extend((some[: len(some) // 2], some[len(some) // 2 :]))


def _problems(look: Look, pictures: Sequence[Picture]) -> list[str | None]:
    return [problem for _, problem in look_with_threads(look, pictures, cpus=1)]


def _looked(look: Look, decoders: AbstractContextManager[object], picture: Picture) -> Looked:
    return picture, problem_of(look, picture, decoders)


def _decode(data: bytes, picture: Picture, max_pixels: int) -> None:
    from ift.label_mask import decode_labels  # PyTorch, which a quick look does without

    if picture.is_mask:
        decode_labels(data, picture.uri, max_pixels)
    else:
        _decode_picture(data, picture.uri, max_pixels)


def _decode_picture(data: bytes, uri: str, max_pixels: int) -> None:
    from ift.images import decode_image, pixels_of
    from ift.large.laying import lay_down

    if pixels_of(data, uri) <= MAX_PIXELS:
        decode_image(data, uri, _DECODED, max_pixels)
        return
    with TemporaryDirectory(prefix="ift-validate-") as folder:
        (file := Path(folder) / "picture").write_bytes(data)
        try:
            lay_down(file, Path(folder) / "picture.raw", _DECODED, max_pixels)
        except ImageError as error:
            raise ImageError(str(error).replace(str(file), uri)) from error
