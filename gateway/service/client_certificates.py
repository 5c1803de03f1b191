"""Client certificates of partners' agents, where Flagstone terminates TLS itself (RFC 8705)."""

import base64
from datetime import datetime
from typing import Final

from gateway.bundle.client_certificate import thumbprint, verify_client_certificate
from gateway.bundle.signers import by_any
from gateway.domain.errors import NotFoundError, VerificationError
from gateway.machine_ports import TlsCertificate
from gateway.party_ports import Partner
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.recording import record, the_partner

KEPT: Final = 2
"""How many of a partner's certificates count: the one in use and its successor."""


def announce(ctx: Context, partner: Partner, jws: str) -> None:
    """Take a certificate that the partner's signing key names. Idempotent.

    Raises:
        VerificationError: not signed by this partner, not a certificate, or run out.
        ConflictError: another partner has it.
    """
    slug, at = partner.identity.slug, ctx.clock()
    brought = by_any(partner.lineage.accepted(at), lambda each: verify_client_certificate(jws, each))
    if brought.expires_at <= at:
        raise VerificationError("it has run out", place="client certificate", way_out="Make a new one")
    kept = TlsCertificate(slug, brought.thumbprint, brought.der, brought.expires_at, at)
    with ctx.store.begin() as uow:
        if uow.tls_certificates.announce(kept, KEPT):
            body = {"partner": slug, "thumbprint": kept.thumbprint.hex()}
            record(ctx, uow, "partner.certificate-announced", actor=the_partner(slug), body=body, at=at)
            uow.commit()


def trusted(ctx: Context) -> frozenset[bytes]:
    """Certificates (DER) that a TLS handshake may bring: those of partners in force, not run out."""
    now = ctx.clock()
    with ctx.store.begin() as uow:
        partners = {each.identity.slug for each in uow.partners.all() if each.revoked_at is None}
        known = uow.tls_certificates.all()
    return frozenset(each.der for each in known if each.partner in partners and each.expires_at > now)


def require_registered(uow: UnitOfWork, partner: str, digest: str, now: datetime) -> None:
    """Raise NotFoundError unless this certificate (base64url of its thumbprint) is the partner's, now."""
    in_force = [each for each in uow.tls_certificates.of(partner) if each.expires_at > now]
    if digest not in {encoded(each.thumbprint) for each in in_force}:
        raise NotFoundError("the certificate is in force no more")


def digest_of(der: bytes) -> str:
    """`x5t#S256` of a certificate (RFC 8705 §3.1)."""
    return encoded(thumbprint(der))


def encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
