"""Which generation of the council's keys speaks to a partner, and which of the partner's is listened to."""

from gateway.bundle.agreement import AgreementDocument, verify_proposal
from gateway.bundle.errors import WrongKeyError
from gateway.bundle.signers import by_any
from gateway.domain.identity import Identity
from gateway.domain.lineage import Generation, Lineage
from gateway.key_ports import OwnKeys, PartyKeys
from gateway.linkage.secret import submission_key
from gateway.party_ports import Partner
from gateway.ports import Clock, UnitOfWork


def proposal(jws: str, council: Lineage) -> AgreementDocument:
    """An agreement that lies here, whichever of the council's generations signed it.

    Raises:
        VerificationError: as `verify_proposal`.
    """
    return by_any(council.identities, lambda each: verify_proposal(jws, each))


def in_use(keys: OwnKeys) -> PartyKeys:
    """The keys in use, all three of one generation also while another process rotates them."""
    return keys.generation(keys.lineage.current.number)


def speaking(
    keys: OwnKeys, uow: UnitOfWork, partner: Partner, agreement: AgreementDocument, clock: Clock
) -> Generation:
    """The council's generation that this partner knows: that of the agreement, or one that it took since.

    After the overlap nothing but the current one is left, whether the partner has heard of it or not.
    """
    lineage = keys.lineage
    told = (agreement.council.digest.hex(), uow.successions.taken(partner.identity.slug))
    known = [each for each in map(lineage.named, filter(None, told)) if each and each.accepted(clock())]
    return max(known, key=lambda each: each.number, default=lineage.current)


def heard(partner: Partner, digest: str, clock: Clock, *, place: str) -> Identity:
    """The partner's identity of this digest, as long as it is accepted.

    Raises:
        WrongKeyError: it is none of the partner's, or the overlap with its successor is over.
    """
    found = partner.lineage.named(digest)
    if found is None or not found.accepted(clock()):
        raise WrongKeyError(
            "it was made for keys of the partner that are accepted no more",
            place=place,
            way_out="The council makes it anew, for the partner's new keys",
        )
    return found.identity


def submission_keys(keys: OwnKeys) -> list[bytes]:
    """HMAC keys of what is remembered of submissions, by every generation that is there, the newest first."""
    generations = [keys.generation(number) for number in reversed(keys.held())]
    return [submission_key(each.agree(each.identity.exchange)) for each in generations]
