"""Folders and s3:// prefixes of pictures: which keys below them are used, and how a manifest refers to them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from posixpath import dirname, splitext

from jobs.errors import ManifestError, NotFoundInStoreError
from jobs.manifest.building.names import LONGEST_NAME
from jobs.manifest.values import parse
from jobs.storage import Store, open_store
from jobs.storage.uris import local_path, scheme, shown
from jobs.suffixes import SUFFIXES

HIDDEN, NO_PICTURE, BAD_NAME = "hidden", "no picture by its suffix", "a name that no manifest can hold"


@dataclass(frozen=True)
class Root:
    """Where pictures lie.

    Attributes:
        store: that lists them by keys.
        prefix: what turns a key into a reference from the manifest.
    """

    store: Store
    prefix: str

    def uri(self, key: str) -> str:
        """Where the picture of a key is read."""
        return f"{self.store.uri}/{key}"

    def keys(self, passed_over: Counter[str]) -> Iterator[str]:
        """The keys of the pictures in no promised order; all others are counted.

        Raises:
            StorageError: they cannot be listed.
        """
        for key in self.store.list(""):
            objection = _objection(self.prefix, key)
            if objection is None:
                yield key
            else:
                passed_over[objection] += 1


def open_roots(uris: Sequence[str], to: str) -> tuple[Root, ...]:
    """The roots of a manifest at `to`; contacts no S3 yet.

    Raises:
        NotFoundInStoreError: a local folder does not exist.
        StorageError: a URI names no place that is supported.
        ManifestError: one root is inside another, so that pictures would be found twice.
    """
    roots = []
    for uri in uris:
        store = open_store(uri)
        if not scheme(store.uri) and not Path(store.uri).is_dir():
            raise NotFoundInStoreError(f"{shown(uri)} is no folder: correct its name, or create it")
        roots.append(Root(store, _prefix(store.uri, to)))
    refuse_nested(roots)
    return tuple(roots)


def refuse_nested(roots: Sequence[Root]) -> None:
    """Raises ManifestError if one root is inside another."""
    for one, other in combinations([root.store.uri for root in roots], 2):
        if f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/"):
            raise ManifestError(
                f"{shown(one)} and {shown(other)} are one inside the other: pictures would be found twice; give only"
                " the outer one, or move the inner one out"
            )


def _prefix(root: str, to: str) -> str:
    """Relative if both are local, so that the whole tree can be moved."""
    if scheme(root) == "s3":
        return f"{root}/"
    root = os.path.realpath(root)
    if scheme(to) == "s3":
        return f"{root.rstrip('/')}/"
    # Of real paths, for the system follows links before it takes '..'.
    relative = os.path.relpath(root, os.path.realpath(local_path(to).parent))
    return "" if relative == "." else f"{relative}/"


def _objection(prefix: str, key: str) -> str | None:
    """Why a key is passed over; None if it is not."""
    if key.startswith(".") or "/." in key:
        return HIDDEN
    if splitext(key)[1].lower() not in SUFFIXES:
        return NO_PICTURE
    try:
        parse("content", prefix + key)
        _check_folder(dirname(key))
    except ValueError:
        return BAD_NAME
    return None


@lru_cache(maxsize=1 << 12)
def _check_folder(folder: str) -> None:
    """ValueError if outputs cannot be in a folder of that name, or the first part of it cannot be a label."""
    if folder:
        parse("label", folder.split("/", maxsplit=1)[0])
    parse("output", f"{folder}/{'x' * LONGEST_NAME}.jpeg".removeprefix("/"))
