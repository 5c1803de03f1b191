"""The two stores that every contract test of a store runs against."""

import pytest
from fakes import FakeStore

from gateway.ports import Store


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    return FakeStore() if request.param == "fake" else request.getfixturevalue("postgres").store()
