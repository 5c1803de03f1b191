"""A household list comes in: checked, decided, tokenised, sealed, recorded. Nothing leaves here.

The commit at the end is the acknowledgement: before it nothing of the submission exists; after it the
exchange will run to its end, whatever is killed and restarted.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn

import polars as pl

from audit.entry import Json
from gateway.bundle.prekey import verify_prekey
from gateway.bundle.signers import by_any
from gateway.domain.alerts import Rule
from gateway.domain.errors import (
    ConflictError,
    PartnerError,
    RefusedError,
    StoreAlteredError,
    VerificationError,
)
from gateway.domain.exchange import Exchange, ExchangeId, Role, Status
from gateway.domain.legal_date import legal_date
from gateway.domain.people import HouseholdList
from gateway.domain.retention import Retention, RetentionClock
from gateway.intake import Intake, RowError, read_household_list
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord, User
from gateway.ports import Submission, UnitOfWork
from gateway.service import agreements, subject_tags
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.generations import proposal, speaking, submission_keys
from gateway.service.limiting import check_quotas
from gateway.service.preparing import Prepared, prepare
from gateway.service.probes import Asked, asked_of_late, remember
from gateway.service.recording import SMALL, actor_of, record, record_exchange, split_counts
from gateway.service.review_queue import found_at
from gateway.service.sealing import get_sealed, put_sealed
from gateway.service.watching import Found
from policies.decision import AgreementTerms, Decision, Question, decide, refuse_for
from policies.model import DatasetPolicy
from policies.rows import ASKED_TOO_SOON, NOTHING_WITHHELD, facts, judge, packed


@dataclass(frozen=True, slots=True)
class Submitted:
    """What the programme team is told at once."""

    exchange: ExchangeId
    decision: dict[str, Any]
    withheld: tuple[dict[str, Any], ...]
    rejected: tuple[RowError, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of checking a list without submitting it."""

    people: int
    households: int
    aliases: dict[str, str]


class ExchangeRefusedError(RefusedError):
    """The policy refuses. `decision` names every unmet requirement, `withheld` rows by line and reason."""

    def __init__(self, decision: dict[str, Any], withheld: Sequence[dict[str, Any]] = ()) -> None:
        self.decision = decision
        self.withheld = tuple(withheld)
        unmet = "; ".join(item["requirement"] for item in decision["unmet"])
        super().__init__(f"refused: {unmet}", place="exchange")


def check(ctx: Context, user: User, upload: Iterable[bytes], *, dataset: str | None) -> Checked:
    """Validate a list and forget it.

    Raises:
        BadListError: rows are bad.
    """
    require_role(user, Role.PROGRAMME)
    intake = _read(ctx, upload, ctx.policies.datasets.get(dataset or ""), accept_valid=False)
    return Checked(len(intake.people), intake.people.households, intake.aliases)


def submit(
    ctx: Context,
    user: User,
    upload: Iterable[bytes],
    *,
    dataset: str,
    purpose: str,
    framework: str,
    idempotency_key: str,
    accept_valid: bool = False,
    partner: str | None = None,
) -> Submitted:
    """Take a list up to the point where it can be sent.

    Raises:
        BadListError: rows are bad, and nothing was kept.
        ExchangeRefusedError: the policy refuses; the refusal is in the log.
        ConflictError: the idempotency key stood for another request, or this very request is under way.
        PartnerError: the partner's agent has left no prekeys; nothing was kept.
        TooManyError: a quota of the day is used up; nothing was kept.
        LogUnavailableError: the log can't be written; nothing was kept.
    """
    require_role(user, Role.PROGRAMME)
    intake = _read(ctx, upload, ctx.policies.datasets.get(dataset), accept_valid=accept_valid)
    with ctx.store.begin() as uow:
        # under the keys in use, and those of before: a rotation in between must not let a list go twice
        asked = [
            _Request(user, dataset, purpose, framework, partner, idempotency_key, intake, key)
            for key in submission_keys(ctx.keys)
        ]
        twins = [uow.submissions.under_way(user.id, each.digest) for each in asked]  # waits for a twin
        for request in asked:
            earlier = uow.submissions.find(user.id, request.key_hash)
            if earlier is not None:
                return _repeat(ctx, uow, earlier, request)
        for twin in filter(None, twins):
            raise _under_way(twin)
        return _decide_and_keep(ctx, uow, asked[0])


@dataclass(frozen=True, slots=True)
class _Request:
    user: User
    dataset: str
    purpose: str
    framework: str
    partner: str | None
    idempotency_key: str
    intake: Intake
    key: bytes = field(repr=False)
    """Keys both digests: of a short list or a telling name a plain hash could be guessed at in the store."""

    @property
    def key_hash(self) -> bytes:
        return self._keyed("idempotency-key", self.idempotency_key)

    @property
    def digest(self) -> bytes:
        """What the idempotency key stands for: every argument and every byte of the list."""
        told = [self.dataset, self.purpose, self.framework, self.partner or "", self.intake.digest.hex()]
        return self._keyed("request", *told)

    def _keyed(self, *told: str) -> bytes:
        return hmac.digest(self.key, json.dumps(told).encode(), "sha256")


def _read(
    ctx: Context, upload: Iterable[bytes], policy: DatasetPolicy | None, *, accept_valid: bool
) -> Intake:
    return read_household_list(
        upload,
        today=legal_date(ctx.clock()),
        postcode_check=not (policy and policy.any_postcode),
        accept_valid=accept_valid,
    )


def _repeat(ctx: Context, uow: UnitOfWork, earlier: Submission, request: _Request) -> Submitted:
    if not hmac.compare_digest(earlier.request_digest, request.digest):
        raise ConflictError(
            "this idempotency key was used for another request",
            place="Idempotency-Key",
            way_out="Use a new one",
        )
    told = json.loads(earlier.outcome)
    if earlier.exchange is None:
        raise ExchangeRefusedError(told["decision"], told["withheld"])
    kept = get_sealed(ctx, uow, earlier.exchange, "withheld")
    rows = tuple({"line": row["line"], "reason": row["reason"]} for row in kept)
    return Submitted(earlier.exchange, told["decision"], rows, request.intake.rejected, True)


def _decide_and_keep(ctx: Context, uow: UnitOfWork, request: _Request) -> Submitted:
    at = ctx.clock()
    people = request.intake.people
    council = ctx.keys.lineage
    standing = agreements.standing(uow, council, request.dataset, request.partner, legal_date(at))
    agreed = agreements.usable(uow, standing, council) if standing else None
    decision = _decide(ctx, request, agreed, people, at)
    if standing is None or not decision.permitted:
        _keep_refusal(ctx, uow, request, decision, at, standing=standing)
    check_quotas(ctx, uow, request.user, standing.number, len(people))
    policy = ctx.policies.datasets[request.dataset]
    framework = ctx.policies.frameworks[decision.framework]
    asked = asked_of_late(ctx, uow, people, standing.partner, policy, at)
    told = facts(people, framework, legal_date(at), policy.row_rules.areas, asked.households)
    _tell_of_near_lists(ctx, uow, request, policy, asked, at)
    withheld = judge(told, policy.row_rules)
    kept = HouseholdList(people.frame.join(withheld, on="person_id", how="anti", maintain_order="left"))
    if not len(kept):
        refused = refuse_for(decision, "every-row-withheld", ctx.policies)
        _keep_refusal(ctx, uow, request, refused, at, withheld, standing=standing)
    decision = _decide(ctx, request, agreed, kept, at)
    if not decision.permitted:  # what is left may be smaller than the policy allows
        _keep_refusal(ctx, uow, request, decision, at, withheld, standing=standing)
    exchange_id = ExchangeId(ctx.new_id())
    partner, prekey = _recipient(uow, standing, exchange_id, at)
    speaks = speaking(ctx.keys, uow, partner, proposal(standing.council_jws, council), ctx.clock)
    until = at + timedelta(days=policy.answer_days)
    if speaks.until:
        until = min(until, speaks.until)  # no exchange outlives the keys that it is sent under
    keys = ctx.keys.generation(speaks.number)
    prepared = prepare(
        ctx, exchange_id, kept, partner, prekey, standing, keys, decision, policy, at=at, expires_at=until
    )
    exchange = Exchange(
        id=exchange_id,
        partner=standing.partner,
        agreement=standing.number,
        dataset=policy.id,
        purpose=decision.purpose,
        framework=decision.framework,
        granularity=policy.granularity,
        indicators=policy.asked(framework),
        submitted_by=request.user.id,
        submitted_at=at,
        expires_at=until,
        status=Status.PREPARED,
        prekey=prekey.id,
        request_digest=prepared.digest,
        households=prepared.households,
        slots=prepared.slots,
    )
    uow.exchanges.add(exchange)  # before what hangs on it: rows are shown by whose exchange they are
    remember(ctx, uow, exchange_id, kept, policy)
    subject_tags.leave(ctx, uow, exchange_id, kept)
    put_sealed(ctx, uow, exchange_id, "facts", packed(told))
    days = {RetentionClock.RESULTS: policy.results_days, RetentionClock.ACCOUNTING: policy.accounting_days}
    for clock, count in days.items():
        uow.retentions.add(Retention(exchange_id, clock, count))
    return _keep_permit(ctx, uow, request, exchange, decision, prepared, withheld)


def _tell_of_near_lists(
    ctx: Context, uow: UnitOfWork, request: _Request, policy: DatasetPolicy, asked: Asked, at: datetime
) -> None:
    """Into the review queue, whatever becomes of this list: the difference of two answers is one family's."""
    for earlier in asked.nearly:
        detail = {"user": str(request.user.id), "dataset": policy.id}
        found_at(ctx, uow, Found(Rule.NEAR_OVERLAP, str(earlier), at, detail))


def _decide(
    ctx: Context, request: _Request, agreed: AgreementTerms | None, people: HouseholdList, at: datetime
) -> Decision:
    question = Question(
        dataset=request.dataset,
        purpose=request.purpose,
        framework=request.framework,
        agreement=agreed,
        households=people.households,
        people=len(people),
    )
    return decide(question, ctx.policies, at)


def _recipient(
    uow: UnitOfWork, standing: AgreementRecord, exchange: ExchangeId, at: datetime
) -> tuple[Partner, PrekeyRecord]:
    partner = uow.partners.get(standing.partner)
    prekey = uow.prekeys.claim(standing.partner, exchange, at)
    if prekey is None:
        raise PartnerError(
            "the partner's agent has left no prekeys at the gateway",
            place=standing.dataset,
            way_out="Nothing was sent or kept. Is the partner's agent running? Then submit again",
        )
    _check_prekey(prekey, partner, at)
    return partner, prekey


def _check_prekey(record: PrekeyRecord, partner: Partner, at: datetime) -> None:
    try:
        signers = partner.lineage.accepted(at)
        signed = by_any(signers, lambda each: verify_prekey(record.jws, each, at))
    except VerificationError:
        signed = None
    if signed is None or (signed.id, signed.public) != (record.id, record.public):
        raise StoreAlteredError("a prekey is not what the partner signed", place="prekeys")


def _under_way(twin: ExchangeId) -> ConflictError:
    return ConflictError(
        f"this very request is under way as exchange {twin}",
        place="exchange",
        way_out="Wait for its answer, or cancel it first: sending it twice would disclose the list twice",
    )


def _keep_refusal(
    ctx: Context,
    uow: UnitOfWork,
    request: _Request,
    decision: Decision,
    at: datetime,
    withheld: pl.DataFrame = NOTHING_WITHHELD,
    *,
    standing: AgreementRecord | None = None,
) -> NoReturn:
    told, rows = decision.to_json(), _by_line(withheld)
    shown, _ = split_counts(
        people=len(request.intake.people),
        households=request.intake.people.households,
        asked_too_soon=_asked_too_soon(withheld),
    )
    body: dict[str, Json] = {
        # an unknown name was typed by somebody and may be anything: it stays out of the log
        "dataset": request.dataset if request.dataset in ctx.policies.datasets else "unknown",
        "decision": told,
        "counts": shown,
        "counts_withheld_below": SMALL,
        **_would_be_told(ctx, standing, decision),
    }
    record(ctx, uow, "exchange.refused", actor=actor_of(ctx, request.user), body=body, at=at)
    outcome = json.dumps({"decision": told, "withheld": rows}).encode()
    uow.submissions.remember(Submission(request.user.id, request.key_hash, request.digest, None, outcome))
    uow.commit()
    raise ExchangeRefusedError(told, rows)


def _kept_days(policy: DatasetPolicy) -> dict[str, Json]:
    return {"results": policy.results_days, "accounting": policy.accounting_days}


def _would_be_told(ctx: Context, standing: AgreementRecord | None, decision: Decision) -> dict[str, Json]:
    """Whom a refused list was meant for, under which agreement, and what it would have asked."""
    policy = ctx.policies.datasets.get(decision.dataset)
    framework = ctx.policies.frameworks.get(decision.framework)
    asked = list(policy.asked(framework)) if policy and framework else []
    told: dict[str, Json] = {"indicators_asked": asked}
    if standing is not None:
        told |= {"recipient": standing.partner, "agreement": standing.number}
    return told


def _by_line(withheld: pl.DataFrame) -> list[dict[str, Any]]:
    """What the programme team is told at once: no reference of a person or household."""
    return withheld.select("line", "reason").to_dicts()


def _asked_too_soon(withheld: pl.DataFrame) -> int:
    return withheld.filter(pl.col("reason") == ASKED_TOO_SOON).height


def _keep_permit(
    ctx: Context,
    uow: UnitOfWork,
    request: _Request,
    exchange: Exchange,
    decision: Decision,
    prepared: Prepared,
    withheld: pl.DataFrame,
) -> Submitted:
    told = decision.to_json()
    rows = _by_line(withheld)
    uow.vault.put(exchange.id, "request", prepared.bundle)
    put_sealed(ctx, uow, exchange.id, "slots", prepared.slot_map)
    put_sealed(ctx, uow, exchange.id, "withheld", withheld.to_dicts())
    signed = uow.agreements.get(exchange.agreement)
    shown, private = split_counts(
        people=exchange.slots,
        households=exchange.households,
        withheld=withheld.height,
        asked_too_soon=_asked_too_soon(withheld),
    )
    record_exchange(
        ctx,
        uow,
        "exchange.permitted",
        exchange,
        actor=actor_of(ctx, request.user),
        at=exchange.submitted_at,
        body={
            "decision": told,
            "counts": shown,
            "agreement_digest": signed.digest,
            "keys": dict(prepared.keys),
            "retention_days": _kept_days(ctx.policies.datasets[exchange.dataset]),
        },
        accounted=private | {"list": request.intake.digest.hex(), "request": prepared.digest.hex()},
    )
    outcome = json.dumps({"decision": told}).encode()  # no row: those are kept sealed alone
    uow.submissions.remember(
        Submission(request.user.id, request.key_hash, request.digest, exchange.id, outcome)
    )
    uow.commit()
    return Submitted(exchange.id, told, tuple(rows), request.intake.rejected, False)
