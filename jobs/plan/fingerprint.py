"""Digests of all that decides the results, over any number of rows; the same on every machine and for good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ift.settings import PRESETS
from jobs.manifest import Defaults, Recipe
from jobs.plan.editions import PLAN_VERSION

CHUNK_ROWS = 1 << 16
"""Rows of a manifest whose digest is taken together; another number would change every fingerprint."""

_BLOCK = 1 << 20  # bytes
_PARTS = {
    "pairs": ("row", "pair_id", "content", "content_mask", "label", "group", "look"),
    "settings": ("setting",),
    "outputs": ("output",),
}


def parts_of(chunks: Iterable[pa.Table], options: Mapping[str, Any], weights: str) -> dict[str, str]:
    """What decides the results, by whom the user would look to for a difference.

    Args:
        chunks: the pairs in the manifest's order, those of each `CHUNK_ROWS` rows of it in one table with the
            columns row, pair_id, content, content_mask, output, label, group, look and setting.
        options: see `Plan.options`.
        weights: SHA-256 of the model's weights.
    """
    digests = {part: hashlib.sha256() for part in _PARTS}
    for chunk in chunks:
        for part, names in _PARTS.items():
            digests[part].update(_canonical([chunk[name].to_pylist() for name in names]))
    found = {part: digest.hexdigest() for part, digest in digests.items()}
    return {**found, "options": _sha256(options), "weights": weights}


def look_of(recipe: Recipe) -> str:
    """Digest of what a recipe takes from the styles."""
    return _sha256([recipe.styles, recipe.style_weights, recipe.style_masks])


def setting_of(recipe: Recipe) -> str:
    """Digest of how a recipe does it."""
    return _sha256([recipe.resolution, recipe.style_resolution, recipe.method, recipe.preset, recipe.settings])


def source_of(
    uri: str, file: Path, defaults: Defaults, options: Mapping[str, Any], weights: str, allowed: Sequence[str]
) -> str:
    """Digest of all that decides the plan of a manifest, without a look at its rows.

    Args:
        uri: where the manifest lies, for its relative references are taken from there.
        file: a local copy of it.
        defaults: what applies where a row gives nothing.
        options: see `Plan.options`.
        weights: SHA-256 of the model's weights.
        allowed: below what pictures must lie.
    """
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    given = {name: value for name, value in defaults.options.items() if value is not None}
    presets = {name: settings.to_json() for name, settings in PRESETS.items()}
    said = [defaults.preset, given, defaults.resolution, defaults.style_resolution]
    return _sha256([PLAN_VERSION, digest.hexdigest(), uri, said, presets, options, weights, list(allowed)])


def _sha256(value: object) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
