"""From kept rows to a signed, encrypted request bundle. Nothing here is stored but the exchange's keys."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from gateway.bundle.manifest import RequestHeader
from gateway.bundle.seal import seal_request
from gateway.domain.exchange import ExchangeId
from gateway.domain.people import HouseholdList
from gateway.key_ports import PartyKeys
from gateway.linkage.scheme import V1
from gateway.linkage.secret import exchange_secret, one_time_public, token_keys, x25519
from gateway.linkage.tokens import tokenise
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord
from gateway.service.context import Context
from gateway.service.sealing import ACCOUNT_KEY, SEAL_KEY, SECRET
from policies.decision import Decision
from policies.model import DatasetPolicy

_KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Prepared:
    """The bundle, its SHA-256, and what is needed to hand the answer back."""

    bundle: bytes
    digest: bytes
    households: int
    slots: int
    slot_map: Mapping[str, Any]
    """`households`: household_id by handle; `people`: [person_id, handle] by slot. To be sealed."""
    keys: Mapping[str, str]
    """The fingerprints of the two identities it goes between: `council` and `partner`."""


def prepare(
    ctx: Context,
    exchange: ExchangeId,
    people: HouseholdList,
    partner: Partner,
    prekey: PrekeyRecord,
    agreement: AgreementRecord,
    keys: PartyKeys,
    decision: Decision,
    policy: DatasetPolicy,
    *,
    at: datetime,
    expires_at: datetime,
) -> Prepared:
    """Shuffle into slots, tokenise under the key of this exchange alone, seal for the partner.

    `keys`: the council's, of the generation that the partner knows.
    """
    slots, handles = _shuffle(ctx, people.frame)
    one_time = ctx.entropy(_KEY_BYTES)
    header = RequestHeader(
        exchange=exchange,
        sender=keys.identity.digest.hex(),
        recipient=partner.identity.digest.hex(),
        agreement=agreement.number,
        agreement_digest=agreement.digest,
        dataset=policy.id,
        purpose=decision.purpose,
        framework=decision.framework,
        basis=decision.basis.citations if decision.basis else (),
        scheme=V1.version,
        identifiers=policy.identifiers,
        granularity=policy.granularity,
        indicators=policy.asked(ctx.policies.frameworks[decision.framework]),
        households=len(handles),
        slots=slots.height,
        overlap_permille=policy.expected_overlap_permille,
        release=policy.release,
        prekey=prekey.id,
        one_time=one_time_public(one_time),
        policy_set=decision.policy_set,
        issued_at=at,
        expires_at=expires_at,
    )
    secret = exchange_secret(
        x25519(one_time, prekey.public),
        keys.agree(partner.identity.exchange),
        header.secret_context,
    )
    tokens = tokenise(slots, token_keys(secret, V1), V1, policy.identifiers)
    table = tokens.insert_column(0, slots["household"])
    bundle = seal_request(header, table, secret=secret, sign=keys.sign, nonce=ctx.entropy(_NONCE_BYTES))
    # durable before the transaction commits: a committed exchange always finds its keys
    # the secret first: by it `clear_up` finds what a crash leaves
    ctx.exchange_keys.put(exchange, SECRET, secret)
    for name in (SEAL_KEY, ACCOUNT_KEY):
        ctx.exchange_keys.put(exchange, name, ctx.entropy(_KEY_BYTES))
    slot_map = {"households": handles, "people": slots.select("person_id", "household").rows()}
    fingerprints = {"council": keys.identity.fingerprint, "partner": partner.identity.fingerprint}
    digest = hashlib.sha256(bundle).digest()
    return Prepared(bundle, digest, len(handles), slots.height, slot_map, fingerprints)


def _shuffle(ctx: Context, people: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Rows in random order with a random household handle; and household_id by handle.

    Sorting by 64-bit random numbers is an unbiased shuffle but for ties, whose chance at 200,000 rows is
    about 1 in 10^9, and a tie would leave no more than two rows in their file order.
    """
    households = people.select(pl.col("household_id").unique(maintain_order=True))
    handles = households.select(_random(ctx, households.height).arg_sort().alias("i"))["i"]
    ordered = households["household_id"].gather(handles)
    numbered = pl.DataFrame(
        {"household_id": ordered, "household": pl.int_range(ordered.len(), dtype=pl.UInt32, eager=True)}
    )
    slots = people.join(numbered, on="household_id", how="left")
    return slots[_random(ctx, slots.height).arg_sort()], ordered.to_list()


def _random(ctx: Context, rows: int) -> pl.Series:
    return pl.Series(memoryview(ctx.entropy(8 * rows)).cast("Q").tolist(), dtype=pl.UInt64)
