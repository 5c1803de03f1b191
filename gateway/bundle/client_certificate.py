"""A partner's word for the TLS client certificate of its agent (RFC 8705).

No authority vouches for it: it is trusted because the partner's signing key names it (RFC 8705 §2.2).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509

from gateway.bundle.documents import Code, Der, Document
from gateway.bundle.errors import MalformedError, WrongKeyError
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_CLIENT_CERTIFICATE


class ClientCertificate(Document):
    """What the partner signs. `certificate`: X.509 in DER."""

    type: Literal["flagstone/client-certificate/v1"] = "flagstone/client-certificate/v1"
    partner: Code
    certificate: Der


@dataclass(frozen=True, slots=True)
class Announced:
    """A certificate as it is kept."""

    der: bytes
    thumbprint: bytes
    expires_at: datetime


def thumbprint(der: bytes) -> bytes:
    """SHA-256 of the DER, what `x5t#S256` holds in base64url (RFC 8705 §3.1)."""
    return hashlib.sha256(der).digest()


def verify_client_certificate(token: str | bytes, partner: Identity) -> Announced:
    """The certificate that `partner` signed for.

    Raises:
        VerificationError: as `Document.verify`; or it names another partner, or is no X.509 certificate.
    """
    document = ClientCertificate.verify(token, TYP_CLIENT_CERTIFICATE, partner)
    if document.partner != partner.slug:
        raise WrongKeyError("it names another partner", place="client certificate")
    der = document.certificate
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
    except Exception:  # noqa: BLE001 - the parser raises many kinds, and what it read is a stranger's
        raise MalformedError("not an X.509 certificate", place="client certificate") from None
    return Announced(der, thumbprint(der), certificate.not_valid_after_utc)
