"""Generations of keys in folders: whatever is cut short, one generation is in use, whole."""

from itertools import count

import pytest
from succession_world import START

from adapters.keys.files import FileIdentity, create_party_keys
from adapters.keys.folder import SecretFolder
from adapters.keys.rotating import RotatingKeys
from gateway.bundle.jws import verify_jws
from gateway.bundle.succession import (
    LEAST_SCHEDULED,
    RotationReason,
    follow_up,
    lineage_of,
    make_succession,
)
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError
from gateway.linkage.secret import one_time_public, x25519


class KilledError(BaseException):
    """Not an Exception, so that no handler sees it: like a kill."""


@pytest.fixture
def folder(tmp_path):
    create_party_keys(tmp_path / "keys", "borough", "Example Borough")
    return tmp_path / "keys"


def rotate(folder, reason=RotationReason.SCHEDULED):
    """One rotation, as both sides make it; repeated, it goes on."""
    keys = RotatingKeys(folder)
    old, new = keys.generation(keys.lineage.current.number), keys.prepare()
    document = follow_up(keys.lineage.current, new.identity, reason, START, START + LEAST_SCHEDULED)
    keys.announce(make_succession(document, old.sign, new.sign, new.sign_in))
    keys.use()
    return keys


def check_whole(keys):
    """What signs, signs in and agrees are the keys of the identity in use."""
    identity, peer = keys.identity, bytes([7]) * 32
    verify_jws(keys.sign(b"{}", "t+jws"), "t+jws", identity.signing)
    verify_jws(keys.sign_in(b"{}", "t+jws"), "t+jws", identity.auth)
    assert keys.agree(one_time_public(peer)) == x25519(peer, identity.exchange)


def test_a_rotation_brings_new_keys_into_use_and_keeps_the_old(folder):
    """A process that runs already signs with the new keys at once; the old ones can still be asked for."""
    running = RotatingKeys(folder)
    before = running.identity
    rotate(folder)
    check_whole(running)
    assert (running.lineage.current.number, running.held()) == (1, (0, 1))
    assert running.generation(0).identity == before
    verify_jws(running.generation(0).sign(b"{}", "t+jws"), "t+jws", before.signing)
    assert lineage_of(before, running.successions) == running.lineage
    with pytest.raises(NotFoundError):
        running.generation(2)


def test_a_rotation_killed_at_every_step_leaves_whole_keys(tmp_path, monkeypatch):
    """Before and after each file: the old generation or the new one is in use, and a repetition ends it."""
    outcomes = []
    for at in count(1):
        for after in (False, True):
            folder = tmp_path / f"{at}-{after}" / "keys"
            before = create_party_keys(folder, "borough", "Example Borough").identity
            with monkeypatch.context() as patch:
                seen = _kill_at(patch, at, after=after)
                try:
                    rotate(folder)
                except KilledError:
                    keys = RotatingKeys(folder)
                    check_whole(keys)
                    outcomes.append(keys.identity == before)
                    if keys.identity == before:
                        rotate(folder)
            check_whole(RotatingKeys(folder))
            assert RotatingKeys(folder).lineage.current.number == 1
        if seen[0] < at:
            break
    assert set(outcomes) == {True, False}
    assert len(outcomes) >= 16


def _kill_at(patch, at, *, after):
    """Kill at the effect number `at` on files, before or after it; how many there were."""
    seen = [0]

    def wrapped(original):
        def effect(*args):
            seen[0] += 1
            if seen[0] == at and not after:
                raise KilledError
            original(*args)
            if seen[0] == at:
                raise KilledError

        return effect

    for name in ("_put_one", "destroy"):
        patch.setattr(SecretFolder, name, wrapped(getattr(SecretFolder, name)))
    return seen


def test_destroyed_keys_are_gone_and_their_evidence_stays(folder):
    """Of a destroyed generation no private byte is left, and the chain through it still verifies."""
    keys = rotate(folder)
    keys.destroy(0)
    keys.destroy(0)
    assert (keys.held(), list(folder.glob("*.key"))) == ((1,), [])
    with pytest.raises(NotFoundError, match="destroyed"):
        keys.generation(0)
    with pytest.raises(ConflictError, match="in use"):
        keys.destroy(1)
    again = rotate(folder)
    assert [each.number for each in again.lineage.generations] == [0, 1, 2]
    check_whole(RotatingKeys(folder))


def test_a_destruction_cut_short_is_taken_up_again(folder, monkeypatch):
    """As long as one private key is there the generation counts as held, so that the next sweep goes on."""
    keys = rotate(folder)
    with monkeypatch.context() as patch:
        _kill_at(patch, 2, after=False)
        with pytest.raises(KilledError):
            keys.destroy(0)
    assert keys.held() == (0, 1)
    RotatingKeys(folder).destroy(0)
    assert not list(folder.glob("*.key"))


def test_a_process_without_private_keys_follows_too(folder, tmp_path):
    """The public files alone give a search process the same lineage."""
    keys = rotate(folder)
    copy = tmp_path / "copy"
    for source in (folder, folder / "generation-1"):
        place = copy / source.relative_to(folder)
        place.mkdir(mode=0o700)
        for name in ("identity.json", "succession.json", "in-use"):
            if (source / name).exists():
                (place / name).write_bytes((source / name).read_bytes())
                (place / name).chmod(0o600)
    followed = RotatingKeys(copy, load=lambda place, _: FileIdentity.load(place))
    assert followed.lineage == keys.lineage
    with pytest.raises(ConfigurationError, match="no private key"):
        followed.sign(b"{}", "t+jws")


def test_a_succession_that_does_not_hold_is_no_key_of_ours(folder):
    """A changed succession, or one about other keys, stops the process instead of signing with them."""
    keys = rotate(folder)
    file = folder / "generation-1" / "succession.json"
    file.write_bytes(file.read_bytes()[:-9] + b'AAAAAA"}]}')
    with pytest.raises(ConfigurationError, match="does not hold"):
        RotatingKeys(folder)
    del keys


def test_two_processes_do_not_rotate_at_once(folder):
    """The second is turned away: each would destroy what the other has just made."""
    with (
        RotatingKeys(folder).alone(),
        pytest.raises(ConflictError, match="another process"),
        RotatingKeys(folder).alone(),
    ):
        pass
