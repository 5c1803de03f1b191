"""Who is let in, to the second and to the character; found by mutation (tests/mutation.py)."""

import base64
import hashlib
import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fakes import FakePartyKeys
from jobworld import Job, a_job
from proofs import Holder, signed_in

from gateway.domain import labels
from gateway.domain.errors import NotAllowedError, NotSignedInError, VerificationError
from gateway.domain.exchange import Role
from gateway.party_ports import User
from gateway.service import partners, users
from gateway.service.access import (
    _unverified_claims,
    partner_of,
    require_role,
    token_hash,
    user_of,
)

US = "urn:flagstone:council"
MISSING = object()


@pytest.fixture
def job() -> Job:
    return a_job(sign=False, prekeys=0)


def now(job: Job) -> int:
    return int(job.clock().timestamp())


def signed(job: Job, keys: FakePartyKeys, typ: str, usual: dict, changes: dict) -> str:
    claims = {key: value for key, value in (usual | changes).items() if value is not MISSING}
    return keys.sign_in(json.dumps(claims).encode(), typ)


def assertion(job: Job, **changes) -> str:
    usual = {"iss": "trust", "sub": "trust", "aud": US, "iat": now(job), "exp": now(job) + 60, "jti": "one"}
    return signed(job, job.partner.keys, labels.TYP_ASSERTION, usual, changes)


def key_of(job: Job) -> str:
    return hashlib.sha256(job.partner.keys.identity.auth).hexdigest()


def admitted(job: Job, **changes) -> str:
    """The short name of the partner that a token with these claims lets in."""
    holder = signed_in(job.context, assertion(job, jti=str(uuid4())))
    bound = {"cnf": {"jkt": holder.prover.thumbprint}, "key": key_of(job)}
    holder.token = access_token(job, **(bound | changes))
    return partner_of(job.context, holder.token, holder.presented()).partner.identity.slug


def access_token(job: Job, **changes) -> str:
    usual = {"iss": US, "sub": "trust", "aud": US, "iat": now(job), "exp": now(job) + 300, "jti": "one"}
    return signed(job, job.context.keys, labels.TYP_ACCESS, usual, changes)


def claims_of(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# --- council users --------------------------------------------------------------------------------------


def known(job: Job, token: str) -> str:
    """Register a user who has this very token."""
    with job.store.begin() as uow:
        uow.users.add(User(uuid4(), f"user {len(token)}", Role.REVIEWER, token_hash(token), job.clock()))
        uow.commit()
    return token


def test_a_token_of_the_greatest_length_is_looked_up(job):
    """4096 characters are looked up; one more is refused unread, as is another prefix."""
    assert user_of(job.context, known(job, "fst_".ljust(4096, "x"))).name == "user 4096"
    for token in ("fst_".ljust(4097, "x"), "gst_".ljust(100, "x")):
        with pytest.raises(NotSignedInError):
            user_of(job.context, known(job, token))


def test_a_token_is_its_user_s_until_revoked(job):
    """The operator's token signs its user in, nobody else, and no longer once the user is revoked."""
    token = users.add(job.context, "Bea", Role.OPERATOR)
    assert user_of(job.context, token).name == "Bea"
    with pytest.raises(NotSignedInError):
        user_of(job.context, token[:-1] + ("A" if token[-1] != "A" else "B"))
    users.revoke(job.context, "Bea")
    with pytest.raises(NotSignedInError):
        user_of(job.context, token)


def test_a_token_carries_all_its_random_bytes():
    """The token is the prefix and the unpadded base64url of its 32 bytes."""
    from gateway.service.access import new_user_token

    token = new_user_token(bytes(range(32)))
    assert token.startswith("fst_")
    assert base64.urlsafe_b64decode(token.removeprefix("fst_") + "=") == bytes(range(32))


def test_a_role_must_be_one_of_those_asked_for(job):
    """One of several roles is enough; none of them is not."""
    require_role(job.analyst, Role.REVIEWER, Role.PROGRAMME)
    with pytest.raises(NotAllowedError):
        require_role(job.analyst, Role.REVIEWER, Role.OPERATOR)


# --- assertions -----------------------------------------------------------------------------------------


def test_an_access_token_says_whose_it_is_and_for_how_long(job):
    """RFC 9068 claims: from us and for us, the partner as subject, 300 seconds, an id of its own.

    Beside them what it is bound to (RFC 9449 §6.1), and the key that signed in.
    """
    holder = Holder(job.context).sign_in(assertion(job))
    claims = claims_of(holder.token)
    assert UUID(claims.pop("jti")).version == 4
    assert claims == {"iss": US, "sub": "trust", "aud": US, "iat": now(job), "exp": now(job) + 300} | {
        "cnf": {"jkt": holder.prover.thumbprint},
        "key": key_of(job),
    }


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "iat", "exp", "jti"])
def test_an_assertion_needs_every_claim(job, claim):
    """An assertion without one of the claims of RFC 7523 §3 signs nobody in."""
    with pytest.raises(NotSignedInError):
        signed_in(job.context, assertion(job, **{claim: MISSING}))


@pytest.mark.parametrize(
    ("issued", "lives", "good"),
    [(0, 60, True), (0, 61, False), (30, 60, True), (31, 60, False), (-89, 60, True), (-90, 60, False)],
)
def test_an_assertion_s_times_are_held_to_the_second(job, issued, lives, good):
    """60 seconds of life and 30 of leeway on either side; the last second is out."""
    begins = now(job) + issued
    asked = assertion(job, iat=begins, exp=begins + lives)
    if good:
        signed_in(job.context, asked)
    else:
        with pytest.raises(NotSignedInError):
            signed_in(job.context, asked)


@pytest.mark.parametrize(("issued", "used_again"), [(30, 119), (0, 89)])
def test_an_assertion_is_remembered_while_it_is_valid(job, issued, used_again):
    """However far ahead the caller's clock stands within the leeway, the second use is refused as one."""
    asked = assertion(job, iat=now(job) + issued, exp=now(job) + issued + 60)
    signed_in(job.context, asked)
    job.clock.advance(seconds=used_again)
    with pytest.raises(NotSignedInError, match="used before"):
        signed_in(job.context, asked)


def test_an_assertion_is_forgotten_when_it_can_not_come_back(job):
    """What is kept of an assertion is kept for two minutes: its life and the leeway on both sides."""
    signed_in(job.context, assertion(job))
    assert set(job.store.committed.replays.values()) == {job.clock() + timedelta(seconds=120)}


@pytest.mark.parametrize(
    ("issued", "says"),
    [
        (-91, "91 s behind"),
        (-3600, "3600 s behind"),
        (91, "91 s ahead of"),
        (10**15, "1000000000 s ahead of"),
        (-(10**15), "1000000000 s behind"),
    ],
)
def test_a_wrong_clock_is_named(job, issued, says):
    """A refused assertion that was made at another time says by how much the clocks differ."""
    begins = now(job) + issued
    with pytest.raises(NotSignedInError, match=says):
        signed_in(job.context, assertion(job, iat=begins, exp=begins + 60))


@pytest.mark.parametrize(
    "claims",
    [{"iat": True}, {"iat": "soon"}, {"iat": 9e9}, {"iat": None}, {"aud": "urn:flagstone:other"}, {"exp": 1}],
)
def test_what_is_no_wrong_clock_is_not_called_one(job, claims):
    """A claim that is wrong in another way is refused in the words for any wrong assertion."""
    with pytest.raises(NotSignedInError, match="not signed by a registered"):
        signed_in(job.context, assertion(job, **claims))


@pytest.mark.parametrize(("offset", "named"), [(-90, False), (90, False), (-91, True), (91, True)])
def test_a_clock_within_life_and_leeway_is_not_blamed(job, offset, named):
    """90 seconds away the clock may be right, and another claim is at fault; from 91 on it is the clock."""
    begins = now(job) + offset
    with pytest.raises(NotSignedInError, match="clock" if named else "not signed by"):
        signed_in(job.context, assertion(job, iat=begins, exp=begins + 60, aud="urn:flagstone:other"))


@pytest.mark.parametrize("text", [b"[]", b"7", b"null", b'"sub"', b"{", b"\xff"])
def test_a_payload_that_is_no_object_signs_nobody_in(job, text):
    """A payload that is no JSON object is refused before any of it is used."""
    with pytest.raises(NotSignedInError):
        signed_in(job.context, job.partner.keys.sign_in(text, labels.TYP_ASSERTION))


# --- access tokens --------------------------------------------------------------------------------------


def test_an_access_token_lives_five_minutes_and_the_leeway(job):
    """It holds for less than 330 seconds; then it has run out, and nobody's clock is blamed."""
    holder = signed_in(job.context, assertion(job))
    job.clock.advance(seconds=329)
    holder.nonce = signed_in(job.context, assertion(job, jti="two")).nonce
    assert partner_of(job.context, holder.token, holder.presented()).partner.identity.slug == "trust"
    job.clock.advance(seconds=1)
    with pytest.raises(NotSignedInError, match="access token is not valid"):
        partner_of(job.context, holder.token, holder.presented())


@pytest.mark.parametrize(
    "claims",
    [
        *({claim: MISSING} for claim in ("iss", "sub", "aud", "iat", "exp", "jti")),
        {"iss": "trust"},
        {"aud": "trust"},
        {"sub": "nobody"},
        {"key": MISSING},
        {"key": "0" * 64},
        {"cnf": MISSING},
        {"cnf": {}},
        {"cnf": "jkt"},
        {"cnf": {"jkt": 7}},
        {"cnf": {"jkt": "another key"}},
        {"cnf": {"other": "member"}},
    ],
)
def test_an_access_token_needs_every_claim(job, claims):
    """A token that we signed without a claim, for others, or bound to nothing or another lets nobody in."""
    assert admitted(job) == "trust"
    with pytest.raises(NotSignedInError):
        admitted(job, **claims)


def test_a_token_ends_with_its_partner(job):
    """A partner revoked since the token was issued is refused with it."""
    holder = signed_in(job.context, assertion(job))
    partners.revoke(job.context, "trust")
    with pytest.raises(NotSignedInError):
        partner_of(job.context, holder.token, holder.presented())


def test_a_token_of_an_agent_is_read_up_to_its_greatest_length():
    """4096 characters are read; one more is refused."""
    payload = base64.urlsafe_b64encode(b'{"sub": "trust"}').decode().rstrip("=")
    assert _unverified_claims(f"h.{payload}.".ljust(4096, "s")) == {"sub": "trust"}
    with pytest.raises(VerificationError, match="too long"):
        _unverified_claims(f"h.{payload}.".ljust(4097, "s"))
