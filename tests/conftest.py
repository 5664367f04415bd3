"""Fixtures that several test files share."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

from jobs.benchmark.seaweed import S3Server, serve

# No deadlines, for a busy machine is no failure; derandomised, so that a red test is the change's fault.
settings.register_profile("ift", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ift")

# The pictures here are small: threads would wait for one another longer than they work.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server; the environment of this process, and so of those it starts, leads to it."""
    with serve() as server, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
