"""A command with a local configuration file, made one that another machine understands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import typer

from jobs.config.reading import ConfigFile, read_config
from jobs.config.sections import SECTIONS
from jobs.errors import ConfigError
from jobs.storage.uris import scheme


def with_flags_of_config(arguments: Sequence[str], context: typer.Context, working_dir: str) -> list[str]:
    """The arguments of a command, with flags in place of a local `--config`; one on S3 stays.

    Args:
        arguments: of a command of `jobs.stylize`.
        context: what the command makes of them.
        working_dir: folder that becomes the working directory on the other machine. Relative paths in the file must
            lead into it, and are then taken from there.

    Raises:
        ConfigError: a relative path leads elsewhere.
    """
    uri = context.params.get("config")
    if uri is None or scheme(uri) == "s3":
        return list(arguments)
    file = read_config(uri)
    words: list[str] = []
    for name, said in file.said.get("run", {}).items():
        key = SECTIONS["run"].keys[name]
        source = context.get_parameter_source(key.parameter)
        if source is not None and source.name == "DEFAULT_MAP":  # the command has it, and no flag overrules it
            place = partial(_there, file, name, working_dir)
            words += key.words(key.placed(key.parse(said), place))
    return words + _without_config(arguments)


def _there(file: ConfigFile, name: str, working_dir: str, path: str) -> str:
    """What leads to the same file from the copy of the working directory."""
    if Path(path).is_absolute():
        return path
    relative = os.path.relpath(Path(file.uri).parent / path, working_dir)
    if relative.startswith(".."):
        raise ConfigError(
            f"{file.uri}: [run] {name} = {path!r} lies outside of --working-dir, so it does not travel to the cluster:"
            " give s3://… or the absolute path of a folder that all nodes share"
        )
    return relative


def _without_config(arguments: Sequence[str]) -> list[str]:
    rest = list(arguments)
    at = next(place for place, word in enumerate(rest) if word.partition("=")[0] == "--config")
    del rest[at : at + (1 if "=" in rest[at] else 2)]
    return rest
