"""`flagstone agent rotate-keys`: what is typed about an overlap, and what is printed."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from fakes import FakePartyKeys

from adapters.agent.main import initialise
from adapters.keys.rotating import RotatingKeys
from gateway.bundle.succession import read_succession
from gateway.cli.main import run


@pytest.fixture
def home(tmp_path):
    council = FakePartyKeys("council").identity
    initialise(
        tmp_path / "agent",
        slug="trust",
        name="Example Trust",
        gateway="http://127.0.0.1:1",
        council=json.dumps(council.to_json()).encode(),
        fingerprint=council.fingerprint,
        kind="csv",
        source="register.csv",
    )
    return tmp_path / "agent"


def rotate(home, *options):
    return run(["agent", "rotate-keys", "--home", str(home), *options])


def made(home):
    return read_succession(RotatingKeys(home / "keys").pending())


@pytest.mark.parametrize(
    ("options", "days"),
    [((), 120), (("--overlap-days", "91"), 91), (("--overlap-days", "400"), 400)],
)
def test_the_overlap_is_what_was_typed(home, capsys, options, days):
    """The shortest that is allowed is allowed to the second; the new fingerprint is the result."""
    assert rotate(home, *options) == 0
    document = made(home)
    assert document.overlap_to - document.valid_from == timedelta(days=days)
    assert capsys.readouterr().out.strip() == document.identity.fingerprint
    assert RotatingKeys(home / "keys").lineage.current.number == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--overlap-days", "90"),
        ("--overlap-days", "401"),
        ("--overlap-until", "2020-01-01T00:00:00Z", "--reason", "suspected-compromise"),
        ("--overlap-days", "100", "--overlap-until", "2100-01-01T00:00:00Z"),
    ],
    ids=["too short", "too long", "over already", "both"],
)
def test_what_can_not_be_is_bad_input(home, options):
    """Nothing is announced then, and the keys in use stay."""
    assert rotate(home, *options) == 3
    assert RotatingKeys(home / "keys").pending() is None


def test_a_suspicion_allows_hours(home):
    """The end may be given as an instant."""
    until = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    told = ("--reason", "suspected-compromise", "--overlap-until", until.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert rotate(home, *told) == 0
    assert made(home).overlap_to == until


def test_both_sides_generations_are_listed(home, capsys):
    """Fingerprints whole, and that new keys are on their way; a second rotation is turned away meanwhile."""
    assert rotate(home) == 0
    assert rotate(home) == 3
    capsys.readouterr()
    assert run(["agent", "keys", "--home", str(home)]) == 0
    told = capsys.readouterr()
    assert FakePartyKeys("council").identity.fingerprint[:9] in told.out
    assert "has not accepted them yet" in told.err
