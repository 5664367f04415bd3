"""Configuration files as text: the template that explains every key, and what was in force in a run."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from jobs.config.keys import Key
from jobs.config.sections import SECTIONS

CONFIG_KEY = "config.toml"
"""Where in an output the configuration is that was last in force."""

_COLUMNS = 110


def template() -> str:
    """A file with every key, what it means, and its default, all of it as comments."""
    return _text((section, _blank(section)) for section in SECTIONS)


def in_force(sections: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A file with the values of some sections in full; as `--config` it gives the same again, from any folder.

    Args:
        sections: by their names, values by parameter; None where there is none.
    """
    return _text((section, _filled(section, values)) for section, values in sections.items()).encode()


def _text(sections: Iterator[tuple[str, Iterator[str]]]) -> str:
    return "\n".join(
        "\n".join([f"# {SECTIONS[section].about}", f"[{section}]", "", *lines]) for section, lines in sections
    )


def _blank(section: str) -> Iterator[str]:
    for key in SECTIONS[section].keys.values():
        yield _line(key, None)


def _filled(section: str, values: Mapping[str, Any]) -> Iterator[str]:
    for key in SECTIONS[section].keys.values():
        value = key.placed(values.get(key.parameter), lambda path: str(Path(path).absolute()))
        yield _line(key, list(value) if isinstance(value, tuple) else value)


def _line(key: Key, value: Any) -> str:
    """A key with its explanation above; without a value as a comment, with the default."""
    about = f"{key.help} ({key.wanted}{', required' if key.required else ''})"
    comment = textwrap.fill(about, _COLUMNS, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    if value is None:
        default = "" if key.default is None else _toml(key.default)
        return f"{comment}\n# {key.name} = {default}".rstrip() + "\n"
    return f"{comment}\n{key.name} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    return str(tomlkit.item(value).as_string())
