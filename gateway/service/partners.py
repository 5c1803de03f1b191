"""The council's side of enrolment."""

import hmac
from collections.abc import Mapping
from typing import Any

from gateway.domain.errors import ConflictError, VerificationError
from gateway.domain.identity import Identity
from gateway.party_ports import Partner
from gateway.service.context import Context
from gateway.service.recording import record, the_operator


def add(ctx: Context, document: Mapping[str, Any], fingerprint: str) -> Identity:
    """Register a partner's keys, after comparing the fingerprint that its staff read out.

    Raises:
        BadInputError: the document is not an identity document.
        VerificationError: the fingerprint is another one.
        ConflictError: the short name is a registered partner's, or the council's own.
    """
    identity = Identity.from_json(document)
    compare(identity, fingerprint, "partner add")
    if identity.slug == ctx.keys.identity.slug:
        raise ConflictError("a partner needs another short name than the council's", place="partner add")
    with ctx.store.begin() as uow:
        uow.partners.add(Partner(identity, ctx.clock()))
        body = {"partner": identity.slug, "fingerprint": identity.fingerprint}
        record(ctx, uow, "partner.added", actor=the_operator(ctx), body=body, at=ctx.clock())
        uow.commit()
    return identity


def compare(identity: Identity, fingerprint: str, place: str) -> None:
    """Compare with what was read out, blanks, hyphens and case apart.

    Raises:
        VerificationError: the fingerprint is another one.
    """
    given = fingerprint.replace(" ", "").replace("-", "").upper()
    if not hmac.compare_digest(given.encode(), identity.fingerprint.replace("-", "").encode()):
        raise VerificationError(
            "the keys in this document have another fingerprint",
            place=place,
            way_out="Ask the partner to read out the fingerprint that its agent printed; "
            "if it still differs, the document was altered on its way",
        )


def revoke(ctx: Context, slug: str) -> None:
    """Revoke a partner: its agent is turned away from the next request on.

    Raises:
        NotFoundError: there is none.
    """
    with ctx.store.begin() as uow:
        uow.partners.get(slug)
        uow.partners.revoke(slug, ctx.clock())
        body = {"partner": slug}
        record(ctx, uow, "partner.revoked", actor=the_operator(ctx), body=body, at=ctx.clock())
        uow.commit()


def listing(ctx: Context) -> list[Partner]:
    with ctx.store.begin() as uow:
        return uow.partners.all()


def names(ctx: Context) -> dict[str, str]:
    """The partners' names by short name, those of revoked ones too."""
    return {each.identity.slug: each.identity.name for each in listing(ctx)}
