"""Enrolment by a code: the operator invites, the partner's agent brings its identity, the operator confirms.

Nothing is in force before the confirmation, which compares fingerprints as `flagstone partner add` does.
"""

import hmac
import json
from datetime import timedelta
from typing import Final

from audit.entry import Json
from gateway.bundle.enrolment import ENTROPY, Parties, code_key, new_code, verify_enrolment
from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import BadInputError, ConflictError, NotFoundError
from gateway.domain.identity import Identity, check_slug
from gateway.machine_ports import Invitation
from gateway.party_ports import Partner
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.partners import compare
from gateway.service.recording import record, the_operator, the_partner
from gateway.service.signins import denied

CODE_LIVES: Final = timedelta(minutes=15)
CONFIRMED_WITHIN: Final = timedelta(days=1)
TRIES: Final = 5
_MAX_NAME: Final = 200


def invite(ctx: Context, slug: str, name: str) -> str:
    """Open an enrolment; the code to read out, which is kept nowhere. An earlier one of this slug ends.

    Raises:
        BadInputError: not a short name, or not a name.
        ConflictError: the short name is a registered partner's, or the council's own.
    """
    check_slug(slug, "partner invite")
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
        raise BadInputError("not a name of 1 to 200 printable characters", place="partner invite")
    code, at = new_code(ctx.entropy(ENTROPY)), ctx.clock()
    invitation = Invitation(slug, name, code_key(code, slug), at + CODE_LIVES)
    with ctx.store.begin() as uow:
        if slug in {ctx.keys.identity.slug, *(each.identity.slug for each in uow.partners.all())}:
            raise ConflictError("the short name is taken", place="partner invite")
        uow.invitations.open(invitation)
        body = {"partner": slug, "until": invitation.expires_at.isoformat()}
        record(ctx, uow, "partner.invited", actor=the_operator(ctx), body=body, at=at)
        uow.commit()
    return code


def enrol(ctx: Context, jws: str) -> str:
    """Keep what an agent brought, for the operator to confirm; the proof that this gateway knows the code.

    The same identity may be brought again while the code lives, with the same answer.

    Raises:
        VerificationError: not an enrolment, or its sender has not all of its keys.
        NotSignedInError: the code is wrong, was used, has run out, or was tried too often; which is not said.
    """
    brought = verify_enrolment(jws, ctx.keys.identity, ctx.keys.agree)
    parties = Parties(brought.identity, ctx.keys.identity)
    with ctx.store.begin() as uow:
        invitation = uow.invitations.get(brought.identity.slug)
        key = invitation.key if invitation else bytes(32)
        known = hmac.compare_digest(parties.proof_of_code(key), brought.code)
        if known and invitation and _taken(ctx, uow, invitation, brought.identity):
            return parties.answer(key)
        # counted with the invitation, so that a code dies of a few tries, and below with the failed sign-ins
        uow.invitations.failed(brought.identity.slug)
        uow.commit()
    raise denied(
        ctx,
        Caller.AGENT,
        Denied.BAD_CODE,
        "the code is wrong, was used, or has run out",
        way_out="Ask the council for a new one",
    )


def _taken(ctx: Context, uow: UnitOfWork, invitation: Invitation, identity: Identity) -> bool:
    """Whether the identity is kept for the operator to confirm."""
    at, document = ctx.clock(), json.dumps(identity.to_json(), sort_keys=True)
    if invitation.failed >= TRIES or invitation.expires_at <= at:
        return False
    if invitation.document is not None:
        return invitation.document == document
    uow.invitations.take(identity.slug, document, at + CONFIRMED_WITHIN)
    body: dict[str, Json] = {"partner": identity.slug, "fingerprint": identity.fingerprint}
    record(ctx, uow, "partner.enrolled", actor=the_partner(identity.slug), body=body, at=at)
    uow.commit()
    return True


def waiting(ctx: Context) -> list[Invitation]:
    """Enrolments that are open now, whether somebody came already or not."""
    now = ctx.clock()
    with ctx.store.begin() as uow:
        return [each for each in uow.invitations.all() if each.expires_at > now]


def brought_by(invitation: Invitation) -> Identity | None:
    """The identity that waits for its confirmation, if one was brought."""
    return Identity.from_json(json.loads(invitation.document)) if invitation.document else None


def confirm(ctx: Context, slug: str, fingerprint: str) -> Identity:
    """Put in force what the agent brought, after comparing the fingerprint that the partner's staff read out.

    Raises:
        NotFoundError: nobody has enrolled under this short name, or it is too long ago.
        VerificationError: the fingerprint is another one; nothing is in force.
    """
    at = ctx.clock()
    with ctx.store.begin() as uow:
        invitation = uow.invitations.get(slug)
        identity = brought_by(invitation) if invitation and invitation.expires_at > at else None
        if identity is None:
            raise NotFoundError(
                "no agent has enrolled under this short name",
                place="partner confirm",
                way_out="Invite it anew: flagstone partner invite",
            )
        compare(identity, fingerprint, "partner confirm")
        uow.partners.add(Partner(identity, at))
        uow.invitations.close(slug)
        body = {"partner": slug, "fingerprint": identity.fingerprint}
        record(ctx, uow, "partner.confirmed", actor=the_operator(ctx), body=body, at=at)
        uow.commit()
    return identity
