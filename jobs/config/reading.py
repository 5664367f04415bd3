"""A configuration file, read and checked: every table, key and value, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from jobs.config.sections import SECTIONS
from jobs.errors import ConfigError
from jobs.storage import read_uri, resolve_uri
from jobs.storage.uris import scheme, shown

_MOST_BYTES = 1 << 20
_ALL_KEYS = "`python -m jobs.stylize config` tells every key"


@dataclass(frozen=True)
class ConfigFile:
    """What a configuration file says.

    Attributes:
        uri: where it lies, absolute.
        said: by section and key, as it stands there.
    """

    uri: str
    said: Mapping[str, Mapping[str, Any]]

    def values(self, section: str) -> dict[str, Any]:
        """Values of a section by the parameters that take them; relative paths are taken from the file's folder.

        Raises:
            ConfigError: a path leads out of the bucket.
        """
        values = {}
        for name, said in self.said.get(section, {}).items():
            key = SECTIONS[section].keys[name]
            values[key.parameter] = key.placed(key.parse(said), lambda path: resolve_uri(path, self.uri))
        return values

    def complete(self, section: str) -> dict[str, Any]:
        """`values`, with the defaults of what the file leaves out.

        Raises:
            ConfigError: something required is left out.
        """
        keys = SECTIONS[section].keys
        missing = [name for name, key in keys.items() if key.required and name not in self.said.get(section, {})]
        if missing:
            raise ConfigError(f"{self.uri}: [{section}] lacks {' and '.join(missing)}; {_ALL_KEYS}")
        return {key.parameter: key.default for key in keys.values()} | self.values(section)


def read_config(uri: str) -> ConfigFile:
    """Reads and checks a configuration file, local or on S3.

    Raises:
        ConfigError: it is no TOML, or has a table or key that means nothing, or a value of the wrong kind; the message
            names it and the way out.
        StorageError: it cannot be read.
    """
    uri = uri if scheme(uri) else str(Path(uri).absolute())
    try:
        said = tomlkit.parse(read_uri(uri, most_bytes=_MOST_BYTES).decode()).unwrap()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"{uri} is no TOML: {shown(str(error))}") from error
    for section, table in said.items():
        if section not in SECTIONS or not isinstance(table, dict):
            raise ConfigError(f"{uri}: {_misplaced(section)}")
        for name, value in table.items():
            _check(uri, section, name, value)
    return ConfigFile(uri, said)


def _check(uri: str, section: str, name: str, value: Any) -> None:
    keys = SECTIONS[section].keys
    if name not in keys:
        raise ConfigError(f"{uri}: [{section}] has no key {shown(name)}{_instead(section, name)}")
    try:
        keys[name].parse(value)
    except ValueError:
        raise ConfigError(
            f"{uri}: [{section}] {name} = {shown(_as_text(value))}: it must be {keys[name].wanted}"
        ) from None


def _misplaced(name: str) -> str:
    """What is wrong with something at the top of the file that is none of the tables."""
    tables = [section for section, known in SECTIONS.items() if name in known.keys]
    if tables:
        return f"{name} stands outside of all tables: put it below {' or '.join(f'[{each}]' for each in tables)}"
    near = get_close_matches(name, SECTIONS, n=1)
    hint = f"did you mean [{near[0]}]?" if near else f"the tables are {', '.join(f'[{each}]' for each in SECTIONS)}"
    return f"there is no table [{shown(name)}]: {hint}"


def _instead(section: str, name: str) -> str:
    for other, known in SECTIONS.items():
        if other != section and name in known.keys:
            return f": {name} belongs to [{other}]"
    near = get_close_matches(name, SECTIONS[section].keys, n=1)
    return f": did you mean {near[0]}?" if near else f"; {_ALL_KEYS}"


def _as_text(value: Any) -> str:
    return tomlkit.item(value).as_string() if not isinstance(value, dict) else "a table"
