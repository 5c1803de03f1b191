"""Proofs of possession, claim by claim (RFC 9449 §4.3)."""

import base64
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from gateway.bundle.dpop import (
    MAX_PROOF,
    OtherRequestError,
    Prover,
    StaleProofError,
    normal_url,
    token_hash,
    verify_proof,
)
from gateway.bundle.errors import MalformedError, OversizeError, WrongAlgorithmError, WrongSignatureError
from gateway.domain.errors import VerificationError

NOW = 1_795_000_000
URL = "https://gateway.example/v1/agent/state"
TOKEN = "the.access.token"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
MISSING = object()


def jwk_of(key, *, private: bool = False) -> dict:
    return OKPKey.import_key(key).as_dict(private=private)


def public(key=KEY) -> dict:
    return {"crv": "Ed25519", "kty": "OKP", "x": jwk_of(key)["x"]}


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def made(*, sign=KEY.sign, header: dict | None = None, **claims) -> str:
    """A proof that lacks nothing, but for what is changed; written by hand, since libraries refuse some."""
    usual = {"jti": "i" * 16, "htm": "GET", "htu": URL, "iat": NOW, "ath": token_hash(TOKEN)}
    payload = {name: value for name, value in (usual | claims).items() if value is not MISSING}
    wanted = {"alg": "Ed25519", "typ": "dpop+jwt", "jwk": public()} | (header or {})
    protected = {name: value for name, value in wanted.items() if value is not MISSING}
    signed = f"{coded(json.dumps(protected).encode())}.{coded(json.dumps(payload).encode())}"
    return f"{signed}.{coded(sign(signed.encode()))}"


def verified(proof: str, **changes):
    asked = {"method": "GET", "url": URL, "token": TOKEN, "now": NOW}
    return verify_proof(proof, **(asked | changes))


def test_a_proof_that_lacks_nothing_holds():
    """The example of the tables below holds as it is, and so does what an agent makes."""
    assert verified(made()).thumbprint == Prover(KEY).thumbprint
    proof = Prover(KEY).prove("GET", URL, id="j" * 16, now=NOW, token=TOKEN, nonce="n")
    found = verified(proof)
    assert (found.thumbprint, found.id, found.nonce) == (Prover(KEY).thumbprint, "j" * 16, "n")


def test_a_thumbprint_is_that_of_the_standard():
    """RFC 8037 appendix A.3: key and thumbprint."""
    seed = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert Prover(Ed25519PrivateKey.from_private_bytes(seed)).thumbprint == thumbprint


CLAIMS = {
    "no jti": ({"jti": MISSING}, MalformedError),
    "a short jti": ({"jti": "i" * 15}, MalformedError),
    "a long jti": ({"jti": "i" * 129}, MalformedError),
    "a jti of control characters": ({"jti": "\n" * 16}, MalformedError),
    "a jti that is no text": ({"jti": 10**20}, MalformedError),
    "no htm": ({"htm": MISSING}, MalformedError),
    "another method": ({"htm": "POST"}, OtherRequestError),
    "a method in lower case": ({"htm": "get"}, OtherRequestError),
    "no htu": ({"htu": MISSING}, MalformedError),
    "another host": ({"htu": "https://other.example/v1/agent/state"}, OtherRequestError),
    "another port": ({"htu": "https://gateway.example:8443/v1/agent/state"}, OtherRequestError),
    "another scheme": ({"htu": "http://gateway.example/v1/agent/state"}, OtherRequestError),
    "another path": ({"htu": "https://gateway.example/v1/agent"}, OtherRequestError),
    "a path in another case": ({"htu": "https://gateway.example/v1/agent/State"}, OtherRequestError),
    "a path that goes up": ({"htu": "https://gateway.example/v1/agent/x/../state"}, MalformedError),
    "an address with a user": ({"htu": "https://gateway.example@other.example/"}, MalformedError),
    "an address that is none": ({"htu": "/v1/agent/state"}, MalformedError),
    "an address with a line break": ({"htu": "https://gateway.example/v1/agent/state\n"}, MalformedError),
    "an address without end": ({"htu": URL + "x" * 1024}, (MalformedError, OversizeError)),
    "a port that is none": ({"htu": "https://gateway.example:x/v1/agent/state"}, MalformedError),
    "no iat": ({"iat": MISSING}, MalformedError),
    "an iat in words": ({"iat": str(NOW)}, MalformedError),
    "an iat that is true": ({"iat": True}, MalformedError),
    "an old iat": ({"iat": NOW - 91}, StaleProofError),
    "an iat ahead": ({"iat": NOW + 31}, StaleProofError),
    "an iat beyond all numbers": ({"iat": 10**300}, (StaleProofError, MalformedError)),
    "no ath": ({"ath": MISSING}, OtherRequestError),
    "another ath": ({"ath": token_hash("another")}, OtherRequestError),
    "an ath that is no text": ({"ath": 7}, MalformedError),
    "an ath beyond ASCII": ({"ath": "é"}, OtherRequestError),
    "a nonce without end": ({"nonce": "n" * 513}, MalformedError),
    "something without end": ({"other": "x" * 2048}, OversizeError),
}


@pytest.mark.parametrize(("claims", "error"), CLAIMS.values(), ids=CLAIMS)
def test_each_claim_that_does_not_hold_is_refused(claims, error):
    """A claim that is missing, malformed or of another request is refused for what it is."""
    with pytest.raises(error):
        verified(made(**claims))


@pytest.mark.parametrize("iat", [NOW - 90, NOW, NOW + 30])
def test_the_edges_of_time_hold(iat):
    """A minute of life and thirty seconds of leeway, to the second."""
    verified(made(iat=iat))


def _mac(data: bytes) -> bytes:
    return hmac.digest(base64.urlsafe_b64decode(public()["x"] + "="), data, "sha256")


def _forged(**header) -> str:
    """A good proof whose header was exchanged afterwards."""
    return ".".join([made(header=header).split(".")[0], *made().split(".")[1:]])


HEADERS = {
    "no type": (lambda: made(header={"typ": MISSING}), WrongAlgorithmError),
    "another type": (lambda: made(header={"typ": "JWT"}), WrongAlgorithmError),
    "no key": (lambda: made(header={"jwk": MISSING}), WrongAlgorithmError),
    "a key by name": (lambda: made(header={"kid": "k"}), WrongAlgorithmError),
    "an embedded private key": (
        lambda: made(header={"jwk": public() | {"d": jwk_of(KEY, private=True)["d"]}}),
        WrongAlgorithmError,
    ),
    "a key with a use": (lambda: made(header={"jwk": public() | {"use": "sig"}}), WrongAlgorithmError),
    "a key that is padded": (
        lambda: made(header={"jwk": public() | {"x": public()["x"] + "="}}),
        WrongAlgorithmError,
    ),
    "a key that is too short": (lambda: made(header={"jwk": public() | {"x": "AAAA"}}), WrongAlgorithmError),
    "a key that is a list": (lambda: made(header={"jwk": ["x"]}), (WrongAlgorithmError, MalformedError)),
    "a key that is a number": (
        lambda: made(header={"jwk": public() | {"x": 7}}),
        (WrongAlgorithmError, MalformedError),
    ),
    "another curve": (lambda: made(header={"jwk": public() | {"crv": "X25519"}}), WrongAlgorithmError),
    "the older name of the algorithm": (lambda: made(header={"alg": "EdDSA"}), WrongAlgorithmError),
    "another algorithm": (lambda: made(header={"alg": "ES256"}), WrongAlgorithmError),
    "a MAC under the public key": (lambda: made(header={"alg": "HS256"}, sign=_mac), WrongAlgorithmError),
    "no algorithm": (lambda: _forged(alg="none"), (WrongAlgorithmError, MalformedError)),
    "the signature of another key": (lambda: made(sign=OTHER.sign), WrongSignatureError),
    "the key of another": (lambda: _forged(jwk=public(OTHER)), WrongSignatureError),
    "a signature cut off": (lambda: made().rpartition(".")[0] + ".", (WrongSignatureError, MalformedError)),
    "two parts": (lambda: made().rpartition(".")[0], MalformedError),
    "nothing": (lambda: "", MalformedError),
    "not ASCII": (lambda: "é.é.é", MalformedError),
    "huge": (lambda: made() + "A" * MAX_PROOF, OversizeError),
}


@pytest.mark.parametrize(("make", "error"), HEADERS.values(), ids=HEADERS)
def test_each_header_and_signature_that_does_not_hold_is_refused(make, error):
    """One algorithm, one form of key, the public half alone, and a signature by that very key."""
    with pytest.raises(error):
        verified(make())


@given(st.data())
def test_no_altered_proof_holds(data):
    """A proof in which any one character differs holds only if it decodes to the same bytes."""
    proof = made()
    place = data.draw(st.integers(0, len(proof) - 1))
    letter = data.draw(st.characters(codec="ascii"))
    altered = proof[:place] + letter + proof[place + 1 :]
    try:
        verified(altered)
    except VerificationError:
        return
    assert altered == proof


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused_by_name(text):
    """Whatever stands in the header ends in a named error."""
    with pytest.raises(VerificationError):
        verified(text)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_parts_are_refused_by_name(header, payload):
    """The same where it has the form of a JWS."""
    parts = (coded(part) for part in (header, payload, b"s" * 64))
    with pytest.raises(VerificationError):
        verified(".".join(parts))


SAME = {
    "HTTPS://Gateway.EXAMPLE/a": "https://gateway.example/a",
    "https://gateway.example:443/a": "https://gateway.example/a",
    "http://gateway.example:80": "http://gateway.example/",
    "https://gateway.example:8443/a": "https://gateway.example:8443/a",
    "https://gateway.example/%7ea%2fb": "https://gateway.example/~a%2Fb",
    "https://gateway.example/a?b=c#d": "https://gateway.example/a",
    "https://[::1]:8400/a": "https://[::1]:8400/a",
}


@pytest.mark.parametrize(("url", "normal"), SAME.items())
def test_addresses_are_compared_in_their_normal_form(url, normal):
    """RFC 3986 §6.2.2 and §6.2.3 for scheme, host, port and encoding; query and fragment don't count."""
    assert normal_url(url) == normal
    assert normal_url(normal) == normal
