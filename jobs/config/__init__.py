"""One TOML file for a run, its manifest and its nights: read, checked, explained, and written into the output."""

from jobs.config.flag import Config
from jobs.config.keys import Key
from jobs.config.reading import ConfigFile, read_config
from jobs.config.sections import SECTIONS, Night, building, resting
from jobs.config.travel import with_flags_of_config
from jobs.config.writing import CONFIG_KEY, in_force, template

__all__ = [
    "CONFIG_KEY", "SECTIONS", "Config", "ConfigFile", "Key", "Night", "building", "in_force", "read_config", "resting",
    "template", "with_flags_of_config",
]  # fmt: skip
