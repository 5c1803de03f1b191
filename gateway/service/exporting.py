"""The council's keys leave the machine: only with an approved proposal, and never without an entry."""

import hashlib

from audit.entry import Json
from gateway.domain.proposals import Act
from gateway.service import two_person
from gateway.service.context import Context
from gateway.service.recording import record, the_operator


def allow(ctx: Context, sealed: bytes) -> None:
    """Spend the approval and record the file by its digest, before it is written anywhere.

    Raises:
        NotAllowedError: no approved proposal.
    """
    with ctx.store.begin() as uow:
        actor = the_operator(ctx)
        two_person.use(ctx, uow, Act.KEY_EXPORT, "", actor)
        body: dict[str, Json] = {
            "fingerprint": ctx.keys.identity.fingerprint,
            "file": hashlib.sha256(sealed).hexdigest(),
        }
        record(ctx, uow, "keys.exported", actor=actor, body=body, at=ctx.clock())
        uow.commit()
