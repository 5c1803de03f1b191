"""An access token without what it is bound to is worth nothing (RFC 9449)."""

import asyncio
import hashlib
from dataclasses import replace
from urllib.parse import urlencode

import httpx
import pytest
from proofs import URL, Holder, a_prover
from web.test_token import URLENCODED, ask, assert_error, form_of

PATH = "/v1/agent/state"


@pytest.fixture
def holder(world) -> Holder:
    return world.holders["agent health"]


def get(world, headers: dict | list, path: str = PATH):
    return world.call(None, "GET", path, headers=headers)


def assert_refused(answer, error: str) -> None:
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'DPoP error="{error}", algs="Ed25519"'
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_belongs_together_is_let_in(world, holder):
    """Token, key and a proof of this request."""
    assert get(world, holder.headers("GET", URL + PATH)).status_code == 200


def test_a_bound_token_is_no_bearer_token(world, holder):
    """Sent as a bearer token it is refused, with a good proof beside it or without one."""
    for proof in ({}, {"DPoP": holder.proof("GET", URL + PATH, holder.token)}):
        answer = get(world, {"Authorization": f"Bearer {holder.token}"} | proof)
        assert_refused(answer, "invalid_dpop_proof")


def test_a_stolen_token_is_refused_with_another_key(world, holder):
    """Who has the token and makes a proof with a key of their own is refused."""
    thief = Holder(world.context, a_prover(), holder.token, holder.nonce)
    assert_refused(get(world, thief.headers("GET", URL + PATH)), "invalid_dpop_proof")


def test_a_proof_counts_once(world, holder):
    """The very same request again is refused, though nothing in it is wrong."""
    headers = holder.headers("GET", URL + PATH)
    assert get(world, headers).status_code == 200
    assert_refused(get(world, headers), "invalid_dpop_proof")


def test_a_proof_of_another_request_is_refused(world, holder):
    """Another path, method, host or token: the proof is not of this request."""
    for proof in (
        holder.proof("GET", f"{URL}/v1/agent/agreements/health-1", holder.token),
        holder.proof("PUT", URL + PATH, holder.token),
        holder.proof("GET", f"http://other{PATH}", holder.token),
        holder.proof("GET", URL + PATH, world.holders["agent police"].token),
        holder.proof("GET", URL + PATH),
    ):
        headers = {"Authorization": f"DPoP {holder.token}", "DPoP": proof}
        assert_refused(get(world, headers), "invalid_dpop_proof")


def test_one_proof_is_sent_and_no_more(world, holder):
    """No DPoP header, or two, prove nothing (RFC 9449 §4.3)."""
    proofs = [("DPoP", holder.proof("GET", URL + PATH, holder.token)) for _ in range(2)]
    authorization = ("Authorization", f"DPoP {holder.token}")
    assert_refused(get(world, [authorization]), "invalid_dpop_proof")

    async def twice():
        transport = httpx.ASGITransport(world.app)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.get(PATH, headers=[authorization, *proofs])

    assert_refused(asyncio.run(twice()), "invalid_dpop_proof")


def test_a_query_is_no_part_of_the_address(world, holder):
    """`htu` has no query, so a proof is of a path with any."""
    headers = holder.headers("GET", URL + PATH)
    assert get(world, headers, PATH + "?seen=0").status_code == 200


def test_the_host_header_decides_nothing(world, holder):
    """With a public URL set, a proof for another name is refused whatever `Host` says."""
    headers = holder.headers("GET", f"http://other{PATH}") | {"Host": "other"}
    assert_refused(get(world, headers), "invalid_dpop_proof")


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1:8400", 200), ("localhost", 200), ("gateway", 401)])
def test_without_a_public_url_only_this_machine_is_served(world, holder, host, status):
    """`Host` is believed of loopback alone: else another's gateway could pass its proofs on to this one."""
    world.app.state.wiring = replace(world.app.state.wiring, public_url=None)
    headers = holder.headers("GET", f"http://{host}{PATH}") | {"Host": host}
    assert get(world, headers).status_code == status


def test_a_path_before_ours_belongs_to_the_address(world, holder):
    """A proxy that serves the gateway under a path of its own: the public URL has it, the request not."""
    world.app.state.wiring = replace(world.app.state.wiring, public_url="https://council.example/flagstone/")
    headers = holder.headers("GET", f"https://council.example/flagstone{PATH}")
    assert get(world, headers).status_code == 200


def test_a_nonce_is_asked_for_and_handed_out(world, holder):
    """Without a nonce of the gateway's nothing is let in; the answer has one, which then holds."""
    nonce, holder.nonce = holder.nonce, None
    answer = get(world, holder.headers("GET", URL + PATH))
    assert_refused(answer, "use_dpop_nonce")
    assert answer.headers["dpop-nonce"] == nonce
    of_another_kind = world.context.keys.sign_in(b'{"window": 0}', "at+jwt")
    for wrong in ("made-up", nonce[:-4] + "AAAA", of_another_kind):
        holder.nonce = wrong
        assert_refused(get(world, holder.headers("GET", URL + PATH)), "use_dpop_nonce")
    holder.nonce = nonce
    assert get(world, holder.headers("GET", URL + PATH)).status_code == 200
    assert world.store.committed.sign_ins == {}, "to ask for a nonce is no failed sign-in"


def test_a_nonce_is_renewed_before_it_ends(world, holder):
    """It holds for its own minute and two more; within these each answer has the next one."""
    world.clock.now = world.clock.now.replace(second=0)
    for seconds, status, renewed in ((59, 200, False), (1, 200, True), (119, 200, True), (1, 401, True)):
        world.clock.advance(seconds=seconds)
        answer = get(world, holder.headers("GET", URL + PATH))
        assert answer.status_code == status, seconds
        assert ("dpop-nonce" in answer.headers) == renewed


def test_a_token_is_not_given_without_a_proof(world, holder):
    """The token endpoint binds each token, or gives none; the assertion is not used up by asking."""
    form = form_of(world)
    assert_error(ask(world, form, **{"X-Other": "1"}), 400, "invalid_dpop_proof")
    holder.nonce, nonce = None, holder.nonce
    answer = ask(world, form)
    assert_error(answer, 400, "use_dpop_nonce")
    holder.nonce = answer.headers["dpop-nonce"]
    assert holder.nonce == nonce
    assert ask(world, form).status_code == 200


def test_a_proof_buys_one_token(world, holder):
    """The same proof beside another assertion is refused."""
    proof = {"DPoP": holder.proof("POST", URL + "/v1/token")}
    assert ask(world, form_of(world), **proof).status_code == 200
    assert_error(ask(world, form_of(world), **proof), 400, "invalid_dpop_proof")


def test_a_stranger_fills_no_store(world, holder):
    """Only who signs in with a registered key makes the gateway remember a proof."""
    before = dict(world.store.committed.replays)
    body = urlencode(form_of(world, "health", iss="police"))
    proof = holder.proof("POST", URL + "/v1/token")
    world.call(None, "POST", "/v1/token", content=body, headers={"Content-Type": URLENCODED, "DPoP": proof})
    get(world, {"Authorization": "DPoP not.a.token", "DPoP": holder.proof("GET", URL + PATH, "not.a.token")})
    assert world.store.committed.replays == before


def test_a_token_ends_with_the_key_that_signed_in(world, holder):
    """Once the partner's sign-in key is another, a token of the old one is refused at the next request."""
    with world.store.begin() as uow:
        partners = uow.write().partners
        known = partners["health"]
        other = replace(known.identity, auth=hashlib.sha256(b"other").digest())
        partners["health"] = replace(known, identity=other)
        uow.commit()
    answer = get(world, holder.headers("GET", URL + PATH))
    assert_refused(answer, "invalid_token")


def test_a_caller_without_a_token_is_told_how(world):
    """RFC 9449 §7.1: both ways to sign in, and the algorithm of proofs."""
    assert get(world, {}).headers["www-authenticate"] == 'Bearer, DPoP algs="Ed25519"'
