"""Enrolment by a code read out by telephone: guessed, misheard, late, twice, and with somebody in between."""

import json
import secrets
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import FakePartyKeys
from hypothesis import given
from hypothesis import strategies as st
from jobworld import Job, a_job
from stdnum.iso7064 import mod_37_36

from audit.entry import Entry
from gateway.bundle.enrolment import (
    ALPHABET,
    Enrolment,
    Parties,
    code_key,
    make_enrolment,
    new_code,
    read_code,
    verify_enrolment,
)
from gateway.domain import labels
from gateway.domain.errors import (
    BadInputError,
    ConflictError,
    NotFoundError,
    NotSignedInError,
    VerificationError,
)
from gateway.service import enrolment

SCHOOL = FakePartyKeys("school", "Example School")
MALLORY = FakePartyKeys("school", "Example School")
MALLORY._signing, MALLORY._auth = FakePartyKeys("mallory")._signing, FakePartyKeys("mallory")._auth
MALLORY._exchange = FakePartyKeys("mallory")._exchange


@pytest.fixture
def job() -> Job:
    return a_job(sign=False, prekeys=0)


def brought(job: Job, code: str, keys=SCHOOL, council=None) -> str:
    """What an agent with these keys sends."""
    parties = Parties(keys.identity, council or job.context.keys.identity)
    key = code_key(code, keys.identity.slug)
    return make_enrolment(parties, key, sign=keys.sign, sign_in=keys.sign_in, agree=keys.agree)


def registered(job: Job) -> set[str]:
    with job.store.begin() as uow:
        return {each.identity.slug for each in uow.partners.all()}


def refused(job: Job, jws: str) -> None:
    with pytest.raises(NotSignedInError, match="wrong, was used, or has run out"):
        enrolment.enrol(job.context, jws)


# --- the code -------------------------------------------------------------------------------------------


@given(st.binary(min_size=8, max_size=8))
def test_a_code_is_read_as_it_was_shown(entropy):
    """Ten symbols of Crockford's base32, the last as ISO 7064 has it, by another's implementation."""
    code = new_code(entropy)
    assert mod_37_36.is_valid(code.replace("-", ""), alphabet=ALPHABET)
    for typed in (code, code.lower(), code.replace("-", " "), code.replace("-", "").replace("0", "O")):
        assert read_code(typed) == code


@given(st.binary(min_size=8, max_size=8), st.integers(0, 9), st.sampled_from(ALPHABET))
def test_one_symbol_misheard_is_found(entropy, place, symbol):
    """A wrong symbol anywhere is refused before anything is sent, so that no try is lost."""
    code = new_code(entropy).replace("-", "")
    if code[place] != symbol:
        with pytest.raises(BadInputError, match="misheard"):
            read_code(code[:place] + symbol + code[place + 1 :])


@pytest.mark.parametrize("typed", ["", "ABC", "U" * 10, "é" * 10, "0" * 9, "0" * 11])
def test_what_is_no_code_is_not_sent(typed):
    """Too short, too long and other letters are refused."""
    with pytest.raises(BadInputError):
        read_code(typed)


def test_the_code_is_kept_nowhere(job):
    """Neither store nor log holds the code, and what is kept of it is made slowly."""
    code = enrolment.invite(job.context, "school", "Example School")
    held = repr(job.store.committed.invitations) + job.leaves()
    assert code not in held
    assert code.replace("-", "") not in held
    assert job.store.committed.invitations["school"].key == code_key(code, "school")


# --- the way of a partner -------------------------------------------------------------------------------


def test_from_invitation_to_partner(job):
    """Invited, enrolled, confirmed: in force only then; each step stands in the log."""
    code = enrolment.invite(job.context, "school", "Example School")
    parties = Parties(SCHOOL.identity, job.context.keys.identity)
    assert enrolment.enrol(job.context, brought(job, code)) == parties.answer(code_key(code, "school"))
    assert registered(job) == {"trust"}
    fingerprint = SCHOOL.identity.fingerprint.lower().replace("-", " ")
    assert enrolment.confirm(job.context, "school", fingerprint) == SCHOOL.identity
    assert registered(job) == {"trust", "school"}
    assert job.kinds()[-3:] == ["partner.invited", "partner.enrolled", "partner.confirmed"]
    assert Entry.parse(job.store.committed.leaves[-1]).body["fingerprint"] == SCHOOL.identity.fingerprint
    assert job.store.committed.invitations == {}


def test_nothing_is_in_force_without_the_right_fingerprint(job):
    """Another fingerprint registers nobody, and may be corrected."""
    enrolment.enrol(job.context, brought(job, enrolment.invite(job.context, "school", "Example School")))
    with pytest.raises(VerificationError, match="another fingerprint"):
        enrolment.confirm(job.context, "school", MALLORY.identity.fingerprint)
    assert registered(job) == {"trust"}
    enrolment.confirm(job.context, "school", SCHOOL.identity.fingerprint)


def test_what_nobody_brought_is_not_confirmed(job):
    """Neither without an invitation, nor before the agent came, nor a day after it."""
    for _ in range(2):
        with pytest.raises(NotFoundError):
            enrolment.confirm(job.context, "school", SCHOOL.identity.fingerprint)
        code = enrolment.invite(job.context, "school", "Example School")
    enrolment.enrol(job.context, brought(job, code))
    job.clock.advance(days=1)
    with pytest.raises(NotFoundError):
        enrolment.confirm(job.context, "school", SCHOOL.identity.fingerprint)


def test_a_lost_answer_may_be_asked_for_again(job):
    """The same identity again gets the same answer; another one, with the same code, is refused."""
    code = enrolment.invite(job.context, "school", "Example School")
    answer = enrolment.enrol(job.context, brought(job, code))
    assert enrolment.enrol(job.context, brought(job, code)) == answer
    refused(job, brought(job, code, MALLORY))
    assert enrolment.confirm(job.context, "school", SCHOOL.identity.fingerprint) == SCHOOL.identity


def test_a_code_dies_in_a_quarter_of_an_hour(job):
    """The last second is good, the next is not."""
    code = enrolment.invite(job.context, "school", "Example School")
    job.clock.now += timedelta(minutes=15)
    refused(job, brought(job, code))
    code = enrolment.invite(job.context, "school", "Example School")
    job.clock.now += timedelta(minutes=14, seconds=59)
    enrolment.enrol(job.context, brought(job, code))


def test_a_code_dies_of_five_wrong_tries(job):
    """After five the right code is refused too, in the same words; failures are counted for the log."""
    code = enrolment.invite(job.context, "school", "Example School")
    for _ in range(5):
        refused(job, brought(job, new_code(secrets.token_bytes(8))))
    refused(job, brought(job, code))
    assert sum(job.store.committed.sign_ins.values()) == 6
    enrolment.enrol(job.context, brought(job, enrolment.invite(job.context, "school", "Example School")))


def test_a_new_invitation_ends_the_one_before(job):
    """Only the newest code of a short name counts."""
    first = enrolment.invite(job.context, "school", "Example School")
    enrolment.invite(job.context, "school", "Example School")
    refused(job, brought(job, first))


def test_nobody_enrols_uninvited_or_for_another(job):
    """Without an invitation, or with the code of another short name, the answer is the same refusal."""
    refused(job, brought(job, new_code(secrets.token_bytes(8))))
    refused(job, brought(job, enrolment.invite(job.context, "clinic", "Example Clinic")))


@pytest.mark.parametrize("slug", ["trust", "council"])
def test_a_registered_partner_is_not_invited(job, slug):
    """Nor is the council itself: keys in force are never replaced by a code."""
    with pytest.raises(ConflictError):
        enrolment.invite(job.context, slug, "Example")
    with pytest.raises(BadInputError):
        enrolment.invite(job.context, "Not A Slug", "Example")
    with pytest.raises(BadInputError):
        enrolment.invite(job.context, "school", "\n")


# --- somebody in between, and keys of others ------------------------------------------------------------


def test_somebody_in_between_puts_in_neither_keys_nor_gateway(job):
    """Who relays, without the code, can send own keys to neither side: each proof is over both identities."""
    code = enrolment.invite(job.context, "school", "Example School")
    impostor = FakePartyKeys("impostor").identity
    sent = brought(job, code, council=impostor)  # what the agent sends to whoever stands in between
    with pytest.raises(VerificationError, match="another council"):
        enrolment.enrol(job.context, sent)
    proof = Enrolment.parse(_payload(sent)).code
    forged = Enrolment.parse(_payload(brought(job, "00000-00000", MALLORY)))
    forged = forged.model_copy(update={"code": proof})
    refused(job, MALLORY.sign(forged.payload, labels.TYP_ENROLMENT))
    guessed = Parties(SCHOOL.identity, impostor).answer(code_key("00000-00000", "school"))
    assert guessed != Parties(SCHOOL.identity, impostor).answer(code_key(code, "school"))


def _payload(jws: str) -> bytes:
    from gateway.bundle.jws import extract_jws

    return extract_jws(jws).payload


def test_every_key_must_be_the_sender_s(job):
    """An identity with a key of somebody else, whichever of the three, is refused with the right code."""
    code = enrolment.invite(job.context, "school", "Example School")
    other = FakePartyKeys("trust")
    council = job.context.keys.identity
    for name in ("signing", "exchange", "auth"):
        identity = replace(SCHOOL.identity, **{name: getattr(other.identity, name)})
        jws = make_enrolment(
            Parties(identity, council),
            code_key(code, "school"),
            sign=SCHOOL.sign,
            sign_in=SCHOOL.sign_in,
            agree=SCHOOL.agree,
        )
        with pytest.raises(VerificationError):
            enrolment.enrol(job.context, jws)
    assert job.store.committed.invitations["school"].document is None


@given(st.binary(max_size=400) | st.text(max_size=100).map(lambda text: json.dumps(text).encode()))
def test_any_document_is_refused_by_name(payload):
    """Whatever is signed and sent ends in a named error."""
    with pytest.raises(VerificationError):
        verify_enrolment(SCHOOL.sign(payload, labels.TYP_ENROLMENT), SCHOOL.identity, SCHOOL.agree)
