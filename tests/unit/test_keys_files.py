"""Keys in files: whole or not at all, for their owner's eyes, never overwritten."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from adapters.keys.files import (
    FileExchangeKeys,
    FilePartyKeys,
    FilePrekeys,
    create_party_keys,
)
from adapters.keys.folder import SecretFolder
from adapters.keys.logkey import create_signer, load_signer
from gateway.bundle.jws import verify_jws
from gateway.domain.errors import (
    BadInputError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    VerificationError,
)
from gateway.domain.exchange import ExchangeId
from gateway.linkage.secret import one_time_public, x25519

TYP = "flagstone-test+jws"
EXCHANGE = ExchangeId(UUID("11111111-2222-4333-8444-555555555555"))
OTHER = ExchangeId(UUID("99999999-2222-4333-8444-555555555555"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys to copy: making one waits for the disk several times."""
    folder = tmp_path_factory.mktemp("made") / "keys"
    create_party_keys(folder, "trust", "T")
    return folder


@pytest.fixture
def made(made_once: Path, folder: Path) -> Path:
    return Path(shutil.copytree(made_once, folder))


def test_keys_survive_the_files(folder: Path) -> None:
    """What was made is what is loaded: signatures verify and key agreement meets under the identity."""
    made = create_party_keys(folder, "trust", "The Trust")
    keys = FilePartyKeys.load(folder)
    assert keys.identity == made.identity
    assert verify_jws(keys.sign(b"x", TYP), TYP, keys.identity.signing) == b"x"
    assert verify_jws(keys.sign_in(b"x", TYP), TYP, keys.identity.auth) == b"x"
    peer = b"\x05" * 32
    assert keys.agree(one_time_public(peer)) == x25519(peer, keys.identity.exchange)
    assert repr(keys) == "FilePartyKeys(trust)"


def test_the_three_keys_differ(folder: Path) -> None:
    """No key pair serves two uses, and two organisations share none."""
    one = create_party_keys(folder, "trust", "T").identity
    two = create_party_keys(folder.with_name("other"), "trust", "T").identity
    keys = {one.signing, one.exchange, one.auth, two.signing, two.exchange, two.auth}
    assert len(keys) == 6


def test_a_peer_of_small_order_is_refused(folder: Path) -> None:
    """Agreeing with an all-zero key raises instead of giving a known secret."""
    with pytest.raises(VerificationError):
        create_party_keys(folder, "trust", "T").agree(bytes(32))


def test_files_are_their_owners_alone(folder: Path) -> None:
    """The folder is made 0700 and every file 0600."""
    create_party_keys(folder, "trust", "T")
    create_signer(folder, "flagstone.example/trust")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_keys_are_never_overwritten(folder: Path) -> None:
    """A second creation in the same folder is a conflict, and the first keys stay."""
    first = create_party_keys(folder, "trust", "T").identity
    with pytest.raises(ConflictError):
        create_party_keys(folder, "trust", "T")
    assert FilePartyKeys.load(folder).identity == first


def test_a_creation_that_was_killed_can_be_repeated(folder: Path) -> None:
    """Key files without an identity document are leftovers: making keys again replaces them."""
    create_party_keys(folder, "trust", "T")
    (folder / "identity.json").unlink()
    again = create_party_keys(folder, "trust", "T")
    assert FilePartyKeys.load(folder).identity == again.identity


def test_a_bad_name_makes_nothing(folder: Path) -> None:
    """A slug that is not fit leaves no folder behind."""
    with pytest.raises(BadInputError):
        create_party_keys(folder, "../x", "T")
    assert not folder.exists()


def _replaced_by_link(path: Path) -> None:
    target = path.rename(path.with_name("elsewhere"))
    path.symlink_to(target)


def _replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["identity.json", "signing.key", "exchange.key", "auth.key"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.chmod(0o640),
        lambda path: path.chmod(0o604),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x01" * 31),
        lambda path: path.write_bytes(b"\x01" * 32),
        _replaced_by_link,
        _replaced_by_folder,
    ],
)
def test_a_harmed_key_file_is_refused(made: Path, name: str, harm: Callable[[Path], object]) -> None:
    """Open to others, missing, short, foreign or no plain file: a configuration error, without its bytes."""
    harm(made / name)
    with pytest.raises(ConfigurationError, match="key"):
        FilePartyKeys.load(made)


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_an_open_folder_is_refused(made: Path, mode: int) -> None:
    """A folder that group or others may enter is refused, with the way out."""
    made.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        FilePartyKeys.load(made)


def test_a_missing_or_false_folder_is_refused(tmp_path: Path) -> None:
    """No folder, a file and a link to a folder are each refused."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("none", "file", "link"):
        with pytest.raises(ConfigurationError, match="folder"):
            FilePartyKeys.load(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_anothers_files_are_refused(made: Path) -> None:
    """A key file that belongs to another user is refused."""
    os.chown(made / "signing.key", 12345, 12345)
    with pytest.raises(ConfigurationError, match="another user"):
        FilePartyKeys.load(made)


def test_exchange_keys_are_put_once(folder: Path) -> None:
    """The same bytes again do nothing; other bytes under the name are a conflict and change nothing."""
    keys = FileExchangeKeys(folder)
    keys.put(EXCHANGE, "secret", b"a" * 32)
    keys.put(EXCHANGE, "secret", b"a" * 32)
    with pytest.raises(ConflictError):
        keys.put(EXCHANGE, "secret", b"b" * 32)
    assert FileExchangeKeys(folder).get(EXCHANGE, "secret") == b"a" * 32


def test_destroyed_keys_are_gone(folder: Path) -> None:
    """After `destroy`, which may be repeated, the key can't be had; other names and exchanges stay."""
    keys = FileExchangeKeys(folder)
    for exchange, name in ((EXCHANGE, "secret"), (EXCHANGE, "results"), (OTHER, "secret")):
        keys.put(exchange, name, name.encode())
    keys.destroy(EXCHANGE, "secret")
    keys.destroy(EXCHANGE, "secret")
    with pytest.raises(NotFoundError):
        keys.get(EXCHANGE, "secret")
    assert keys.get(EXCHANGE, "results") == b"results"
    assert keys.get(OTHER, "secret") == b"secret"


def test_destroy_takes_a_crashed_draft_too(folder: Path) -> None:
    """A key that a killed process had written under a draft's name dies with the key."""
    keys = FileExchangeKeys(folder)
    keys.put(EXCHANGE, "secret", b"a")
    (folder / f".{EXCHANGE}.secret~99999").write_bytes(b"a")
    keys.destroy(EXCHANGE, "secret")
    assert list(folder.iterdir()) == []


def test_no_draft_stays_behind(folder: Path) -> None:
    """Whether it is put or refused, only the final file is in the folder."""
    keys = FileExchangeKeys(folder)
    keys.put(EXCHANGE, "secret", b"a")
    with pytest.raises(ConflictError):
        keys.put(EXCHANGE, "secret", b"b")
    assert [path.name for path in folder.iterdir()] == [f"{EXCHANGE}.secret"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "a.b", "x" * 65, "a~1"])
def test_names_stay_inside_the_folder(folder: Path, name: str) -> None:
    """A name that could be a path or another exchange's file is refused."""
    keys = FileExchangeKeys(folder)
    with pytest.raises(ConfigurationError):
        keys.put(EXCHANGE, name, b"a")
    with pytest.raises(ConfigurationError):
        keys.destroy(EXCHANGE, name)


def test_older_keys_are_found(folder: Path) -> None:
    """A sweep sees the exchanges whose key of the name was put before the moment, and no others."""
    keys = FileExchangeKeys(folder)
    for exchange, name in ((EXCHANGE, "secret"), (EXCHANGE, "results"), (OTHER, "secret")):
        keys.put(exchange, name, b"a")
    moment = datetime.now(UTC) - timedelta(hours=1)
    for name in ("secret", "results"):
        os.utime(folder / f"{EXCHANGE}.{name}", (moment.timestamp() - 60,) * 2)
    assert keys.older_than("secret", moment) == [EXCHANGE]
    assert keys.older_than("seal", moment) == []


def test_prekeys_agree_once_made_and_never_after(folder: Path) -> None:
    """Each prekey meets its public half until it is destroyed; ids are all different."""
    prekeys = FilePrekeys(folder)
    made = prekeys.make(3)
    peer = b"\x06" * 32
    for prekey, public in made:
        assert prekeys.agree(prekey, one_time_public(peer)) == x25519(peer, public)
    assert sorted(prekey for prekey, _ in made) == FilePrekeys(folder).ids()
    prekeys.destroy(made[0][0])
    with pytest.raises(NotFoundError):
        prekeys.agree(made[0][0], one_time_public(peer))
    assert len(prekeys.ids()) == 2


def test_the_log_key_is_made_once(folder: Path) -> None:
    """The signer loads under the name that it was made with; a second key is refused."""
    made = create_signer(folder, "flagstone.example/trust")
    assert load_signer(folder).name == made.name == "flagstone.example/trust"
    with pytest.raises(ConflictError):
        create_signer(folder, "flagstone.example/trust")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"name": "x", "seed": "zz"}', b'{"name": 1, "seed": ""}']
)
def test_a_damaged_log_key_is_refused(folder: Path, content: bytes) -> None:
    """A log key that doesn't parse is a configuration error, as is a missing one."""
    create_signer(folder, "flagstone.example/trust")
    (folder / "log.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="damaged"):
        load_signer(folder)
    (folder / "log.json").unlink()
    with pytest.raises(ConfigurationError, match="missing"):
        load_signer(folder)


def test_creation_starts_closed_whatever_the_umask(folder: Path) -> None:
    """A permissive umask opens neither folder nor file."""
    before = os.umask(0)
    try:
        SecretFolder(folder).create()
        SecretFolder(folder).put({"a": b"x"})
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "a").stat().st_mode & 0o777 == 0o600
