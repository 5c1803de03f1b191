"""The sweep: what fails keeps nothing else from its turn."""

import pytest

from gateway.domain.errors import FlagstoneError, StoreUnavailableError
from gateway.workflows import Workflows


def test_a_step_that_fails_does_not_keep_the_others_from_their_turn():
    """The rest is done, and afterwards the failure is told by class, without its text."""
    done = []

    def fails():
        raise ValueError("Ann Example")

    with pytest.raises(FlagstoneError, match="ValueError") as told:
        Workflows.each_of(lambda: done.append(1), fails, lambda: done.append(2))
    assert done == [1, 2]
    assert "Ann" not in str(told.value)


def test_a_store_that_is_away_ends_the_sweep_at_once():
    """What the next steps need as well is not tried again by each of them."""
    done = []

    def away():
        raise StoreUnavailableError("away", place="store")

    with pytest.raises(StoreUnavailableError):
        Workflows.each_of(away, lambda: done.append(1))
    assert done == []
