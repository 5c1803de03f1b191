"""`flagstone keys`: documents for partners and auditors."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cosignature import Cosigner
from audit.trust import Trust
from gateway.cli.main import run

KEYS = [
    Cosigner(f"{name}/witness", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)).verifier
    for number, name in enumerate(("trust", "force"), 1)
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAGSTONE_HOME", str(tmp_path / "home"))
    assert run(["keys", "new", "--slug", "borough", "--name", "Example Borough"]) == 0
    return tmp_path


def listed(home, *options: str) -> Trust:
    assert run(["keys", "list", "--trust", str(home / "trust.json"), *options]) == 0
    return Trust.parse((home / "trust.json").read_bytes())


def test_a_trust_file_names_witnesses_and_their_quorum(home):
    """All of them must have cosigned unless a smaller quorum is given; none are asked for without any."""
    named = [word for key in KEYS for word in ("--witness", key.vkey)]
    assert (listed(home).witnesses, listed(home).quorum) == ((), 0)
    assert (listed(home, *named).witnesses, listed(home, *named).quorum) == (tuple(KEYS), 2)
    assert listed(home, *named, "--quorum", "1").quorum == 1


@pytest.mark.parametrize(
    "options",
    [("--witness", "no key text"), ("--witness", KEYS[0].vkey, "--quorum", "2"), ("--quorum", "1")],
    ids=["no key", "out of reach", "of nobody"],
)
def test_a_trust_file_that_can_not_be_met_is_not_written(home, capsys, options):
    """A key text that is none, or a quorum out of reach, is bad input that says where to get keys."""
    capsys.readouterr()
    assert run(["keys", "list", "--trust", str(home / "trust.json"), *options]) == 3
    assert "flagstone agent witness show" in capsys.readouterr().err
    assert not (home / "trust.json").exists()
