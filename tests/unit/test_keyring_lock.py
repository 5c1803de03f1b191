"""Key files sealed at rest: under a passphrase or a key file, in place, whole or not at all."""

import inspect
import os
import stat
from pathlib import Path

import pytest

from adapters.keys.files import FilePartyKeys, create_party_keys
from adapters.keys.folder import SecretFolder
from adapters.keys.lock import KeyringLock, is_sealed, read_key_file
from adapters.keys.logkey import load_signer
from adapters.keys.places import Places
from adapters.keys.settings import read_key_settings
from gateway.bootstrap import only_one
from gateway.cli import keyring
from gateway.cli.main import run
from gateway.domain.errors import ConfigurationError

PHRASE = "correct horse battery staple"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A council's home as it is made without a passphrase."""
    monkeypatch.setenv("FLAGSTONE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert run(["keys", "new", "--slug", "borough", "--name", "Example Borough"]) == 0
    return tmp_path / "home"


def written(path: Path, content: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(content)
    return path


@pytest.fixture
def phrase(tmp_path, monkeypatch):
    file = written(tmp_path / "phrase", PHRASE + "\nsecond line\n")
    monkeypatch.setenv("FLAGSTONE_KEYRING_PASSPHRASE_FILE", str(file))
    return file


def key_files(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*.key")}


def test_sealing_leaves_nothing_raw_and_every_key_of_use(home, phrase):
    """The same keys sign as before, no raw byte of any is left in the home, and again it does nothing."""
    before, identity = key_files(home), FilePartyKeys.load(home / "keys").identity
    signer = load_signer(home / "log-key").verifier
    assert run(["keys", "seal"]) == 0
    after = key_files(home)
    assert all(is_sealed(content) for content in after.values())
    everything = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert not any(raw in everything or raw.hex().encode() in everything for raw in before.values())
    places = read_key_settings().places(home)
    assert FilePartyKeys.load(home / "keys", places).identity == identity
    assert load_signer(home / "log-key", places).verifier == signer
    assert run(["keys", "seal"]) == 0
    assert key_files(home) == after


def test_a_home_of_before_there_were_generations_is_sealed_in_place(home, phrase):
    """Raw files without descriptions and the log's seed in its document: used as they are, then sealed."""
    seed = (home / "log-key" / "log.key").read_bytes()
    for path in (*home.rglob("*.1.json"), home / "log-key" / "log.key"):
        path.unlink()
    document = f'{{"type": "flagstone/log-key/v1", "name": "flagstone/borough", "seed": "{seed.hex()}"}}'
    (home / "log-key" / "log.json").write_text(document)
    identity, log = FilePartyKeys.load(home / "keys").identity, load_signer(home / "log-key").verifier
    assert run(["keys", "list"]) == 0
    assert run(["keys", "seal"]) == 0
    assert seed.hex() not in (home / "log-key" / "log.json").read_text()
    places = read_key_settings().places(home)
    assert FilePartyKeys.load(home / "keys", places).identity == identity
    assert load_signer(home / "log-key", places).verifier == log


def test_sealing_that_was_cut_short_goes_on(home, phrase, monkeypatch):
    """Killed between two files, one is sealed and the rest raw: all are of use, and the next run goes on."""
    replace, done = SecretFolder.replace, []

    def once(folder, name, secret):
        if done:
            raise KeyboardInterrupt
        done.append(name)
        replace(folder, name, secret)

    monkeypatch.setattr(SecretFolder, "replace", once)
    assert run(["keys", "seal"]) != 0
    monkeypatch.setattr(SecretFolder, "replace", replace)
    assert sorted(map(is_sealed, key_files(home).values())).count(True) == 1
    FilePartyKeys.load(home / "keys", read_key_settings().places(home))
    assert run(["keys", "seal"]) == 0
    assert all(map(is_sealed, key_files(home).values()))


def test_a_wrong_passphrase_opens_nothing(home, phrase):
    """It is told apart from an altered file, and neither the phrase nor a key stands in the text."""
    assert run(["keys", "seal"]) == 0
    phrase.write_text("another horse battery staple\n")
    with pytest.raises(ConfigurationError, match="not the passphrase") as raised:
        FilePartyKeys.load(home / "keys", read_key_settings().places(home))
    assert "horse" not in str(raised.value)


@pytest.mark.parametrize("harm", ["flipped", "cut", "another's"])
def test_an_altered_or_exchanged_sealed_file_is_refused(home, phrase, harm):
    """Each file is bound to its name: one key's can't take another's place."""
    assert run(["keys", "seal"]) == 0
    file = home / "keys" / "signing.key"
    content = file.read_bytes()
    other = (home / "keys" / "auth.key").read_bytes()
    changed = {"flipped": content[:-1] + bytes([content[-1] ^ 1]), "cut": content[:-1], "another's": other}
    file.write_bytes(changed[harm])
    with pytest.raises(ConfigurationError, match="altered"):
        FilePartyKeys.load(home / "keys", read_key_settings().places(home))


def test_a_key_file_opens_as_a_passphrase_does(home, tmp_path, monkeypatch):
    """`--make-key-file` makes 32 random bytes of mode 0600; without them nothing opens."""
    monkeypatch.setenv("FLAGSTONE_KEYRING_KEY_FILE", str(tmp_path / "medium.key"))
    assert run(["keys", "seal", "--by", "key-file", "--make-key-file", str(tmp_path / "medium.key")]) == 0
    assert stat.S_IMODE((tmp_path / "medium.key").stat().st_mode) == 0o600
    assert run(["keys", "list"]) == 0
    (tmp_path / "medium.key").write_bytes(os.urandom(32))
    with pytest.raises(ConfigurationError, match="not the key-file"):
        FilePartyKeys.load(home / "keys", read_key_settings().places(home))


def test_systemd_hands_the_passphrase_over(home, tmp_path, phrase, monkeypatch):
    """A credential of the right name in $CREDENTIALS_DIRECTORY is used where no file is named."""
    assert run(["keys", "seal"]) == 0
    monkeypatch.delenv("FLAGSTONE_KEYRING_PASSPHRASE_FILE")
    with pytest.raises(ConfigurationError, match="no passphrase"):
        FilePartyKeys.load(home / "keys", read_key_settings().places(home))
    (tmp_path / "credentials").mkdir(mode=0o700)
    phrase.rename(tmp_path / "credentials" / "flagstone-keyring-passphrase")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    handed = tmp_path / "credentials" / "flagstone-keyring-passphrase"
    for mode in (0o400, 0o440):  # an access list for the service's user shows as a group's right
        handed.chmod(mode)
        FilePartyKeys.load(home / "keys", read_key_settings().places(home))
    handed.chmod(0o444)
    with pytest.raises(ConfigurationError, match="service manager"):
        FilePartyKeys.load(home / "keys", read_key_settings().places(home))


@pytest.mark.parametrize("harm", ["open", "link", "short", "folder", "missing"])
def test_a_key_file_that_is_not_ours_alone_is_refused(tmp_path, harm):
    """Open to others, reached by a link, of another length or no plain file: refused, with the reason."""
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(bytes(32 if harm != "short" else 31))
    if harm == "open":
        file.chmod(0o640)
    elif harm == "link":
        file = Path(file.rename(tmp_path / "real"))
        (tmp_path / "key").symlink_to(file)
    elif harm == "folder":
        file.unlink()
        file.mkdir()
    elif harm == "missing":
        file.unlink()
    with pytest.raises((ConfigurationError, FileNotFoundError)):
        read_key_file(tmp_path / "key")


def test_a_short_passphrase_seals_nothing(home, phrase):
    """What can be guessed is refused before anything is sealed."""
    phrase.write_text("short\n")
    before = key_files(home)
    assert run(["keys", "seal"]) != 0
    assert key_files(home) == before
    assert not (home / "keyring" / "keyring.json").exists()


def test_sealing_waits_for_the_gateway_to_stop(home, phrase, capsys):
    """While another process holds the home nothing is sealed."""
    with only_one(home):
        assert run(["keys", "seal"]) == 3
    assert not any(map(is_sealed, key_files(home).values()))


def test_a_passphrase_is_no_option_of_a_command():
    """Arguments can be read by every user of a machine: none takes a secret."""
    assert "passphrase" not in inspect.signature(keyring.seal).parameters


def test_new_keys_of_a_sealed_home_are_sealed(tmp_path):
    """A generation made later is never raw, not for a moment."""
    lock = KeyringLock.create(tmp_path / "keyring", "passphrase", lambda _: PHRASE.encode())
    create_party_keys(tmp_path / "keys", "trust", "T", Places(lock))
    assert all(is_sealed(path.read_bytes()) for path in (tmp_path / "keys").glob("*.key"))
