"""What the measurements ran on."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def describe_machine(device: torch.device, dtype: torch.dtype) -> dict[str, str | int]:
    """Names and numbers for a report.

    Args:
        device: on which everything ran.
        dtype: of the model's networks.
    """
    return {
        "cpu": _cpu_name(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "dtype": str(dtype).removeprefix("torch."),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
