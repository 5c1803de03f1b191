"""Chains of successions: whatever is altered, dropped, reordered or rolled back is refused, and named."""

import base64
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from succession_world import START, Keys, chain, succession

from gateway.bundle import errors
from gateway.bundle.documents import canonical
from gateway.bundle.succession import (
    MAX_SUCCESSION,
    RotationReason,
    extended,
    lineage_of,
    make_succession,
    read_succession,
    verify_succession,
)
from gateway.domain.errors import BadInputError, VerificationError
from gateway.domain.lineage import Lineage

CHAIN = chain(6)
ENROLLED = Keys().identity
LENGTH = st.integers(1, len(CHAIN))


def known(length):
    return lineage_of(ENROLLED, tuple(CHAIN[:length]))


def fields_of(token):
    """The payload of a succession, to be changed, and its signatures."""
    envelope = json.loads(token)
    padded = envelope["payload"] + "=" * (-len(envelope["payload"]) % 4)
    return json.loads(base64.urlsafe_b64decode(padded)), envelope["signatures"]


def sealed(payload, signatures):
    encoded = base64.urlsafe_b64encode(canonical(payload)).rstrip(b"=").decode()
    return canonical({"payload": encoded, "signatures": signatures}).decode()


def refused(token, lineage):
    with pytest.raises(VerificationError) as caught:
        verify_succession(token, lineage)
    return caught.value


@given(LENGTH)
def test_a_whole_chain_leads_to_the_newest_keys(length):
    """Each generation has its number and its own keys, and every one but the last has an end."""
    lineage = known(length)
    assert [each.number for each in lineage.generations] == list(range(length + 1))
    assert lineage.current.identity == Keys(number=length).identity
    assert [each.until is None for each in lineage.generations] == [False] * length + [True]


@given(LENGTH, st.data())
def test_any_changed_byte_is_refused(length, data):
    """No byte of a succession can be another: the signatures, the canonical form or the schema say so."""
    token = CHAIN[length - 1].encode()
    place = data.draw(st.integers(0, len(token) - 1))
    changed = data.draw(st.integers(0, 255).filter(lambda byte: byte != token[place]))
    refused(token[:place] + bytes([changed]) + token[place + 1 :], known(length - 1))


@given(LENGTH, st.integers(0, 2), st.characters(codec="ascii", categories=["L", "Nd"]))
def test_a_signature_is_written_in_one_way(length, place, last):
    """Bits of base64url that stand for nothing are zero, so that one succession has one text."""
    payload, signatures = fields_of(CHAIN[length - 1])
    assume(signatures[place]["signature"][-1] != last)
    signatures[place]["signature"] = signatures[place]["signature"][:-1] + last
    refused(sealed(payload, signatures), known(length - 1))


@given(
    LENGTH, st.sampled_from(["sequence", "predecessor", "fingerprint", "reason", "valid_from", "overlap_to"])
)
def test_a_field_changed_after_signing_is_refused(length, field):
    """Every field is signed: another value, well formed, is refused by a signature or by its place."""
    payload, signatures = fields_of(CHAIN[length - 1])
    others, _ = fields_of(CHAIN[length % len(CHAIN)])
    other = {"reason": "suspected-compromise"}.get(field, others[field])
    assume(payload[field] != other)
    error = refused(sealed(payload | {field: other}, signatures), known(length - 1))
    assert error.code in {
        "wrong-signature",
        "wrong-predecessor",
        "superseded",
        "missing-link",
        "malformed",
    }


@given(st.integers(0, len(CHAIN)), st.integers(1, len(CHAIN)))
def test_its_place_in_the_chain_decides_and_is_named(length, number):
    """What is older or the same is superseded, what skips one has a link missing, the next is accepted."""
    lineage, token = known(length), CHAIN[number - 1]
    if number == length + 1:
        assert verify_succession(token, lineage).sequence == number
    elif number <= length:
        assert refused(token, lineage).code == "superseded"
    else:
        assert refused(token, lineage).code == "missing-link"


@settings(max_examples=60)
@given(st.permutations(range(4)), st.integers(0, 4))
def test_dropped_and_reordered_chains_are_refused(order, kept):
    """Only the successions from the first on, each once and in order, make a chain."""
    chosen = tuple(CHAIN[place] for place in order[:kept])
    if list(order[:kept]) == list(range(kept)):
        assert lineage_of(ENROLLED, chosen).current.number == kept
    else:
        with pytest.raises((errors.SupersededError, errors.MissingLinkError)):
            lineage_of(ENROLLED, chosen)


@given(LENGTH)
def test_a_later_pin_starts_in_the_middle(length):
    """A partner that enrolled at a later generation follows from there, and takes nothing of before."""
    pinned = Lineage.of(Keys(number=length - 1).identity)
    assert extended(pinned, verify_succession(CHAIN[length - 1], pinned)).current.number == length
    for place, token in enumerate(CHAIN):
        if place != length - 1:
            assert refused(token, pinned).code in {"superseded", "missing-link", "wrong-predecessor"}


@given(LENGTH, st.integers(0, len(CHAIN)))
def test_only_the_newest_signing_key_may_vouch(length, signer):
    """An older generation's key, stolen later, or a stranger's, succeeds nobody."""
    assume(signer != length)
    lineage, new = known(length), Keys(number=90)
    token = succession(lineage, new, old=Keys(number=signer), now=lineage.current.since)
    assert refused(token, lineage).code == "wrong-signature"


@pytest.mark.parametrize("part", ["old", "new", "auth"])
def test_each_signature_is_needed_from_its_own_key(part):
    """Possession of the new signing and sign-in keys is proved, and the old key vouches: all or none."""
    lineage, new, stranger = known(1), Keys(number=2), Keys("stranger")
    document = read_succession(CHAIN[1])
    signers = {"old": Keys(number=1).sign, "new": new.sign, "auth": new.sign_in} | {part: stranger.sign}
    assert refused(make_succession(document, **signers), lineage).code == "wrong-signature"


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1), (0, 0, 0)])
def test_a_signature_counts_for_its_role_alone(order):
    """The three are told apart by their `typ`: none stands in another's place."""
    payload, signatures = fields_of(CHAIN[0])
    error = refused(sealed(payload, [signatures[place] for place in order]), known(0))
    assert error.code in {"wrong-type", "wrong-signature"}


def test_a_second_succession_of_the_same_keys_is_refused():
    """Once one is accepted, another of the same number is superseded, however well it is signed."""
    other = succession(known(0), Keys(number=77))
    assert refused(other, known(1)).code == "superseded"


@pytest.mark.parametrize("kind", ["signing", "exchange", "auth"])
def test_no_key_comes_back(kind):
    """A succession whose keys are not all three new is refused: a key that was given up stays so."""
    lineage, new = known(2), Keys(number=3)
    setattr(new, f"_{kind}", getattr(Keys(number=0), f"_{kind}"))
    token = succession(lineage, new, old=Keys(number=2), now=lineage.current.since)
    assert refused(token, lineage).code == "used-key"


def test_another_organisation_can_not_be_put_in_the_place_of_one():
    """Short name and name stay: what changes them is no rotation of keys."""
    token = succession(known(0), Keys("other", 1))
    assert refused(token, known(0)).code == "wrong-key"


@pytest.mark.parametrize(
    ("days", "reason"),
    [(90, RotationReason.SCHEDULED), (0, RotationReason.SUSPECTED), (401, RotationReason.SCHEDULED)],
)
def test_overlaps_have_their_length(days, reason):
    """A scheduled one outlasts every exchange, none is empty, and none lasts for ever."""
    with pytest.raises(BadInputError, match="overlap"):
        succession(known(0), Keys(number=1), reason=reason, days=days)


def test_size_and_form_come_before_everything():
    """What is too long, or not the one canonical form, is refused before a signature is looked at."""
    assert refused("x" * (MAX_SUCCESSION + 1), known(0)).code == "oversize"
    assert refused(json.dumps(json.loads(CHAIN[0]), indent=1), known(0)).code == "malformed"
    assert refused('{"payload": "e30", "signatures": []}', known(0)).code == "malformed"
    assert refused("\ud800", known(0)).code == "malformed"


def test_a_short_overlap_cuts_off_longer_ones_of_before():
    """After a suspected compromise no older generation is accepted for longer than its successor."""
    lineage = known(1)
    token = succession(
        lineage, Keys(number=2), now=START.replace(day=23), days=1, reason=RotationReason.SUSPECTED
    )
    first, second, _ = extended(lineage, verify_succession(token, lineage)).generations
    assert first.until == second.until == START.replace(day=24)
