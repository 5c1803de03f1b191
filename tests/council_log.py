"""A council's disclosure log in memory, shown to a witness; and ways to lie with it."""

from datetime import UTC, datetime
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_store import FakeStore

from audit.checkpoint import NoteSigner, unsafe_read_checkpoint
from audit.entry import Entry
from gateway.bundle.witness import LogKey
from gateway.domain.labels import TYP_LOG_KEY

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


class CouncilLog:
    """`follows`: cosigned notes of the log that this one takes the place of."""

    def __init__(self, keys, *, name="flagstone/council", seed=b"c" * 32, entries=2, follows=()):
        self.keys, self.follows = keys, follows
        self.store = FakeStore(NoteSigner(name, Ed25519PrivateKey.from_private_bytes(seed)))
        self.append(entries)

    @property
    def verifier(self):
        return self.store.signer.verifier

    def append(self, entries=1):
        with self.store.begin() as uow:
            for _ in range(entries):
                uow.log.append([Entry(uuid4(), "exchange.permitted", AT, {})])
            uow.commit()

    def shown(self, seen=0):
        """What a poll shows, but for what the gateway knows of the witness."""
        with self.store.begin() as uow:
            note = uow.log.checkpoint()
            size = unsafe_read_checkpoint(note).size
            proof = [node.hex() for node in uow.log.consistency(seen, size)] if 0 < seen < size else []
        key = LogKey(council=self.keys.identity.slug, vkey=self.verifier.vkey, follows=self.follows)
        token = self.keys.sign(key.payload, TYP_LOG_KEY)
        return {"key": token, "checkpoint": note.decode(), "proof": proof}
