"""Every label of every derived key and signed document, in one place.

A label is never reused for another purpose: two keys derived under different labels are independent
(RFC 5869 §3.2). Each carries a version, so that a change of meaning is a change of label.
"""

from typing import Final

# HKDF info prefixes (gateway.linkage.secret)
EXCHANGE_SECRET: Final = b"flagstone/v1/exchange-secret"
KEY_CONFIRMATION: Final = b"flagstone/v1/key-confirmation"
TOKEN_KEY: Final = b"flagstone/v1/token-key/"  # + scheme + "/" + match key's label
REQUEST_KEY: Final = b"flagstone/v1/request-key"
ANSWER_KEY: Final = b"flagstone/v1/answer-key"
SUBMISSION_KEY: Final = b"flagstone/v1/submission-key"
SEARCH_TAGS: Final = b"flagstone/v1/search-tags"

# Associated data of AES-GCM (gateway.bundle, gateway.service)
REQUEST_AAD: Final = b"flagstone/v1/request/"  # + exchange id
ANSWER_AAD: Final = b"flagstone/v1/answer/"  # + exchange id
SEALED_AAD: Final = b"flagstone/v1/sealed/"  # + exchange id + "/" + kind
SEARCH_TAGS_AAD: Final = b"flagstone/v1/search-tags/"  # + exchange id

# HPKE `info` (RFC 9180 §5; adapters.keys.search)
SEARCH_SEAL: Final = b"flagstone/v1/search-seal/"  # + exchange id

# HMAC messages under a secret that one browser holds (gateway.service.attempts, gateway.pages.csrf)
SIGN_IN: Final = b"flagstone/v1/sign-in/"  # + "state", "nonce" or "verifier", + "/" + when it began and why
CSRF: Final = b"flagstone/v1/csrf"

# `typ` headers of signed documents (JWS; RFC 7515 §4.1.9)
TYP_REQUEST: Final = "flagstone-request+jws"
TYP_ANSWER: Final = "flagstone-answer+jws"
TYP_PREKEY: Final = "flagstone-prekey+jws"
TYP_AGREEMENT: Final = "flagstone-agreement+jws"
TYP_REVOCATION: Final = "flagstone-revocation+jws"
TYP_REFUSAL: Final = "flagstone-refusal+jws"
TYP_LOG_KEY: Final = "flagstone-log-key+jws"
TYP_WITNESS_KEY: Final = "flagstone-witness-key+jws"
TYP_ALARM: Final = "flagstone-witness-alarm+jws"
TYP_CERTIFICATE: Final = "flagstone-destruction+jws"
TYP_ASSERTION: Final = "client-authentication+jwt"  # RFC 7523 assertion of an agent
TYP_ACCESS: Final = "at+jwt"  # RFC 9068 §2.1
