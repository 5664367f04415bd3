"""Triples from a folder with content/, style/ and result/, whose files belong together by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename, dirname, splitext

import pyarrow as pa

from jobs.errors import ManifestError
from jobs.evaluate.table import LISTED
from jobs.manifest.problems import SHOWN_PROBLEMS, shown
from jobs.storage import Store
from jobs.suffixes import SUFFIXES

_SIDES = ("content", "style", "result")
_BETWEEN = ("_", "-", "+", "-in-", "_in_", "_stylized_", "-stylized-", "__", "--")
"""What may stand between the names of content and style in the name of a result."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_ID = 200
_ROWS = 1 << 14

WAY_OUT = (
    "name each result as its content and style if these have one name, or <content>_<style>, or give a table with the"
    " columns content, style and result"
)


def triples_of_folder(store: Store) -> Iterator[pa.Table]:
    """The triples of a folder, some ten thousand at a time, as tables of `LISTED`.

    A result belongs to the content and the style that both have its name; else to those whose names make up its own,
    content first, with one of a few signs or words between them; else, where there is but one style, to the content
    of its name. A folder below result/ is the name of the method.

    Raises:
        ManifestError: results cannot be paired, or not in one way only (up to ten of them in one message).
        StorageError: the folder cannot be read.
    """
    contents, styles = _by_stem(store, "content"), _by_stem(store, "style")
    results = sorted(_pictures(store, "result"))
    for side, found in zip(_SIDES, (contents, styles, results), strict=True):
        if not found:
            raise ManifestError(f"{store.uri} is no folder of triples: there are no pictures in {side}/ ({WAY_OUT})")
    wrong: list[str] = []
    rows: list[dict[str, object]] = []
    for number, key in enumerate(results):
        pairs = _pairs_of(splitext(basename(key))[0], contents, styles)
        if len(pairs) != 1:
            wrong.append(f"{shown(key)}: {_reason(pairs)}")
            continue
        content, style = pairs[0]
        rows.append(
            {
                "row": number,
                "pair_id": _pair_id(key.removeprefix("result/")),
                "content": _uri(store, contents[content]),
                "styles": [_uri(store, styles[style])],
                "result": _uri(store, key),
                "method": dirname(key.removeprefix("result/")) or None,
                "label": None,
            }
        )
        if len(rows) == _ROWS:
            yield pa.Table.from_pylist(rows, LISTED)
            rows = []
    if wrong:
        first = f"; the first {SHOWN_PROBLEMS}" if len(wrong) > SHOWN_PROBLEMS else ""
        lines = "\n  ".join(wrong[:SHOWN_PROBLEMS])
        raise ManifestError(
            f"{store.uri}: {len(wrong)} of {len(results)} results cannot be paired{first}:\n  {lines}\n{WAY_OUT}"
        )
    yield pa.Table.from_pylist(rows, LISTED)


def _pairs_of(name: str, contents: Mapping[str, str], styles: Mapping[str, str]) -> list[tuple[str, str]]:
    """The contents and styles that a result may belong to."""
    if name in contents and name in styles:
        return [(name, name)]
    found = [
        (name[:end], name[end + len(between) :])
        for end in range(1, len(name))
        if name[:end] in contents
        for between in _BETWEEN
        if name.startswith(between, end) and name[end + len(between) :] in styles
    ]
    if not found and name in contents and len(styles) == 1:
        return [(name, next(iter(styles)))]
    return found


def _reason(pairs: Iterable[tuple[str, str]]) -> str:
    ways = " or ".join(f"content {shown(content)} and style {shown(style)}" for content, style in pairs)
    return f"it may be of {ways}" if ways else "no content and style have its name, or make it up"


def _by_stem(store: Store, side: str) -> dict[str, str]:
    """The keys of the pictures of a side, by their names without suffix."""
    found: dict[str, str] = {}
    for key in sorted(_pictures(store, side)):
        name = splitext(basename(key))[0]
        if name in found:
            raise ManifestError(
                f"{store.uri}: {shown(found[name])} and {shown(key)} have one name, so that no result can be told to"
                " be of one of them: rename one"
            )
        found[name] = key
    return found


def _pictures(store: Store, side: str) -> Iterator[str]:
    return (key for key in store.list(f"{side}/") if splitext(key)[1].lower() in SUFFIXES)


def _pair_id(path: str) -> str:
    name = _UNSAFE.sub("_", splitext(path)[0].replace("/", "-"))
    return (f"_{name}" if name.startswith(".") else name)[:_LONGEST_ID]


def _uri(store: Store, key: str) -> str:
    return f"{store.uri.rstrip('/')}/{key}"
