"""What a partner's agent asks of the gateway besides its exchanges: its state, and room for its prekeys."""

from functools import partial
from typing import Any

from gateway.bundle.prekey import verify_prekey
from gateway.bundle.signers import by_any
from gateway.domain.errors import BadInputError
from gateway.domain.legal_date import legal_date
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord
from gateway.service import certificates, successions
from gateway.service.agreements import terms
from gateway.service.context import Context
from gateway.service.witnessing import shown

MAX_PREKEYS = 200


def state(ctx: Context, partner: Partner, seen: int = 0, council: str = "") -> dict[str, Any]:
    """Everything one poll tells the agent.

    `seen`: how large the log was when its witness last saw it; `council`: hex digest of the council's
    identity as the agent knows it, "" where it does not say.
    """
    slug, now = partner.identity.slug, ctx.clock()
    with ctx.store.begin() as uow:
        held = uow.agreements.all(partner=slug)
        return {
            "time": now.isoformat(),
            "prekeys": uow.prekeys.available(slug, now),
            "waiting": [str(exchange) for exchange in uow.mailbox.waiting(slug)],
            "log": shown(ctx, uow, partner, seen, council),
            "keys": successions.shown(ctx, uow, partner, council),
            "agreements": [_agreement(ctx, partner, record) for record in held],
            "certificates": certificates.waiting(uow, slug),
        }


def publish_prekeys(ctx: Context, partner: Partner, jwss: list[str]) -> None:
    """Take signed one-time keys, each verified before any is kept.

    Raises:
        BadInputError: more than 200 at once, or more than that would lie here.
        VerificationError: one is not signed by this partner, or has expired.
    """
    slug, now = partner.identity.slug, ctx.clock()
    if len(jwss) > MAX_PREKEYS:
        raise BadInputError(f"more than {MAX_PREKEYS} at once", place="prekeys")
    signers = partner.lineage.accepted(now)
    verified = [(by_any(signers, partial(verify_prekey, jws, now=now)), jws) for jws in jwss]
    records = [PrekeyRecord(slug, key.id, key.public, jws, key.expires_at) for key, jws in verified]
    with ctx.store.begin() as uow:
        if uow.prekeys.available(slug, now) + len(records) > MAX_PREKEYS:
            raise BadInputError(f"more than {MAX_PREKEYS} would lie unused", place="prekeys")
        uow.prekeys.publish(records)
        uow.commit()


def _agreement(ctx: Context, partner: Partner, record: AgreementRecord) -> dict[str, str]:
    today = legal_date(ctx.clock())
    if record.revoked_at is not None:
        status = "revoked"
    elif terms(record, ctx.keys.lineage, partner.lineage).valid_to < today:
        status = "expired"
    else:
        status = "in-force" if record.signed_at else "proposed"
    return {"number": record.number, "dataset": record.dataset, "status": status}
