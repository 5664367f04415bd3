import pytest

from jobs.benchmark.bench import Bench


@pytest.fixture(scope="session")
def bench():
    """A session on the CPU with as few repetitions as there can be."""
    return Bench("cpu", repetitions=1, pairs=4)
