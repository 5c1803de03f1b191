"""The partner's side of an exchange: fetching the request, and the one answer or refusal that comes back."""

import hashlib
import hmac
from datetime import datetime
from typing import Any

import polars as pl

from gateway.bundle.format import split
from gateway.bundle.open import OpenedAnswer, open_answer, read_own_request
from gateway.bundle.refusal import RefusalCode, verify_refusal
from gateway.bundle.signers import by_any
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import Exchange, ExchangeId, Status
from gateway.linkage.scheme import scheme_of
from gateway.linkage.selftest import self_test
from gateway.party_ports import Partner
from gateway.ports import UnitOfWork
from gateway.service.closing import close, start_clocks
from gateway.service.context import Context
from gateway.service.dispatch import BEFORE_ANSWER, decide_again, decide_or_cancel
from gateway.service.generations import heard
from gateway.service.recording import record_exchange, resting_on, the_partner
from gateway.service.sealing import SECRET, put_sealed
from policies.decision import Decision


def fetch_request(ctx: Context, partner: Partner, exchange_id: ExchangeId) -> bytes:
    """The bundle that waits for this partner; may be fetched again until it is answered.

    Raises:
        NotFoundError: there is none for this partner, or nothing permits it any more.
    """
    with ctx.store.begin() as uow:
        bundle = uow.mailbox.fetch(partner.identity.slug, exchange_id)
        exchange = uow.exchanges.get(exchange_id)
        at = ctx.clock()
        # a send that a cancellation or expiry overtook may have left its bundle here
        awaited = exchange.status in BEFORE_ANSWER and at < exchange.expires_at
        if not (awaited and decide_again(ctx, uow, exchange, at).permitted):
            raise NotFoundError("there is none", place="mailbox")  # the words for what is not there
    return bundle


def receive_answer(ctx: Context, partner: Partner, exchange_id: ExchangeId, data: bytes) -> None:
    """Verify an answer whole, then record the delivery with the partner's signed receipt.

    The same bytes again are acknowledged again, so that an agent which lost our acknowledgement can go on.

    Raises:
        NotFoundError: no exchange of this partner.
        VerificationError: a subclass names what did not hold; nothing was kept.
        ConflictError: answered with other bytes, or no answer is awaited or permitted any more.
    """
    with ctx.store.begin() as uow:
        exchange = _own(uow, partner, exchange_id)
        if exchange.status not in BEFORE_ANSWER:
            _same_again(uow, exchange, data)
            return
        at = ctx.clock()
        if at >= exchange.expires_at:
            raise ConflictError("no answer is awaited: its time is over", place="answer")
        decision = decide_or_cancel(ctx, uow, exchange, at)
        if decision.permitted:
            _keep(ctx, uow, exchange, partner, data, decision)
        uow.commit()
    if not decision.permitted:
        close(ctx, exchange_id)
        raise ConflictError("the answer is no longer permitted, and was not opened", place="answer")


def receive_refusal(ctx: Context, partner: Partner, exchange_id: ExchangeId, jws: str) -> None:
    """Take the signed notice that the partner declines, or that its agent can't answer.

    Raises:
        NotFoundError: no exchange of this partner.
        VerificationError: not the partner's signature, or about another request.
        ConflictError: the exchange was answered or ended otherwise.
    """
    with ctx.store.begin() as uow:
        exchange = _own(uow, partner, exchange_id)
        digest = exchange.request_digest.hex()
        notice = by_any(
            partner.lineage.accepted(ctx.clock()),
            lambda each: verify_refusal(jws, each, exchange=exchange_id, request_digest=digest),
        )
        to = Status.DECLINED if notice.code is RefusalCode.DECLINED else Status.FAILED
        at = ctx.clock()
        if exchange.status is to or not uow.exchanges.advance(exchange_id, to, frm=BEFORE_ANSWER):
            return
        record_exchange(
            ctx,
            uow,
            f"exchange.{to.value}",
            exchange,
            actor=the_partner(partner.identity.slug),
            at=at,
            body={"code": notice.code.value, "counts_as_disclosed": True},
            accounted={"receipt": jws},
        )
        uow.mailbox.remove(exchange_id)
        start_clocks(uow, exchange_id, at)
        uow.commit()
    close(ctx, exchange_id)


def flags_by_unit(opened: OpenedAnswer) -> dict[str, Any]:
    """The answer as JSON: for each unit, in the request's order, the codes that are met."""
    met = [pl.when(pl.col(code)).then(pl.lit(code)) for code in opened.flags.columns]
    attestation = opened.manifest.attestation
    return {
        "flags": opened.flags.select(pl.concat_list(met).list.drop_nulls().alias("met"))["met"].to_list(),
        "register_date": attestation.register_date.isoformat(),
        "register_complete": dict(attestation.register_complete),
    }


def _keep(
    ctx: Context, uow: UnitOfWork, exchange: Exchange, partner: Partner, data: bytes, decision: Decision
) -> None:
    opened = _open(ctx, uow, exchange, partner, data, decision.at)
    if not uow.exchanges.advance(exchange.id, Status.DELIVERED, frm=BEFORE_ANSWER):
        # a twin was first, and its answer is the one that stands
        _same_again(uow, uow.exchanges.get(exchange.id), data)
        return
    uow.vault.put(exchange.id, "answer", data)
    put_sealed(ctx, uow, exchange.id, "flags", flags_by_unit(opened))
    record_exchange(
        ctx,
        uow,
        "exchange.delivered",
        exchange,
        actor=the_partner(partner.identity.slug),
        at=decision.at,
        body={
            "register_date": opened.manifest.attestation.register_date.isoformat(),
            "signed_by": opened.manifest.sender,
            **resting_on(decision),
        },
        accounted={"receipt": split(data, len(data))[0].decode(), "answer": opened.digest.hex()},
    )
    uow.cosignatures.deliver(exchange.id, uow.log.verifier.name, uow.log.size())
    uow.mailbox.remove(exchange.id)


def _open(
    ctx: Context, uow: UnitOfWork, exchange: Exchange, partner: Partner, data: bytes, now: datetime
) -> OpenedAnswer:
    """Open an answer against the request that we ourselves signed."""
    sealed = uow.vault.get(exchange.id, "request")
    request = by_any(ctx.keys.lineage.identities, lambda each: read_own_request(sealed, each))
    return open_answer(
        data,
        request=request,
        request_digest=exchange.request_digest,
        secret=ctx.exchange_keys.get(exchange.id, SECRET),
        sender=heard(partner, request.recipient, ctx.clock, place="answer"),
        self_test=self_test(scheme_of(request.scheme)),
        now=now,
    )


def _own(uow: UnitOfWork, partner: Partner, exchange_id: ExchangeId) -> Exchange:
    exchange = uow.exchanges.get(exchange_id)
    if exchange.partner != partner.identity.slug:
        raise NotFoundError("there is none", place="exchange")  # the words for what does not exist
    return exchange


def _same_again(uow: UnitOfWork, exchange: Exchange, data: bytes) -> None:
    if exchange.status in {Status.DELIVERED, Status.RELEASED}:
        kept = hashlib.sha256(uow.vault.get(exchange.id, "answer")).digest()
        if hmac.compare_digest(kept, hashlib.sha256(data).digest()):
            return
        raise ConflictError("this exchange was answered before, with other bytes", place="answer")
    raise ConflictError(f"no answer is awaited: the exchange is {exchange.status}", place="answer")
