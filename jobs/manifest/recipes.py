"""What a row wants done to its content: styles, resolutions and settings; many rows share one recipe."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from posixpath import basename, splitext
from typing import Any, NamedTuple

from ift.errors import SettingsError
from ift.settings import WITHOUT_MASKS, Settings
from jobs.manifest.values import Mask

LABEL = "label:"
"""How a style's mask begins that is one label for the whole picture, such as label:256; no resolved URI does."""

_ALTERNATIVES = {"strength": "lambda_", "lambda_": "strength"}
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_KEPT = 1 << 25  # characters of recipes that are remembered


@dataclass(frozen=True)
class Defaults:
    """What the job's own options say for every row that does not say otherwise.

    Attributes:
        preset: a name in `ift.PRESETS`.
        options: values by the names in `ift.OPTIONS`; None means "not given".
        resolution: target size of the content in pixels; None for its own size.
        style_resolution: the same for the style; None for that of the content.
    """

    preset: str = "artistic"
    options: Mapping[str, object] = field(default_factory=dict)
    resolution: int | None = None
    style_resolution: int | None = None


class Wanted(NamedTuple):
    """What a row says about its recipe, parsed; and whether it has a content mask, and a group."""

    style: tuple[str, ...]
    style_weight: tuple[float, ...] | None
    style_mask: tuple[Mask, ...] | None
    resolution: int | None
    style_resolution: int | None
    preset: str | None
    options: tuple[tuple[str, Any], ...]
    masked: bool
    grouped: bool


@dataclass(frozen=True)
class Recipe:
    """A validated recipe.

    Attributes:
        number: tells recipes of one manifest apart; equal ones may have several.
        styles: one or more style pictures, as resolved URIs.
        style_weights: the share of each style; they sum to 1.
        style_masks: of each style a label image, as a resolved URI, or the label of the whole picture, after `LABEL`;
            None where the picture is the style of every label.
        resolution: target size of the content in pixels; None for its own size.
        style_resolution: the same for the styles; that of the content where neither row nor job says.
        method: the method of the settings in short, `Settings.method_name`.
        preset: the preset that the settings started from.
        settings: all settings, as `Settings.to_json` writes them.
        said: what the row itself says, as JSON without its brackets, for derived ids.
        said_masks: the same of the masks of its styles, if the row has masks.
        stem: what a derived id says of the styles.
    """

    number: int
    styles: tuple[str, ...]
    style_weights: tuple[float, ...]
    style_masks: tuple[str | None, ...]
    resolution: int | None
    style_resolution: int | None
    method: str
    preset: str
    settings: str
    said: bytes
    said_masks: bytes | None
    stem: str


class RowError(Exception):
    """What is wrong with a row as a whole: the column(s), the value (None: that of the row's column) and the reason."""


class RecipeBook:
    """Makes recipes, and remembers some of them and their settings."""

    def __init__(self, defaults: Defaults, resolve: Callable[[str, str], str]) -> None:
        """Takes what applies where a row gives nothing, and how a column's reference becomes a URI, or a `RowError`.

        Raises:
            SettingsError: the defaults contradict each other.
        """
        Settings.from_options(defaults.preset, **defaults.options)
        self._defaults = defaults
        self._resolve = resolve
        self._recipes: dict[Wanted, Recipe] = {}
        self._settings: dict[tuple[object, ...], tuple[Settings, str]] = {}
        self._size = 0
        self._count = 0

    def recipe(self, wanted: Wanted) -> tuple[Recipe, bool]:
        """The recipe, and whether it is a new one; `RowError` if there cannot be one."""
        known = self._recipes.get(wanted)
        if known is not None:
            return known, False
        recipe = self._make(wanted)
        self._count += 1
        self._size += 2 * len(recipe.said) + len(recipe.settings)
        if self._size > _KEPT:
            self._recipes.clear()
            self._settings.clear()
            self._size = 0
        self._recipes[wanted] = recipe
        return recipe, True

    def _make(self, wanted: Wanted) -> Recipe:
        weights, masks = _shares(wanted), _masks(wanted)
        settings, text = self._settings_of(wanted)
        if wanted.masked and set(WITHOUT_MASKS) & set(settings.method):
            reason = f"the method {settings.method_name} takes no masks: choose another, or remove the masks"
            raise RowError("content_mask", None, reason)
        if wanted.grouped:
            _check_group(wanted, settings)
        resolution = wanted.resolution or self._defaults.resolution
        more = "-more" if len(wanted.style) > 1 else ""
        said = (wanted.style, weights, wanted.resolution, wanted.style_resolution, wanted.preset)
        return Recipe(
            number=self._count,
            styles=tuple(self._resolve("style", style) for style in wanted.style),
            style_weights=weights,
            style_masks=tuple(self._mask(mask) for mask in masks),
            resolution=resolution,
            style_resolution=wanted.style_resolution or self._defaults.style_resolution or resolution,
            method=settings.method_name,
            preset=wanted.preset or self._defaults.preset,
            settings=text,
            said=json.dumps((*said, sorted(wanted.options)))[1:-1].encode(),
            said_masks=json.dumps(masks).encode() if wanted.masked else None,
            stem=f"{stem(wanted.style[0])}{more}",
        )

    def _mask(self, mask: Mask) -> str | None:
        if isinstance(mask, int):
            return f"{LABEL}{mask}"
        return None if mask is None else self._resolve("style_mask", mask)

    def _settings_of(self, wanted: Wanted) -> tuple[Settings, str]:
        """The settings, and the text of them."""
        key = (wanted.preset, wanted.options)
        if key not in self._settings:
            given = dict(wanted.options)
            # A row that gives λ does not want the job's strength beside it, and the other way round.
            replaced = {_ALTERNATIVES.get(name) for name in given}
            options = {name: value for name, value in self._defaults.options.items() if name not in replaced}
            try:
                settings = Settings.from_options(wanted.preset or self._defaults.preset, **{**options, **given})
            except SettingsError as error:
                raise RowError(", ".join(given), tuple(given.values()), str(error)) from error
            self._settings[key] = settings, settings.to_json()
        return self._settings[key]


def derived_id(
    content: str, said_content: bytes, content_mask: bytes | None, group: bytes | None, recipe: Recipe
) -> str:
    """An id of what the row itself says, so that neither moving the folder nor an option of the job changes it.

    64 bits of a digest: ids of 10⁸ rows with pictures of the same names will hardly collide.

    Args:
        content: the stem of the content.
        said_content: the content as JSON.
        content_mask: the content's mask as JSON; None where there is none.
        group: the group as JSON; None where there is none.
        recipe: what is done to it.
    """
    masks = b"" if content_mask is None else b", %s, %s" % (content_mask, recipe.said_masks)
    grouped = b"" if group is None else b', {"group": %s}' % group
    digest = hashlib.sha256(b"[%s, %s%s%s]" % (said_content, recipe.said, masks, grouped)).hexdigest()
    return f"{content}-{recipe.stem}-{digest[:16]}"


def stem(reference: str) -> str:
    """The name of a picture as it may stand in an id."""
    return _UNSAFE.sub("_", splitext(basename(reference))[0])[:40]


def _shares(wanted: Wanted) -> tuple[float, ...]:
    if wanted.style_weight is None:
        return (1 / len(wanted.style),) * len(wanted.style)
    if len(wanted.style_weight) != len(wanted.style):
        reason = f"there are {len(wanted.style)} styles: give one weight for each"
        raise RowError("style_weight", list(wanted.style_weight), reason)
    return wanted.style_weight


def _check_group(wanted: Wanted, settings: Settings) -> None:
    """Sees to it that pictures can share their statistics, whatever they are."""
    if wanted.masked:
        raise RowError("group", None, "groups and masks do not go together: remove the group, or the masks")
    if "nst" in settings.method:
        raise RowError("group", None, "the method nst takes no groups: choose another, or remove the group")


def _masks(wanted: Wanted) -> tuple[Mask, ...]:
    masks = wanted.style_mask or (None,) * len(wanted.style)
    if len(masks) != len(wanted.style):
        styles = len(wanted.style)
        reason = f"there are {styles} styles: give one mask for each, none where a style is that of every label"
        raise RowError("style_mask", list(masks), reason)
    if not wanted.masked and set(masks) != {None}:
        raise RowError("style_mask", list(masks), "means nothing without content_mask: give both, or neither")
    return masks
