"""Checkpoints of a training: one safetensors object each, so that weights and history can never be of two moments."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ift.weights import below
from jobs.errors import JobError, NotFoundInStoreError
from jobs.parquet import from_parquet, to_parquet
from jobs.storage import Store
from jobs.train.curves import Row

FOLDER = "checkpoints/"
KEPT = 2
"""How many are kept: the newest, and the one before in case that cannot be read."""

_KEY = re.compile(re.escape(FOLDER) + r"step-(\d{8,})\.safetensors")
_STATE, _SCALE, _HISTORY = "state.", "encoder.", "history"


@dataclass(frozen=True)
class Checkpoint:
    """A training at one moment.

    Attributes:
        step: how many steps are done.
        state: of `ift.training.training.Training`.
        scales: (C,) the mean activation of each of the encoder's filters, by convolution.
        history: a row for each step that is done.
        seconds: that the training has taken so far.
        unreadable: names of the photos that could not be used, with the reasons.
    """

    step: int
    state: Mapping[str, Tensor]
    scales: Mapping[str, Tensor]
    history: list[Row] = field(default_factory=list)
    seconds: float = 0.0
    unreadable: Mapping[str, str] = field(default_factory=dict)


def write_checkpoint(store: Store, checkpoint: Checkpoint) -> None:
    """Writes it, whole or not at all, and removes all but the newest.

    Raises:
        StorageError: the store refuses, or is away.
    """
    store.write(_key(checkpoint.step), _to_bytes(checkpoint))
    for step in sorted(_steps(store), reverse=True)[KEPT:]:
        store.delete(_key(step))


def read_checkpoint(store: Store, step: int) -> Checkpoint:
    """The checkpoint after `step` steps.

    Raises:
        JobError: it is damaged.
        NotFoundInStoreError: there is none.
    """
    return _from_bytes(store.read(_key(step)), f"{store.uri}/{_key(step)}")


def latest_checkpoint(store: Store, warn: Callable[[str], object] = lambda text: None) -> Checkpoint | None:
    """The newest checkpoint that can be read; None if there is none at all.

    Args:
        store: of the training's output.
        warn: told of each that is damaged and therefore skipped.

    Raises:
        JobError: there are some, and none can be read.
    """
    damage = None
    for step in sorted(_steps(store), reverse=True):
        try:
            return read_checkpoint(store, step)
        except NotFoundInStoreError:
            return latest_checkpoint(store, warn)  # for there is a newer one by now
        except JobError as error:
            damage = error
            warn(f"{error}; going on from the one before")
    if damage is not None:
        raise JobError(f"{damage}, and there is no other: remove {store.uri}/{FOLDER} to start again")
    return None


def has_checkpoints(store: Store) -> bool:
    """Whether there is any, readable or not."""
    return bool(_steps(store))


def _key(step: int) -> str:
    return f"{FOLDER}step-{step:08d}.safetensors"


def _steps(store: Store) -> list[int]:
    return [int(match[1]) for key in store.list(FOLDER) if (match := _KEY.fullmatch(key))]


def _to_bytes(checkpoint: Checkpoint) -> bytes:
    history = to_parquet(_table(checkpoint.history))
    tensors = {_STATE + key: value for key, value in checkpoint.state.items()}
    tensors |= {_SCALE + key: value for key, value in checkpoint.scales.items()}
    tensors[_HISTORY] = torch.frombuffer(bytearray(history), dtype=torch.uint8)
    known = {"step": checkpoint.step, "seconds": checkpoint.seconds, "unreadable": dict(checkpoint.unreadable)}
    return save(tensors, {"training": json.dumps(known)})


def _table(rows: list[Row]) -> pa.Table:
    """Of all columns that any row has; `from_pylist` takes those of the first."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _from_bytes(data: bytes, name: str) -> Checkpoint:
    try:
        tensors = load(data)
        known = json.loads(_metadata(data)["training"])
        history = from_parquet(pa.py_buffer(tensors.pop(_HISTORY).numpy().tobytes()))
        return Checkpoint(
            known["step"],
            below(tensors, _STATE),
            below(tensors, _SCALE),
            [{key: value for key, value in row.items() if value is not None} for row in history.to_pylist()],
            known["seconds"],
            known["unreadable"],
        )
    except (SafetensorError, pa.ArrowException, OSError, KeyError, ValueError, struct.error) as error:
        raise JobError(f"{name} is damaged ({str(error).splitlines()[0]})") from error


def _metadata(data: bytes) -> dict[str, str]:
    """What `save` was given beside the tensors, which `load` leaves out: in the header, after its length."""
    (length,) = struct.unpack_from("<Q", data)
    known: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return known
