"""A real process at its bound: what is too much fails, and the process lives on."""

import subprocess
import sys

import pytest
import torch

from ift.allocator import is_out_of_memory
from ift.errors import ImageError

PROGRAM = """
import pyarrow as pa
import torch
from PIL import Image
from ift.allocator import is_out_of_memory
from jobs.memory import limit_memory
limit_memory(2 << 30)

def outcome(work):
    try:
        work()
    except Exception as error:
        return is_out_of_memory(error)
    return "done"

print(*pa.array(["reserved"]).dictionary_encode().to_pylist())
print(outcome(lambda: torch.ones(1200 << 18)))
print(outcome(lambda: torch.ones(4 << 28)))
print(outcome(lambda: Image.new("RGB", (30_000, 30_000))))
print(outcome(lambda: [bytearray(64 << 20) for _ in range(64)]))
print(outcome(lambda: torch.ones(100 << 18)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts all of a process's data")
def test_what_needs_too_much_fails_and_the_process_lives_on():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["reserved", "done", "True", "True", "True", "done"]


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("not enough memory"), OSError(12)])
def test_other_errors_are_not_taken_for_it(error):
    assert not is_out_of_memory(error)


def test_a_gpu_without_memory_counts():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))


def test_what_an_allocation_has_caused_counts():
    error = ImageError("huge.png needs more memory than there is")
    assert not is_out_of_memory(error)
    error.__cause__ = MemoryError()
    assert is_out_of_memory(error)
