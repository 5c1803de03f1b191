"""The reviewer's search key: one half writes, the other alone reads, and each is where it should be."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from fake_keys import FakeKeys

from adapters.keys.search import SEARCH, FileSearchKey, FileSearchSeal, create_search_key, opener_of
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError, VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.key_ports import Use

EXCHANGE = ExchangeId(UUID("11111111-2222-4333-8444-555555555555"))
OTHER = ExchangeId(UUID("99999999-2222-4333-8444-555555555555"))
SECRET = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_search_key(tmp_path / "search-key")
    return tmp_path / "search-key"


def test_what_is_sealed_opens_with_the_private_half(folder):
    """A key comes back whole, and sealing it twice gives other bytes."""
    seal = FileSearchSeal.load(folder)
    one, two = seal.seal(EXCHANGE, SECRET), seal.seal(EXCHANGE, SECRET)
    assert one != two
    assert FileSearchKey(folder).opener()(EXCHANGE, one) == SECRET


@pytest.mark.parametrize("harm", ["exchange", "cut", "flipped", "empty", "other key"])
def test_what_was_altered_or_moved_does_not_open(folder, harm):
    """A sealed key is bound to its exchange and its search key, and no byte of it can be changed."""
    sealed = FileSearchSeal.load(folder).seal(EXCHANGE, SECRET)
    opened = FileSearchKey(folder).opener()
    exchange = OTHER if harm == "exchange" else EXCHANGE
    given = {"cut": sealed[:-1], "flipped": bytes([sealed[0] ^ 1]) + sealed[1:], "empty": b""}.get(
        harm, sealed
    )
    if harm == "other key":
        other = FakeKeys()
        opened = opener_of(other, [other.create(SEARCH, Use.AGREE, datetime(2026, 1, 1, tzinfo=UTC))])
    with pytest.raises(VerificationError):
        opened(exchange, given)


def test_the_gateway_writes_without_the_private_half(folder):
    """With the private half kept elsewhere sealing goes on, and opening is not to be had."""
    (folder / "private.key").unlink()
    assert FileSearchSeal.load(folder).seal(EXCHANGE, SECRET)
    with pytest.raises(NotFoundError):
        FileSearchKey(folder).opener()


def test_both_files_are_their_owners_alone(folder):
    """Nobody else reads either half, and a file that others could read is refused."""
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "search.1.json": 0o600,
        "private.key": 0o600,
    }
    (folder / "private.key").chmod(0o640)
    with pytest.raises(ConfigurationError):
        FileSearchKey(folder).opener()


def test_a_search_key_is_made_once(folder):
    """Another would end the search of what was sealed for the first; a killed creation can be repeated."""
    with pytest.raises(ConflictError):
        create_search_key(folder)
    (folder / "search.1.json").unlink()
    (folder / "private.key").unlink()
    create_search_key(folder)
    sealed = FileSearchSeal.load(folder).seal(EXCHANGE, SECRET)
    assert FileSearchKey(folder).opener()(EXCHANGE, sealed) == SECRET


def test_a_home_without_the_key_says_what_to_run(tmp_path):
    """Where no search key was made nothing is sealed, and the way out is named."""
    (tmp_path / "search-key").mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="flagstone keys search"):
        FileSearchSeal.load(tmp_path / "search-key")
    with pytest.raises(ConfigurationError, match="flagstone keys search"):
        FileSearchSeal.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["search.1.json", "private.key"])
def test_a_damaged_file_is_refused(folder, name):
    """A key that is not 32 bytes is named as damaged."""
    (folder / name).write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="damaged"):
        FileSearchSeal.load(folder) if name == "search.1.json" else FileSearchKey(folder).opener()
