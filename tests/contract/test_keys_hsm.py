"""A whole exchange with keys that live in a PKCS#11 token, and what the token does not give away."""

from datetime import UTC, datetime
from pathlib import Path

import pkcs11
import pytest
from fake_store import FakeStore
from jobworld import a_job
from pkcs11.exceptions import AttributeSensitive, DeviceRemoved, PKCS11Error
from softhsm import PIN, SoftHsm

from adapters.keys.backend import Held
from adapters.keys.files import FileExchangeKeys, FilePartyKeys, create_party_keys, party_ring
from adapters.keys.hsm import HsmBackend
from adapters.keys.logkey import create_signer
from adapters.keys.places import Places
from adapters.keys.rotating import RotatingKeys
from adapters.keys.search import FileSearchKey, FileSearchSeal, create_search_key
from audit.checkpoint import open_checkpoint
from gateway.cli.main import run
from gateway.domain.errors import ConfigurationError, KeyPlaceError, NotFoundError
from gateway.domain.exchange import Status
from gateway.key_ports import KeyRef, Use
from gateway.service import answers, results
from gateway.service.sealing import SEAL_KEY, TAGS_KEY

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def places(softhsm: SoftHsm) -> Places:
    return Places(others={"pkcs11": softhsm.backend()}, new="pkcs11")


def test_a_whole_exchange_is_signed_agreed_and_sealed_in_the_token(tmp_path: Path, places: Places) -> None:
    """From the signed request over the answer to the result: every private key of the council's is in the
    token, none in a file, and the log's checkpoints verify under the key there.
    """
    create_party_keys(tmp_path / "keys", "council", "Council", places)
    keys = RotatingKeys(tmp_path / "keys", places)
    signer = create_signer(tmp_path / "log-key", "flagstone/council", places)
    create_search_key(tmp_path / "search-key", places)
    exchange_keys = FileExchangeKeys(tmp_path / "exchange-keys", party_ring(tmp_path / "keys", places))
    job = a_job(
        store=FakeStore(signer),
        keys=keys,
        exchange_keys=exchange_keys,
        search_seal=FileSearchSeal.load(tmp_path / "search-key", places),
    )
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    assert job.drive(exchange) == Status.RELEASED
    assert results.read(job.context, job.analyst, exchange)
    with job.store.begin() as uow:
        assert open_checkpoint(uow.log.checkpoint(), signer.verifier).size == uow.log.size()
    assert len(exchange_keys.get(exchange, SEAL_KEY)) == 32
    opened = FileSearchKey(tmp_path / "search-key", places).opener()
    assert len(opened(exchange, exchange_keys.get(exchange, TAGS_KEY))) == 32
    assert not list(tmp_path.rglob("*.key"))


def test_no_private_value_can_be_read_out(tmp_path: Path, places: Places, softhsm: SoftHsm) -> None:
    """Each private and secret key of the token was made inside, is sensitive and was never extractable;
    asking for its value is refused by the token itself.
    """
    ring = places.ring(_folder(tmp_path), {})
    for kind, use in (("signing", Use.SIGN), ("exchange", Use.AGREE), ("sealing", Use.SEAL)):
        ring.create(kind, use, AT)
    token = pkcs11.lib(str(softhsm.module)).get_token(token_label=softhsm.token)
    with _session(token) as session:
        objects = [
            found
            for kind in (pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.ObjectClass.SECRET_KEY)
            for found in session.get_objects({pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.TOKEN: True})
        ]
        assert len(objects) >= 3
        for found in objects:
            assert not found[pkcs11.Attribute.EXTRACTABLE]
            for always in ("SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL"):
                assert found[pkcs11.Attribute[always]], always
            with pytest.raises(AttributeSensitive):
                found[pkcs11.Attribute.VALUE]
            with pytest.raises(PKCS11Error):
                found[pkcs11.Attribute.EXTRACTABLE] = True


def _session(token):
    try:
        return token.open(rw=True, user_pin=PIN)
    except pkcs11.exceptions.UserAlreadyLoggedIn:
        return token.open(rw=True)


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "ring").mkdir(mode=0o700, exist_ok=True)
    return tmp_path / "ring"


def test_a_key_that_the_token_lost_is_found_out_at_the_start(tmp_path: Path, places: Places) -> None:
    """A description without its key is a configuration error when keys are loaded, not a failure in a job."""
    create_party_keys(tmp_path / "keys", "council", "Council", places)
    ring = party_ring(tmp_path / "keys", places)
    known = ring._get(KeyRef("signing", 1))
    ring._backend("pkcs11").destroy(known.held)
    with pytest.raises(NotFoundError):
        ring.sign(KeyRef("signing", 1), b"x")
    with pytest.raises(ConfigurationError, match="missing"):
        FilePartyKeys.load(tmp_path / "keys", places)


def test_a_token_that_is_not_set_up_is_named(tmp_path: Path, places: Places) -> None:
    """Keys that live in a token are of no use, and said to be there, where no token is configured."""
    create_party_keys(tmp_path / "keys", "council", "Council", places)
    with pytest.raises(ConfigurationError, match="pkcs11, which is not set up"):
        FilePartyKeys.load(tmp_path / "keys")
    assert {key.place for key in party_ring(tmp_path / "keys").known()} == {"pkcs11 (not set up here)"}


def test_what_is_wrong_with_a_token_is_told_apart(tmp_path: Path, softhsm: SoftHsm) -> None:
    """No module, no token of this label: each named by its setting."""
    with pytest.raises(ConfigurationError, match="FLAGSTONE_PKCS11_MODULE"):
        HsmBackend.open(tmp_path / "none.so", "x", lambda: b"", "x")
    with pytest.raises(ConfigurationError, match="FLAGSTONE_PKCS11_TOKEN"):
        softhsm.backend(token="another").create(KeyRef("signing", 1), Use.SIGN)


def test_a_damaged_handle_finds_no_other_key(places: Places) -> None:
    """An empty handle would mean every key of the token: refused before the token is asked."""
    backend = places.others["pkcs11"]
    for handle in ("", "00", "zz" * 16):
        with pytest.raises(ConfigurationError, match="damaged"):
            backend.destroy(Held(KeyRef("signing", 1), handle))


def test_an_error_of_the_token_gives_the_session_up(places: Places) -> None:
    """After a failure the next use begins anew, so that a token which came back is found."""
    backend = places.others["pkcs11"]
    handle, _ = backend.create(KeyRef("signing", 1), Use.SIGN)
    held = Held(KeyRef("signing", 1), handle)

    class Gone:
        def get_key(self, **_):
            raise DeviceRemoved

    backend._session = Gone()
    with pytest.raises(KeyPlaceError, match="DeviceRemoved"):
        backend.sign(held, b"x")
    assert backend.sign(held, b"x")


def test_the_commands_make_and_list_keys_in_the_token(tmp_path, softhsm, monkeypatch, capsys) -> None:
    """`keys new` with FLAGSTONE_KEYS_IN=pkcs11 makes every key inside; `keys list` says where each lives."""
    for name, value in softhsm.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FLAGSTONE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["keys", "new", "--slug", "borough", "--name", "Example Borough"]) == 0
    capsys.readouterr()
    assert run(["keys", "list"]) == 0
    said = capsys.readouterr().out
    assert said.count(f"PKCS#11 token {softhsm.token}") == 6
    assert not list((tmp_path / "home").rglob("*.key"))
    softhsm.pin_file.chmod(0o640)
    try:
        assert run(["keys", "new", "--slug", "other", "--name", "Other"]) != 0
    finally:
        softhsm.pin_file.chmod(0o600)
