"""Colours of any model as sRGB over white, by the conventions of `ift.images`."""

from __future__ import annotations

import io
from typing import Any

from PIL import ImageCms

from ift.large.values import eight_bits, white_of
from ift.large.vips import vips

_PROFILE = "icc-profile-data"
_MODELS = {1: "GRAY", 3: "RGB", 4: "CMYK"}
_INTERPRETATIONS = {
    (1, "uchar"): "b-w",
    (1, "ushort"): "grey16",
    (3, "uchar"): "srgb",
    (3, "ushort"): "rgb16",
    (4, "uchar"): "cmyk",
    (4, "ushort"): "cmyk",
}


def parted(image: Any, padded: bool) -> tuple[Any, Any | None]:
    """(colours, opacity or None) of a libvips image; `padded` where what follows the colours is no opacity."""
    if image.interpretation in ("lab", "labs", "labq", "xyz", "yxy", "lch"):
        image = image.colourspace("srgb")
    count = 4 if image.interpretation == "cmyk" else 1 if image.bands < 3 else 3
    colours = image.extract_band(0, n=count) if image.bands > count else image
    return colours, None if padded or image.bands == count else image.extract_band(count)


def to_srgb(colours: Any) -> Any:
    """Grey, RGB or CMYK of 8 or 16 bits as RGB of as many; a broken or unfitting profile is ignored.

    A profile takes 8 bits and gives 8 bits: from 16, Little CMS takes a short cut that is wrong by up to 10 levels.
    """
    colours = _interpreted(colours)
    if _fits(colours):
        try:
            plain = _interpreted(eight_bits(colours))
            return plain.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True)
        except vips().Error:
            pass
    if colours.bands == 1:
        return colours.bandjoin([colours, colours])
    return colours if colours.bands == 3 else _without_ink(colours)


def over_white(colours: Any, opacity: Any) -> Any:
    """RGB laid over white, each of them of 8 or 16 bits."""
    white = white_of(colours)
    return ((colours - white) * (opacity / white_of(opacity)) + white).rint().cast(colours.format)


def premultiplied(colours: Any, opacity: Any, white: int) -> Any:
    """Both in one image, in floats, so that what cannot be seen does not show when it is scaled."""
    return colours.bandjoin(opacity).premultiply(max_alpha=white)


def unpremultiplied(image: Any, like: Any, white: int) -> tuple[Any, Any]:
    """The two again, in the type of `like`."""
    plain = image.unpremultiply(max_alpha=white, alpha_band=image.bands - 1).rint().cast(like.format)
    return plain.extract_band(0, n=image.bands - 1), plain.extract_band(image.bands - 1)


def _interpreted(colours: Any) -> Any:
    return colours.copy(interpretation=_INTERPRETATIONS[colours.bands, colours.format])


def _fits(colours: Any) -> bool:
    """Whether it has a profile for its colour model; libvips would put one of its own in the place of another."""
    if not colours.get_typeof(_PROFILE):
        return False
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(colours.get(_PROFILE))).profile
    except (OSError, TypeError):
        return False
    return bool(profile.xcolor_space.strip() == _MODELS[colours.bands])


def _without_ink(colours: Any) -> Any:
    white = white_of(colours)
    light = (white - colours.extract_band(0, n=3)) * (white - colours.extract_band(3)) / white
    return _interpreted(light.rint().cast(colours.format))
