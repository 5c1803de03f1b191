"""Rotations in a job over in-memory ports, for tests of the gateway's side."""

from dataclasses import replace

from jobworld import Job, a_job, by_indicator
from succession_world import FakeOwnKeys, Keys, succession

from audit.entry import Entry
from gateway.bundle.succession import USUAL_OVERLAP, RotationReason, keys_taken
from gateway.service import ownkeys, successions
from policies.loader import builtin, load

POLICIES = by_indicator(load(builtin()))


def a_rotating_job(**changes) -> Job:
    """A job whose council can rotate its keys."""
    made = a_job(policies=POLICIES, **changes)
    made.context = replace(made.context, keys=FakeOwnKeys("council"))
    return made


def rotate_partner(job, *, days=None, reason=RotationReason.SCHEDULED):
    """The trust's next generation, brought to the gateway."""
    number = len(job.partner.before) + 1
    token = succession(
        job.registered.lineage,
        Keys("trust", number),
        old=job.partner.keys,
        now=job.clock(),
        days=days,
        reason=reason,
    )
    successions.receive(job.context, job.registered, token)
    job.partner.before.append(job.partner.keys)
    job.partner.keys = Keys("trust", number)
    return token


def rotate_council(job, *, until=USUAL_OVERLAP, reason=RotationReason.SCHEDULED):
    return ownkeys.rotate(job.context, job.context.keys, reason, until)


def bodies(job, kind):
    entries = (Entry.parse(leaf) for leaf in job.store.committed.leaves)
    return [entry.body for entry in entries if entry.kind == kind]


def council_taken(job):
    """The trust's agent says that it knows the council's newest keys."""
    token = keys_taken("trust", job.context.keys.identity, job.clock(), job.partner.keys.sign)
    successions.take(job.context, job.registered, token)
