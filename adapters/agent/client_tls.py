"""The agent's own TLS client certificate (RFC 8705), made here, and named by the signing key."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from adapters.agent.context import Agent
from gateway.bundle.client_certificate import ClientCertificate, thumbprint
from gateway.domain.labels import TYP_CLIENT_CERTIFICATE

FILE: Final = "client.pem"
LIFE: Final = timedelta(days=397)
_CLOCKS: Final = timedelta(minutes=5)


def renew(agent: Agent, home: Path) -> str:
    """Make key and certificate, announce it, and put both in the place of those before; its thumbprint, hex.

    The gateway takes this one and the one before, so that a running agent goes on until it is restarted.

    Raises:
        PartnerError: the gateway can't be reached or does not take it; nothing was changed.
    """
    key = generate_private_key(SECP256R1())
    certificate = _certificate(agent, key)
    der = certificate.public_bytes(Encoding.DER)
    document = ClientCertificate(partner=agent.keys.identity.slug, certificate=der)
    agent.gateway.put_certificate(agent.keys.sign(document.payload, TYP_CLIENT_CERTIFICATE))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _replace(home / FILE, private + certificate.public_bytes(Encoding.PEM))
    return thumbprint(der).hex()


def _certificate(agent: Agent, key: EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, agent.keys.identity.slug)])
    now = agent.clock()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
