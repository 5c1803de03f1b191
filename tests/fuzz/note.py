"""The log's formats, as an outside verifier and a witness read them; texts also under its true signature."""

import io
import json

from audit_samples import exported, log_of, signer
from evidence_samples import DATA, FILE, NOTE, STEPS, TRUST, WITNESS

from audit.checkpoint import NoteVerifier, open_checkpoint
from audit.cosignature import WitnessVerifier, open_cosigned, signatures_by
from audit.entry import Entry
from audit.evidence import verify_evidence
from audit.evidence_file import EvidenceFile
from audit.proof import LogProof
from audit.trust import Trust
from audit.verify import verify_export

LOG = signer()
OWN = Trust(LOG.verifier)
EXPORT = exported(log_of(9))


def _text(parse):
    """For a parser of text: bytes that are no text never reach it."""
    return lambda data: parse(data.decode("utf-8", "replace"))


def signed(data):
    """Any text that the log's key truly signed, as a checkpoint."""
    return open_checkpoint(LOG.sign(data.decode("utf-8", "replace")), LOG.verifier)


def proof(text):
    parsed = LogProof.parse(text)
    return parsed.verify(STEPS[0].leaf(), TRUST)


WAYS = {
    "checkpoint": lambda data: open_checkpoint(data, LOG.verifier),
    "signed": signed,
    "cosigned": lambda data: open_cosigned(data, LOG.verifier, [WITNESS.verifier], 1),
    "proof": _text(proof),
    "evidence": lambda data: verify_evidence(data, TRUST),
    "evidence file": EvidenceFile.parse,
    "trust": Trust.parse,
    "export": lambda data: verify_export(io.BytesIO(data), OWN),
    "entry": Entry.parse,
    "log key": _text(NoteVerifier.parse),
    "witness key": _text(WitnessVerifier.parse),
}
SEEDS = [
    ("checkpoint", NOTE),
    ("signed", signatures_by(NOTE, [LOG.verifier])[0].encode()),
    ("cosigned", NOTE),
    ("proof", FILE.entries[0].proof.text.encode()),
    ("evidence", DATA),
    ("evidence file", DATA),
    ("trust", json.dumps(TRUST.to_json()).encode()),
    ("export", EXPORT),
    ("entry", STEPS[0].leaf()),
    ("log key", LOG.verifier.vkey.encode()),
    ("witness key", WITNESS.verifier.vkey.encode()),
]
