"""Answering an opened request: self-test, register, matching, seal, outbox."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from adapters.agent.admission import addressed, digest_of
from adapters.agent.agreements import AgreementBook
from adapters.agent.answering import answer
from adapters.agent.context import Agent, name_of
from adapters.agent.replies import SEALED, Reply
from audit.entry import Json
from gateway.bundle.errors import ExpiredError, FailedSelfTestError
from gateway.bundle.manifest import Attestation, RequestManifest
from gateway.bundle.open import OpenedRequest
from gateway.bundle.seal import answer_header, seal_answer
from gateway.domain.errors import VerificationError
from gateway.domain.legal_date import legal_date
from gateway.linkage.scheme import scheme_of

_NONCE_BYTES: Final = 12


def seal(agent: Agent, opened: OpenedRequest, *, approved_by: Sequence[str] = ()) -> None:
    """Work out the answer and put it, sealed, into the outbox with its log entry.

    `approved_by`: the custodians' names; the entry commits to them.

    Raises:
        FailedSelfTestError: this installation would compute other tokens than the scheme prescribes.
        RegisterError: the register can't be read whole, or lacks a column.
        ExpiredError: the request's time ran out meanwhile.
    """
    manifest = opened.manifest
    self_test = _self_test(agent, manifest.scheme)
    register = agent.open_register(_today(agent))
    any_postcode = _any_postcode(agent.agreements, manifest)
    answered = answer(opened, register, any_postcode=any_postcode)
    attestation = Attestation(
        self_test=self_test, register_date=register.as_of, register_complete=answered.complete
    )
    check_in_time(agent, manifest)
    header = answer_header(
        manifest,
        request_digest=opened.digest,
        attestation=attestation,
        issued_at=agent.clock(),
        expires_at=manifest.expires_at,
    )
    sign, nonce = addressed(agent, manifest).sign, agent.entropy(_NONCE_BYTES)
    bundle = seal_answer(header, answered.flags, secret=opened.secret, sign=sign, nonce=nonce)
    private: dict[str, Json] = {"answer": digest_of(bundle)}
    if approved_by:
        private["approved_by"] = list(approved_by)
    entry = agent.journal.entry(SEALED, _about(manifest, attestation), private)
    agent.outbox.put(name_of(manifest.exchange), Reply(entry, bundle).to_bytes())


def check_in_time(agent: Agent, manifest: RequestManifest) -> None:
    """Raise ExpiredError when the request's time is over."""
    if manifest.expires_at <= agent.clock():
        raise ExpiredError("its time is over", place="request", way_out="The council submits the list again")


def _self_test(agent: Agent, version: str) -> str:
    try:
        return agent.self_test(scheme_of(version))
    except VerificationError:
        raise FailedSelfTestError(
            "this installation makes other tokens than the scheme prescribes",
            place="self-test",
            way_out="Reinstall the release with the pinned versions of its parts",
        ) from None


def _today(agent: Agent) -> date:
    return legal_date(agent.clock())


def _any_postcode(agreements: AgreementBook, manifest: RequestManifest) -> bool:
    return bool(agreements.get(manifest.agreement).document.policy.get("any_postcode"))


def _about(manifest: RequestManifest, attestation: Attestation) -> dict[str, Json]:
    return {
        "exchange": str(manifest.exchange),
        "agreement": manifest.agreement,
        "granularity": manifest.granularity.value,
        "indicators_asked": list(manifest.indicators),
        "register_date": attestation.register_date.isoformat(),
        "self_test": attestation.self_test,
    }
