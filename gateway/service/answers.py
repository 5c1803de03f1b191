"""The partner's side of an exchange: fetching the request, and the one answer or refusal that comes back."""

import hashlib
import hmac
from datetime import datetime

from gateway.bundle.open import OpenedAnswer, open_answer, read_own_request
from gateway.bundle.refusal import verify_refusal
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import Exchange, ExchangeId, Status
from gateway.ports import Partner, UnitOfWork
from gateway.service.closing import close
from gateway.service.context import Context
from gateway.service.dispatch import BEFORE_ANSWER, decide_again
from gateway.service.recording import record_exchange, the_partner
from gateway.service.sealing import SECRET


def fetch_request(ctx: Context, partner: Partner, exchange_id: ExchangeId) -> bytes:
    """The bundle that waits for this partner; may be fetched again until it is answered.

    Raises:
        NotFoundError: there is none for this partner, or nothing permits it any more.
    """
    with ctx.store.begin() as uow:
        bundle = uow.mailbox.fetch(partner.identity.slug, exchange_id)
        exchange = uow.exchanges.get(exchange_id)
        if not decide_again(ctx, uow, exchange, ctx.clock()).permitted:
            raise NotFoundError("no such bundle")
    return bundle


def receive_answer(ctx: Context, partner: Partner, exchange_id: ExchangeId, data: bytes) -> None:
    """Verify an answer whole, then record the delivery with the partner's signed receipt.

    The same bytes again are acknowledged again, so that an agent which lost our acknowledgement can go on.

    Raises:
        NotFoundError: no exchange of this partner.
        VerificationError: a subclass names what did not hold; nothing was kept.
        ConflictError: answered with other bytes, or no answer is awaited any more.
    """
    with ctx.store.begin() as uow:
        exchange = _own(uow, partner, exchange_id)
        if exchange.status not in BEFORE_ANSWER:
            _same_again(uow, exchange, data)
            return
        at = ctx.clock()
        opened = open_own_answer(ctx, uow, exchange, partner, data, at)
        uow.exchanges.advance(exchange_id, Status.DELIVERED, frm=BEFORE_ANSWER)
        uow.vault.put(exchange_id, "answer", data)
        record_exchange(
            ctx,
            uow,
            "exchange.delivered",
            exchange,
            actor=the_partner(partner.identity.slug),
            at=at,
            body={"register_date": opened.manifest.attestation.register_date.isoformat()},
            private={"receipt": opened.receipt, "answer": hashlib.sha256(data).hexdigest()},
        )
        uow.mailbox.remove(exchange_id)
        uow.commit()


def receive_refusal(ctx: Context, partner: Partner, exchange_id: ExchangeId, jws: str) -> None:
    """Take the signed notice that the partner declines, or that its agent can't answer.

    Raises:
        NotFoundError: no exchange of this partner.
        VerificationError: not the partner's signature, or about another request.
        ConflictError: the exchange was answered or ended otherwise.
    """
    with ctx.store.begin() as uow:
        exchange = _own(uow, partner, exchange_id)
        notice = verify_refusal(
            jws, partner.identity, exchange=exchange_id, request_digest=exchange.request_digest
        )
        to = Status.DECLINED if notice.code == "declined" else Status.FAILED
        if exchange.status is to:
            return
        uow.exchanges.advance(exchange_id, to, frm=BEFORE_ANSWER)
        record_exchange(
            ctx,
            uow,
            f"exchange.{to.value}",
            exchange,
            actor=the_partner(partner.identity.slug),
            at=ctx.clock(),
            body={"code": notice.code, "counts_as_disclosed": True},
            private={"receipt": jws},
        )
        uow.mailbox.remove(exchange_id)
        uow.commit()
    close(ctx, exchange_id)


def open_own_answer(
    ctx: Context, uow: UnitOfWork, exchange: Exchange, partner: Partner, data: bytes, now: datetime
) -> OpenedAnswer:
    """Open an answer against the request that we ourselves signed."""
    request = read_own_request(uow.vault.get(exchange.id, "request"), ctx.keys.identity)
    return open_answer(
        data,
        request=request,
        request_digest=exchange.request_digest.hex(),
        secret=ctx.exchange_keys.get(exchange.id, SECRET),
        sender=partner.identity,
        now=now,
    )


def _own(uow: UnitOfWork, partner: Partner, exchange_id: ExchangeId) -> Exchange:
    exchange = uow.exchanges.get(exchange_id)
    if exchange.partner != partner.identity.slug:
        raise NotFoundError("no such exchange")
    return exchange


def _same_again(uow: UnitOfWork, exchange: Exchange, data: bytes) -> None:
    if exchange.status in {Status.DELIVERED, Status.RELEASED}:
        kept = hashlib.sha256(uow.vault.get(exchange.id, "answer")).digest()
        if hmac.compare_digest(kept, hashlib.sha256(data).digest()):
            return
        raise ConflictError("this exchange was answered before, with other bytes", place="answer")
    raise ConflictError(f"no answer is awaited: the exchange is {exchange.status}", place="answer")
