import subprocess
import sys

import pytest

PROGRAM = """
import torch
from ift.allocator import MemoryLimit, _resident, keep_memory

assert keep_memory()
limit = MemoryLimit(growth=64 << 20)
hole, pin = torch.ones(64 << 20), torch.ones(1 << 20)
full = _resident()
del hole
limit.enforce()
print(full - _resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_kept_memory_is_given_back_once_it_has_grown_too_far():
    """A 256 MiB hole below a live tensor, which trimming the top of the heap would not reach."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120)
    assert int(run.stdout) > 200 << 20
