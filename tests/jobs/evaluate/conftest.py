import pytest

from ift import Stylizer


@pytest.fixture(scope="session")
def model():
    return Stylizer.from_pretrained()
