"""One exchange in a log among other entries, and evidence of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from audit_samples import MemoryStore, entry, signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cosignature import Cosigner
from audit.entry import Entry, commit
from audit.evidence_file import EntryItem, EvidenceFile, Older, Opening, ProvedEntry
from audit.items import ItemTree, Sealed
from audit.log import Log
from audit.proof import LogProof
from audit.trust import Trust

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
EXCHANGE, ANOTHER = (str(UUID(int=number, version=4)) for number in (100, 200))
WITNESS = Cosigner("witness.example/a", Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
TRUST = Trust(signer().verifier, (WITNESS.verifier,), 1)
SALT = bytes(range(32))
SEALED = Sealed.shuffled(
    [{"person_id": f"p{n}", "household_id": f"h{n // 2}"} for n in range(20)],
    hashlib.shake_256(b"evidence").digest,
)

UNITS = Sealed.shuffled(
    [{"household_id": f"h{n}", "flags": ["health.x"] if n % 2 else []} for n in range(10)],
    hashlib.shake_256(b"units").digest,
)


def step(number, kind, exchange=EXCHANGE, **more):
    """An entry of an exchange; its id follows from its number."""
    body = {
        "actor": {"id": "u1", "role": "programme", "organisation": "council"},
        "exchange": exchange,
        "recipient": "trust",
        "dataset": "health-trust",
        "purpose": "identify",
        "agreement": "T-1",
        "framework": "local",
        "granularity": "household-indicators",
        "indicators_asked": ["health.x"],
    }
    return Entry(UUID(int=number, version=4), kind, AT + timedelta(minutes=number - 1000), body | more)


def permit(number=1000, **more):
    ground = {"role": "gateway-answer", "citation": "Act 1 s.2", "title": "Co-operation", "confirmed": True}
    decision = {"policy_set": "ab" * 32, "engine": "engine/1", "regime": "uk", "basis": [ground]}
    count = commit(SALT, UUID(int=number, version=4), "counts/households", 3)
    told = {"decision": decision, "counts": {"people": 20}, "commitments": {"counts/households": count}}
    return step(number, "exchange.permitted", **(told | {"agreement_digest": "cd" * 32} | more))


def authorised(number=1001):
    items = ItemTree(SEALED, UUID(int=number, version=4), "items/person").to_json()
    return step(number, "exchange.request-authorised", items=items)


def released(number=1003):
    items = ItemTree(UNITS, UUID(int=number, version=4), "items/unit").to_json()
    return step(number, "exchange.release-authorised", released_to="u1", items=items)


STEPS = (
    permit(),
    authorised(),
    step(1002, "exchange.delivered", register_date="2026-11-01"),
    released(),
)


def log_with(steps=STEPS, before=5, after=30):
    """A log with these steps among other entries."""
    log = Log(MemoryStore(), signer())
    log.append([entry(number) for number in range(before)])
    for number, each in enumerate(steps, 500):
        log.append([each, entry(number)])
    log.append([entry(number) for number in range(before, before + after)])
    return log


LOG = log_with()
NOTE = LOG.checkpoint() + WITNESS.cosign(LOG.checkpoint(), AT + timedelta(hours=1))
SEEN = log_with(STEPS[:1], after=1).checkpoint()  # the same first 8 entries, one other at the end


def proved(index, log=LOG, note=NOTE):
    (leaf,) = log.leaves(index, index + 1)
    return ProvedEntry(leaf, LogProof(index, tuple(log.inclusion(index, log.size())), note))


def item(person="p7", entry_id=STEPS[1].id):
    place = next(i for i, value in enumerate(SEALED.values) if value and value["person_id"] == person)
    return EntryItem(entry_id, "items/person", ItemTree(SEALED, entry_id, "items/person").item(place))


def unit(household="h3", entry_id=STEPS[3].id):
    place = next(i for i, value in enumerate(UNITS.values) if value and value["household_id"] == household)
    return EntryItem(entry_id, "items/unit", ItemTree(UNITS, entry_id, "items/unit").item(place))


OPENING = Opening(STEPS[0].id, "counts/households", SALT, 3)
FILE = EvidenceFile(tuple(proved(i) for i in (5, 7, 9, 11)), (OPENING,), (item(), unit()))
DATA = FILE.to_bytes()


def older(size, log=LOG):
    """A checkpoint of the log's first entries, as it was signed then."""
    then = Log(MemoryStore(), signer())
    then.append([Entry.parse(leaf) for leaf in log.leaves(0, size)])
    return Older(then.checkpoint(), tuple(log.consistency(size, log.size())))
