"""How good stylized pictures are: content kept, style reached, colours, and what is ruined."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ift.metrics.names import METRICS, Metric

if TYPE_CHECKING:
    from ift.metrics.judge import Described, Judge, Judgement

__all__ = ["METRICS", "Described", "Judge", "Judgement", "Metric"]


def __getattr__(name: str) -> Any:
    if name not in ("Described", "Judge", "Judgement"):  # which need PyTorch; the names do not
        raise AttributeError(f"module 'ift.metrics' has no attribute {name!r}")
    return getattr(import_module("ift.metrics.judge"), name)
