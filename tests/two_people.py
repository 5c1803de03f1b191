"""Acts that need two people, approved in tests."""

from fakes import a_user

from gateway.domain.exchange import Role
from gateway.domain.proposals import Act, ActReason
from gateway.party_ports import User
from gateway.service import two_person


def another(job, role: Role = Role.REVIEWER, name: str = "second officer") -> User:
    """One more user of a job, the same each time."""
    with job.store.begin() as uow:
        known = uow.users.named(name)
        if known is None:
            known = a_user(name, role)
            uow.users.add(known)
            uow.commit()
    return known


def approved(job, act: Act, proposer: User | None = None, **about) -> None:
    """An act that the reviewer, or `proposer`, proposed and another reviewer approved."""
    made = two_person.propose(job.context, proposer or job.reviewer, act, ActReason.ROUTINE, **about)
    two_person.decide(job.context, another(job), made["proposal"], approve=True)
