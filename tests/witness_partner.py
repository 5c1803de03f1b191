"""A partner whose witness is driven by hand, and a memory of what was cosigned; for tests of the gateway."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fakes import FakePartyKeys

from audit.cosignature import Cosigner
from gateway.bundle.witness import AlarmNotice, Reason, WitnessKey
from gateway.domain.labels import TYP_ALARM, TYP_WITNESS_KEY
from gateway.service import agents, partners, witnessing


class Memory:
    """`CosignedMemory` in a dictionary."""

    def __init__(self):
        self.notes = {}

    def keep(self, partner, note):
        self.notes[partner] = note

    def all(self):
        return dict(self.notes)


class APartner:
    """A partner and its witness; `trust` is the job's own."""

    def __init__(self, job, slug="trust", seed=b"w" * 32):
        self.job, self.keys = job, job.partner.keys if slug == "trust" else FakePartyKeys(slug)
        self.cosigner = Cosigner(f"flagstone/{slug}/witness", Ed25519PrivateKey.from_private_bytes(seed))
        if slug != "trust":
            partners.add(job.context, self.keys.identity.to_json(), self.keys.identity.fingerprint)

    @property
    def registered(self):
        with self.job.store.begin() as uow:
            return uow.partners.get(self.keys.identity.slug)

    def key_jws(self, **changes):
        told = {"partner": self.keys.identity.slug, "vkey": self.cosigner.verifier.vkey} | changes
        return self.keys.sign(WitnessKey(**told).payload, TYP_WITNESS_KEY)

    def announce(self, **changes):
        witnessing.announce(self.job.context, self.registered, self.key_jws(**changes))
        return self

    def state(self, seen=0):
        return agents.state(self.job.context, self.registered, seen)["log"]

    def note(self):
        shown = self.state()["checkpoint"].encode()
        return shown + self.cosigner.cosign(shown, self.job.clock())

    def cosign(self, note=None):
        witnessing.receive_cosignature(self.job.context, self.registered, note or self.note())

    def alarm(self, **changes):
        told = {
            "partner": self.keys.identity.slug,
            "reason": Reason.OTHER_ROOT,
            "seen": "seen",
            "shown": "shown",
            "shown_key": "key",
            "at": self.job.clock(),
        } | changes
        jws = self.keys.sign(AlarmNotice(**told).payload, TYP_ALARM)
        witnessing.receive_alarm(self.job.context, self.registered, jws)
        return jws
