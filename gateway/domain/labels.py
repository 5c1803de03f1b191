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
ADDRESS_KEY: Final = b"flagstone/v1/address-key"
SEARCH_TAGS: Final = b"flagstone/v1/search-tags"

# Enrolment by a code (gateway.bundle.enrolment): scrypt's salt, HMAC inputs, HKDF info
ENROLMENT_CODE: Final = b"flagstone/v1/enrolment-code/"  # + the partner's short name
ENROLMENT_REQUEST: Final = b"flagstone/v1/enrolment-request/"  # + transcript
ENROLMENT_ANSWER: Final = b"flagstone/v1/enrolment-answer/"  # + transcript
ENROLMENT_EXCHANGE: Final = b"flagstone/v1/enrolment-exchange/"  # + transcript

# Associated data of AES-GCM (gateway.bundle, gateway.service)
REQUEST_AAD: Final = b"flagstone/v1/request/"  # + exchange id
ANSWER_AAD: Final = b"flagstone/v1/answer/"  # + exchange id
SEALED_AAD: Final = b"flagstone/v1/sealed/"  # + exchange id + "/" + kind
SEARCH_TAGS_AAD: Final = b"flagstone/v1/search-tags/"  # + exchange id

KEY_FILE_AAD: Final = b"flagstone/v1/key-file/"  # + kind.generation: a key at rest under the keyring's
KEYRING_CHECK: Final = b"flagstone/v1/keyring-check"
EXCHANGE_KEY_AAD: Final = b"flagstone/v1/exchange-key/"  # + file name: an exchange's key under a sealing key
PREKEY_AAD: Final = b"flagstone/v1/prekey/"  # + id
WRAPPED_KEY_AAD: Final = b"flagstone/v1/wrapped-key/"  # + kind.generation: a key wrapped by a key service

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
TYP_SUCCESSION: Final = "flagstone-succession+jws"  # by the predecessor's signing key
TYP_SUCCESSOR: Final = "flagstone-successor+jws"  # by the successor's signing key
TYP_SUCCESSOR_AUTH: Final = "flagstone-successor-auth+jws"  # by the successor's auth key
TYP_KEYS_TAKEN: Final = "flagstone-keys-taken+jws"
TYP_ASSERTION: Final = "client-authentication+jwt"  # RFC 7523 assertion of an agent
TYP_ACCESS: Final = "at+jwt"  # RFC 9068 §2.1
TYP_PROOF: Final = "dpop+jwt"  # RFC 9449 §4.2
TYP_ENROLMENT: Final = "flagstone-enrolment+jws"
TYP_ENROLMENT_KEY: Final = "flagstone-enrolment-key+jws"
TYP_CLIENT_CERTIFICATE: Final = "flagstone-client-certificate+jws"
TYP_NONCE: Final = "flagstone-nonce+jws"  # what the gateway has agents put into proofs
