"""What a provider's tokens must be: each claim wrong on its own is refused; and what its file may say."""

import base64
import hmac
import json
from dataclasses import dataclass

import pytest
from fakes import NOON
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, RSAKey
from pydantic import SecretStr

from adapters.identity import fetching, metadata
from adapters.identity.config import load_client_key, load_config, values_at
from adapters.identity.provider import Provider
from gateway.domain.errors import ConfigurationError, ProviderDownError, VerificationError
from gateway.domain.exchange import Role
from gateway.people_ports import Attempt

ISSUER = "https://login.example/tenant"
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
OTHER = RSAKey.generate_key(2048, {"kid": "k1"})
NOW = int(NOON.timestamp())
EVENT = "http://schemas.openid.net/event/backchannel-logout"
FILE = """
issuer = "https://login.example/tenant"
client_id = "flagstone"
[roles]
claim = "realm_access.roles"
programme = ["p"]
custodian = ["c"]
reviewer = ["r", "ig"]
[organisation]
claim = "org"
partners = { "NHS-1" = "health" }
[multi_factor]
amr = ["mfa"]
acr = ["2"]
ask = ["2"]
"""
ATTEMPT = Attempt("s" * 43, "n" * 43, "v" * 43, step_up=False)
STEP_UP = Attempt("s" * 43, "n" * 43, "v" * 43, step_up=True)
GOOD = {
    "iss": ISSUER,
    "sub": "somebody",
    "aud": "flagstone",
    "iat": NOW,
    "exp": NOW + 300,
    "nonce": ATTEMPT.nonce,
    "auth_time": NOW,
    "name": "Ann",
    "realm_access": {"roles": ["r", "offline_access"]},
    "amr": ["pwd", "mfa"],
    "sid": "session",
}
LOGOUT = {
    "iss": ISSUER,
    "aud": "flagstone",
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "one",
    "events": {EVENT: {}},
    "sid": "session",
    "sub": "somebody",
}


@pytest.fixture
def written(tmp_path):
    def write(text: str = FILE):
        path = tmp_path / "oidc.toml"
        path.write_text(text)
        return path

    return write


@dataclass
class Web:
    """What the provider's addresses answer; `asked` counts each."""

    answers: dict
    asked: list

    def __call__(self, method, url, **_):
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return 200, answer


@pytest.fixture
def web(monkeypatch):
    made = Web(
        {
            f"{ISSUER}/.well-known/openid-configuration": {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/auth",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
            },
            f"{ISSUER}/keys": KeySet([KEY]).as_dict(private=False),
        },
        [],
    )
    monkeypatch.setattr(metadata, "fetch", made)
    monkeypatch.setattr("adapters.identity.provider.fetch", made)
    return made


@pytest.fixture
def provider(written, web):
    return Provider(
        load_config(written(), SecretStr("secret")), "https://g.example/signin/callback", lambda: NOON
    )


def signed(claims, key=KEY, **header) -> str:
    algorithm = header.pop("alg", "RS256")
    return jws.serialize_compact({"alg": algorithm, "kid": "k1"} | header, json.dumps(claims), key)


def with_hmac(claims, secret: bytes) -> str:
    """Signed symmetrically, as an attacker does who takes the public key for a secret."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "kid": "k1"}, claims)
    ]
    mac = hmac.digest(secret, ".".join(parts).encode(), "sha256")
    return ".".join([*parts, base64.urlsafe_b64encode(mac).decode().rstrip("=")])


def person(provider, web, token, attempt=ATTEMPT):
    web.answers[f"{ISSUER}/token"] = {"id_token": token, "token_type": "Bearer", "access_token": "a"}
    return provider.person(attempt, "code", None)


def test_claims_become_a_person(provider, web):
    """Role, second factor and digests of account and session follow from the claims; nothing else is kept."""
    found = person(provider, web, signed(GOOD))
    assert (found.roles, found.multi_factor, found.name) == ({Role.REVIEWER}, True, "Ann")
    assert len(found.account) == len(found.session) == 32
    assert "somebody" not in repr(found)
    again = person(provider, web, signed(GOOD | {"sub": "session"}))
    assert again.account not in (found.account, found.session)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://login.example/other"},
        {"aud": "another"},
        {"aud": ["flagstone", "another"]},
        {"azp": "another"},
        {"exp": NOW - 61},
        {"iat": NOW + 3600},
        {"nonce": "m" * 43},
        {"nonce": None},
        {"sub": ""},
        {"sub": 7},
        {"amr": "mfa-but-no-list"},
        {"auth_time": "now"},
        {"at_hash": "AAAA"},
    ],
    ids=str,
)
def test_an_id_token_with_one_wrong_claim_is_refused(provider, web, changed):
    """Issuer, audience, party, times, nonce, subject and access token hash are each checked."""
    with pytest.raises(VerificationError):
        person(provider, web, signed(GOOD | changed))


@pytest.mark.parametrize("missing", ["iss", "sub", "aud", "exp", "iat", "nonce"])
def test_an_id_token_without_a_claim_is_refused(provider, web, missing):
    """What must be there must be there."""
    with pytest.raises(VerificationError):
        person(provider, web, signed({name: value for name, value in GOOD.items() if name != missing}))


@pytest.mark.parametrize(
    "token",
    [
        signed(GOOD, OTHER),
        signed(GOOD)[:-6] + "AAAAAA",
        "eyJhbGciOiJub25lIn0." + signed(GOOD).split(".")[1] + ".",
        with_hmac(GOOD, KEY.as_pem(private=False)),
        "",
        None,
        7,
        "a.b.c",
        "x" * 40_000,
    ],
    ids=[
        "another key",
        "changed",
        "no algorithm",
        "hmac of the public key",
        "empty",
        "none",
        "number",
        "abc",
        "long",
    ],
)
def test_a_token_that_our_provider_did_not_sign_is_refused(provider, web, token):
    """Another key, a changed byte, no algorithm, a symmetric one, and what is no token at all."""
    with pytest.raises(VerificationError):
        person(provider, web, token)


@pytest.mark.parametrize("signed_in", [NOW - 1000, None])
def test_a_step_up_must_be_fresh(provider, web, signed_in):
    """After a step-up the provider has to say that the person signed in just now."""
    claims = {name: value for name, value in GOOD.items() if name != "auth_time"}
    claims |= {"auth_time": signed_in} if signed_in else {}
    with pytest.raises(VerificationError):
        person(provider, web, signed(claims), STEP_UP)
    assert person(provider, web, signed(GOOD), STEP_UP).multi_factor


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({"amr": ["mfa"]}, True),
        ({"acr": "2"}, True),
        ({"acr": ["1", "2"]}, True),
        ({"amr": ["pwd"], "acr": "1"}, False),
        ({"amr": None, "acr": 2}, False),
        ({"acr": {"2": "2"}}, False),
        ({}, False),
    ],
    ids=str,
)
def test_only_the_named_values_say_second_factor(written, claims, shown):
    """A second factor is believed for the values in the file, in the form that the standard gives them."""
    config = load_config(written(), SecretStr("secret"))
    assert config.multi_factor.shown(claims) is shown


def test_a_logout_token_names_session_and_account(provider, web):
    """A good one gives the digests that the session was kept under, and an id to be used once."""
    found = provider.logout(signed(LOGOUT, typ="logout+jwt"))
    someone = person(provider, web, signed(GOOD))
    assert (found.session, found.account) == (someone.session, someone.account)
    assert found.id != provider.logout(signed(LOGOUT | {"jti": "two"})).id


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://login.example/other"},
        {"aud": "another"},
        {"iat": NOW - 601},
        {"iat": NOW + 61},
        {"iat": "now"},
        {"iat": True},
        {"exp": NOW - 61},
        {"jti": ""},
        {"jti": None},
        {"events": {}},
        {"events": {EVENT: "x"}},
        {"events": EVENT},
        {"nonce": "n"},
        {"sid": None, "sub": None},
    ],
    ids=str,
)
def test_a_logout_token_with_one_wrong_claim_is_refused(provider, changed):
    """Back-Channel Logout 1.0 §2.6, claim by claim; an ID token is no logout token."""
    for claims in (LOGOUT | changed, GOOD):
        with pytest.raises(VerificationError):
            provider.logout(signed(claims))
    with pytest.raises(VerificationError):
        provider.logout(signed(LOGOUT, typ="at+jwt"))
    with pytest.raises(VerificationError):
        provider.logout(signed(LOGOUT, OTHER))


def test_strangers_can_not_make_us_ask_the_provider_again_and_again(provider, web):
    """A hundred tokens with unknown key ids lead to one more fetch of the keys in half a minute."""
    person(provider, web, signed(GOOD))
    for number in range(100):
        with pytest.raises(VerificationError):
            provider.logout(signed(LOGOUT, OTHER, kid=f"unknown-{number}"))
    assert web.asked.count(f"{ISSUER}/keys") == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://login.example/other"},
        {"issuer": None},
        {"token_endpoint": "http://login.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_metadata_that_points_elsewhere_is_refused(provider, web, changed):
    """Another issuer, or an endpoint without TLS, and nobody is sent there."""
    web.answers[f"{ISSUER}/.well-known/openid-configuration"] |= changed
    with pytest.raises(VerificationError):
        provider.authorization_url(ATTEMPT)


def test_a_provider_s_answer_must_name_it_where_it_says_so(provider, web):
    """RFC 9207: an issuer that comes back must be ours, and must come where the provider promises it."""
    web.answers[f"{ISSUER}/token"] = {"id_token": signed(GOOD)}
    with pytest.raises(VerificationError):
        provider.person(ATTEMPT, "code", "https://login.example/other")
    web.answers[f"{ISSUER}/.well-known/openid-configuration"][
        "authorization_response_iss_parameter_supported"
    ] = True
    other = Provider(provider._config, "https://g.example/signin/callback", lambda: NOON)
    with pytest.raises(VerificationError):
        other.person(ATTEMPT, "code", None)
    assert other.person(ATTEMPT, "code", ISSUER)


def test_a_provider_that_is_down_is_told_apart(provider, web):
    """No answer is not a wrong answer: whoever signs in is told to try again."""
    web.answers[f"{ISSUER}/keys"] = fetching.down()
    with pytest.raises(ProviderDownError):
        person(provider, web, signed(GOOD))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FILE.replace("https://login", "http://login"), "https://"),
        (FILE.replace('client_id = "flagstone"', ""), "client_id"),
        (FILE + 'more = "x"\n', "more"),
        (FILE.replace('amr = ["mfa"]\nacr = ["2"]\n', ""), "acr or amr"),
        (
            FILE.replace('[organisation]\nclaim = "org"\npartners = { "NHS-1" = "health" }\n', ""),
            "organisation",
        ),
        (FILE.replace('"flagstone"\n', '"flagstone"\nscope = "profile"\n'), "openid"),
        (FILE.replace('"flagstone"\n', '"flagstone"\nclient_auth = "private_key_jwt"\n'), "client_key"),
        (FILE.replace('"flagstone"\n', '"flagstone"\nclient_auth = "none"\n'), "client_auth"),
        ("\x00", "TOML"),
        ("x" * 70_000, "64 KiB"),
    ],
    ids=lambda text: text[:20].strip(),
)
def test_a_file_that_is_not_right_names_what_is_wrong(written, text, said):
    """A typing error, a missing part or a part that does not fit stops the start, without the secret."""
    with pytest.raises(ConfigurationError, match=said) as refusal:
        load_config(written(text), SecretStr("hush-hush"))
    assert "hush-hush" not in str(refusal.value)


def test_a_secret_or_a_key_is_needed(written, tmp_path):
    """Without either nobody signs in to the provider; a key file that others can read is refused."""
    with pytest.raises(ConfigurationError, match="FLAGSTONE_OIDC_CLIENT_SECRET"):
        load_config(written(), None)
    path = tmp_path / "client.pem"
    for key in (KEY, ECKey.generate_key("P-256")):
        path.write_bytes(key.as_pem(private=True))
        path.chmod(0o600)
        assert load_client_key(path).is_private
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_client_key(path)
    path.chmod(0o600)
    path.write_bytes(KEY.as_pem(private=False))
    with pytest.raises(ConfigurationError, match="no private key"):
        load_client_key(path)


def test_claims_are_read_by_path_and_form():
    """A dotted path, a name with dots, one text or a list; anything else says nothing."""
    claims = {"a": {"b": ["x", 1, "y"]}, "https://c.example/r": "z", "n": 5, "m": {"k": {}}}
    assert values_at(claims, "a.b") == ("x", "y")
    assert values_at(claims, "https://c.example/r") == ("z",)
    for path in ("a", "n", "m.k", "a.b.c", "none"):
        assert values_at(claims, path) == ()
