"""What regions are called: whole numbers, nine of which have the names of colours."""

from __future__ import annotations

import re

from ift.errors import SettingsError

NAMED_COLOURS: dict[str, int] = {
    "black": 0,
    "grey": 128,
    "white": 255,
    "red": 256,
    "green": 257,
    "blue": 258,
    "yellow": 259,
    "light_blue": 260,
    "purple": 261,
}
"""The colours of colour masks and their labels. Black, grey and white are what they are in a grey file."""

_ALIASES = {"gray": "grey", "lightblue": "light_blue", "cyan": "light_blue", "magenta": "purple"}


def label_of(text: str) -> int:
    """The label that a user means by a colour's name ("light blue", "grey") or a whole number ("7").

    Raises:
        SettingsError: `text` is neither; the message lists what is allowed.
    """
    plain = re.sub(r"[\s_-]+", "_", text.strip().lower())
    colour = _ALIASES.get(plain, plain)
    if colour in NAMED_COLOURS:
        return NAMED_COLOURS[colour]
    if re.fullmatch(r"[+-]?[0-9]{1,10}", text.strip()) and -(2**31) <= int(text) < 2**31:
        return int(text)
    raise SettingsError(f"{text!r} is no label: give a whole number, or a colour: {', '.join(NAMED_COLOURS)}")


def is_label(text: str) -> bool:
    """Whether `label_of` understands a text, so that it is not the name of a file."""
    try:
        label_of(text)
    except SettingsError:
        return False
    return True
