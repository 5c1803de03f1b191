"""Evidence files: strictly read, checked against a trust file, and told in plain English."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from audit_samples import MemoryStore, entry, signer
from evidence_samples import (
    ANOTHER,
    AT,
    DATA,
    EXCHANGE,
    FILE,
    LOG,
    NOTE,
    OPENING,
    SEEN,
    STEPS,
    TRUST,
    WITNESS,
    item,
    log_with,
    older,
    permit,
    proved,
    step,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.__main__ import main
from audit.entry import Entry, canonical
from audit.errors import AuditError, EvidenceError, SeenError
from audit.evidence import verify_evidence
from audit.evidence_file import MAX_BYTES, MAX_PARTS, EvidenceFile, Older
from audit.log import Log
from audit.trust import Trust, write_trust


def test_it_reads_as_it_was_written():
    """Parsing gives the same parts, and they are written the same."""
    assert EvidenceFile.parse(DATA) == FILE
    assert EvidenceFile.parse(DATA).to_bytes() == DATA


def test_what_was_proved_is_said_in_plain_english():
    """Who decided what on which law, who was told, when, how many, and the one person."""
    said = str(verify_evidence(DATA, TRUST))
    for told in (
        "Verified: 4 of the 43 entries of flagstone.example/council are as its key signed them.",
        "witness.example/a saw this same log on 2026-11-22 at 11:00:00 UTC.",
        "council asked trust about families, dataset health-trust, for the purpose identify under local.",
        "entry 5, exchange.permitted: the request of user u1 (programme) was permitted, under agreement T-1",
        f"policy set {'ab' * 32}, engine engine/1, in the regime uk, 20 people; smaller numbers",
        "gateway-answer: Act 1 s.2, Co-operation\n",
        "entry 7, exchange.request-authorised: sending the request to trust was authorised",
        "entry 9, exchange.delivered: trust answered, from its register of 2026-11-01.",
        "entry 11, exchange.release-authorised: giving the answer to user u1 was authorised.",
        "entry 5, counts/households: 3",
        "entry 7, asked about: person p7 of household h3",
        "entry 11, given to the programme about household h3: health.x",
        "Not proved: that the log holds no further entry of this exchange.",
    ):
        assert told in said
    assert said.isprintable() or all(line.isprintable() for line in said.split("\n"))


@settings(max_examples=1500)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
@example(0, 1)
@example(len(DATA) - 1, 1)
def test_any_altered_byte_is_found(place, flip):
    """No byte of an evidence file can be altered unseen."""
    data = bytearray(DATA)
    data[place] ^= flip
    with pytest.raises(AuditError):
        verify_evidence(bytes(data), TRUST)


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=3))
def test_cut_or_longer_files_are_refused(place, more):
    """A file that ends early, or goes on, is none."""
    with pytest.raises(AuditError):
        verify_evidence(DATA[:place], TRUST)
    if more:
        with pytest.raises(AuditError):
            verify_evidence(DATA + more, TRUST)


@given(st.binary(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str))
def test_noise_is_refused(noise):
    """Whatever comes in, only an EvidenceError comes out."""
    data = noise.encode(errors="replace") if isinstance(noise, str) else noise
    with pytest.raises(EvidenceError):
        EvidenceFile.parse(data)


def changed(**fields):
    """The file with fields of its JSON replaced, written canonically."""
    return canonical(json.loads(DATA) | fields)


ENTRIES = json.loads(DATA)["entries"]
OPENED, PROVED = json.loads(DATA)["openings"][0], json.loads(DATA)["items"][0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DATA + b" " * MAX_BYTES, "longer than"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not an object of"),
        (DATA + b"\n", "canonical"),
        (DATA.replace(b'"older":', b'"older": '), "canonical"),
        (DATA.replace(b'"older":[]', b'"older":[],"older":[]'), "canonical"),
        (changed(type="flagstone/evidence/v2"), "not of type"),
        (changed(more=1), "not an object of"),
        (changed(entries=[]), "proves no entry"),
        (changed(entries={}), "not a list"),
        (changed(entries=ENTRIES * MAX_PARTS), "at most 1000"),
        (changed(entries=[5]), "entry number 1 in the file: not an object of leaf, proof"),
        (changed(entries=[{"leaf": 1, "proof": ""}]), "a text is missing"),
        (changed(entries=[{"leaf": "", "proof": ""}]), "log proof"),
        (DATA.replace(b'"leaf":"{', b'"leaf":"\\ud800{', 1), "not UTF-8"),
        (changed(openings=[OPENED | {"salt": "00"}]), "opening number 1 in the file: not 32 bytes in hex"),
        (changed(openings=[OPENED | {"salt": "xx" * 32}]), "not 32 bytes in hex"),
        (changed(openings=[OPENED | {"salt": OPENED["salt"].upper()}]), "canonical"),
        (changed(openings=[OPENED | {"entry": "5"}]), "an id is malformed"),
        (DATA.replace(b'"value":3}', b'"value":3.5}'), "something that the log can't"),
        (DATA.replace(b'"value":3}', b'"value":null}'), "something that the log can't"),
        (changed(items=[PROVED | {"index": True}]), "a whole number is missing"),
        (changed(items=[PROVED | {"proof": 5}]), "a proof that is no list"),
        (changed(items=[PROVED | {"proof": ["00" * 32] * 65}]), "longer than any tree"),
        (changed(older=[{"checkpoint": "", "proof": []}] * 2), "more than one older"),
        (changed(older=[{"checkpoint": "", "proof": []}]), "older checkpoint in the file"),
    ],
)
def test_malformed_files_are_refused(data, reason):
    """Each way to write something else is refused with a reason."""
    with pytest.raises(EvidenceError, match=reason):
        verify_evidence(data, TRUST)


def test_a_file_over_the_limit_is_not_written():
    """What could not be read is not written."""
    big = replace(OPENING, value="x" * MAX_BYTES)
    with pytest.raises(EvidenceError, match="longer than"):
        replace(FILE, openings=(big,)).to_bytes()


def wrong(reason, **changes):
    with pytest.raises(EvidenceError, match=reason):
        verify_evidence(replace(FILE, **changes).to_bytes(), TRUST)


def test_an_opening_must_open():
    """Another value, salt, path or entry does not open a commitment, and the entry is named."""
    for change in ({"value": 4}, {"salt": bytes(32)}):
        wrong(r"opening of entry 5 \(exchange.permitted\)", openings=(replace(OPENING, **change),))
    wrong("no such commitment", openings=(replace(OPENING, path="counts/people"),))
    wrong(r"entry 7 .*no such commitment", openings=(replace(OPENING, entry=STEPS[1].id),))
    wrong("that it does not prove", openings=(replace(OPENING, entry=UUID(int=9, version=4)),))


def test_an_item_must_lead_to_its_entry_s_root():
    """Another person, place, path or entry is not proven, and the entry is named."""
    other = replace(item().item, value={"person_id": "p8", "household_id": "h4"})
    wrong(r"an item of entry 7 \(exchange.request-authorised\)", items=(replace(item(), item=other),))
    wrong("an item of entry 7", items=(replace(item(), path="items/unit"),))
    wrong("an item of entry 5 .*not a root", items=(replace(item(), entry=STEPS[0].id),))
    wrong("that it does not prove", items=(replace(item(), entry=UUID(int=9, version=4)),))


def test_order_and_doubles():
    """Entries stand in the log's order, each once."""
    wrong("entry 5 does not stand in the order", entries=tuple(proved(i) for i in (7, 5)))
    wrong("entry 5 does not stand in the order", entries=tuple(proved(i) for i in (5, 5)))


def test_one_checkpoint():
    """Proofs under two checkpoints, each good alone, are refused."""
    shorter = log_with(STEPS[:1])
    note = shorter.checkpoint() + WITNESS.cosign(shorter.checkpoint(), AT)
    wrong("one and the same checkpoint", entries=(proved(5, shorter, note), proved(7)))


def test_another_index_or_leaf():
    """A leaf that does not stand where its proof says is named by that place."""
    good = proved(7)
    wrong("entry 9: inclusion", entries=(proved(5), replace(good, proof=proved(9).proof)))
    wrong("entry 7: inclusion", entries=(proved(5), replace(good, leaf=proved(9).leaf)))


def test_the_permit_comes_first():
    """Without the decision the rest is no evidence of it."""
    wrong("not the permit", entries=(proved(7), proved(9)))
    wrong("not the permit", entries=(proved(0),))


@pytest.mark.parametrize("key", ["exchange", "recipient", "agreement", "dataset", "purpose"])
def test_all_are_of_one_exchange(key):
    """A step about another exchange, recipient, agreement, dataset or purpose is named, though signed."""
    log = log_with((permit(), step(1001, "exchange.delivered", **{key: ANOTHER})))
    note = log.checkpoint() + WITNESS.cosign(log.checkpoint(), AT)
    entries = (proved(5, log, note), proved(7, log, note))
    with pytest.raises(EvidenceError, match=rf"entry 7 \(exchange.delivered\) is about another {key}"):
        verify_evidence(EvidenceFile(entries).to_bytes(), TRUST)


def test_what_is_no_step_may_say_less():
    """An entry that names the exchange and nothing else of it, such as a destruction, belongs to it."""
    gone = Entry(UUID(int=1009, version=4), "retention.destroyed", AT, {"exchange": EXCHANGE})
    log = log_with((permit(), gone, step(1001, "exchange.expired", counts_as_disclosed=True)))
    note = log.checkpoint() + WITNESS.cosign(log.checkpoint(), AT)
    entries = tuple(proved(i, log, note) for i in (5, 7, 9))
    said = str(verify_evidence(EvidenceFile(entries).to_bytes(), TRUST))
    assert "entry 7, retention.destroyed: recorded" in said
    assert "entry 9, exchange.expired: it ended without an answer that was used; the request counts" in said


def test_signed_bytes_that_are_no_entry_are_named():
    """A leaf that the log signed and that is no entry is refused by its index."""

    class Odd:
        def leaf(self):
            return b'{"not":"an entry"}'

    log = Log(MemoryStore(), signer())
    log.append([Odd()])
    note = log.checkpoint() + WITNESS.cosign(log.checkpoint(), AT)
    with pytest.raises(EvidenceError, match="entry 0: not an object of type"):
        verify_evidence(EvidenceFile((proved(0, log, note),)).to_bytes(), TRUST)


def test_two_entries_with_one_id_are_refused():
    """Openings name entries by id, so that an id must mean one entry."""
    twice = (permit(), step(1000, "exchange.delivered"))
    log = log_with(twice)
    note = log.checkpoint() + WITNESS.cosign(log.checkpoint(), AT)
    with pytest.raises(EvidenceError, match="two entries have one id"):
        verify_evidence(EvidenceFile((proved(5, log, note), proved(7, log, note))).to_bytes(), TRUST)


def test_trust_decides():
    """Another log's key, and a missing cosignature, fail; without a quorum the witness is not asked for."""
    with pytest.raises(EvidenceError, match="no trusted key signed"):
        verify_evidence(DATA, Trust(signer(2).verifier))
    bare = EvidenceFile((proved(5, note=LOG.checkpoint()),)).to_bytes()
    with pytest.raises(EvidenceError, match="0 of the trusted witnesses"):
        verify_evidence(bare, TRUST)
    assert "a rollback would not show" in str(verify_evidence(bare, Trust(signer().verifier)))


def test_the_same_checkpoint_seen_before():
    """A remembered checkpoint of the same size must be the same tree."""
    assert verify_evidence(DATA, TRUST, LOG.checkpoint()).seen == 43
    other = Log(MemoryStore(), signer())
    other.append([entry(number) for number in range(43)])
    with pytest.raises(EvidenceError, match="forked: the first 43 entries"):
        verify_evidence(DATA, TRUST, other.checkpoint())


def test_an_older_checkpoint_seen_before_needs_a_way_to_it():
    """One of another size is compared where the file leads from it, and else can't be."""
    seen = older(8)
    with pytest.raises(SeenError, match="of 8 entries"):
        verify_evidence(DATA, TRUST, seen.note)
    data = replace(FILE, older=seen).to_bytes()
    held = verify_evidence(data, TRUST, seen.note)
    assert (held.older, held.seen) == (8, 8)
    assert "Its first 8 entries are those that you saw before." in str(held)
    with pytest.raises(EvidenceError, match="forked: the first 8"):
        verify_evidence(data, TRUST, SEEN)
    assert "extends the 8 entries" in str(verify_evidence(data, TRUST))


def test_an_older_checkpoint_that_this_log_does_not_extend():
    """A wrong proof, a fork, and another key's older checkpoint are found without any checkpoint seen."""
    good = older(8)
    wrong("older checkpoint in the file: consistency", older=replace(good, proof=good.proof[:-1]))
    wrong("older checkpoint in the file: consistency", older=replace(good, note=SEEN))
    foreign = Log(MemoryStore(), signer(2))
    foreign.append([entry(0)])
    wrong("older checkpoint in the file: no trusted key", older=Older(foreign.checkpoint(), ()))


@pytest.mark.parametrize("seen", [b"", b"noise", WITNESS.cosign(NOTE, AT)])
def test_what_is_no_checkpoint_can_t_have_been_seen(seen):
    """A remembered checkpoint that the log did not sign fails."""
    with pytest.raises(EvidenceError, match="the checkpoint seen before"):
        verify_evidence(DATA, TRUST, seen)


@settings(max_examples=300)
@given(st.data())
def test_any_altered_byte_beside_an_older_checkpoint_is_found(data):
    """The older checkpoint and its proof are covered as all else."""
    whole = bytearray(replace(FILE, older=older(8)).to_bytes())
    start = whole.index(b'"older"')
    whole[data.draw(st.integers(start, start + 700).filter(lambda n: n < len(whole)))] ^= data.draw(
        st.integers(1, 255)
    )
    with pytest.raises(AuditError):
        verify_evidence(bytes(whole), TRUST)


class Said:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def audit(*argv):
    out, err = Said(), Said()
    return main([str(word) for word in ("verify", *argv)], out, err), out.text, err.text


def test_the_command_recognises_evidence(tmp_path):
    """`python -m audit verify` takes an evidence file as it takes an export: 0, 5, 2."""
    (tmp_path / "good").write_bytes(DATA)
    (tmp_path / "bad").write_bytes(DATA.replace(b"health-trust", b"health-trusT", 1))
    (tmp_path / "seen").write_bytes(older(8).note)
    write_trust(tmp_path / "trust", TRUST)
    code, said, _ = audit(tmp_path / "good", "--trust", tmp_path / "trust")
    assert (code, said.startswith("Verified: 4 of the 43 entries")) == (0, True)
    code, _, said = audit(tmp_path / "bad", "--trust", tmp_path / "trust")
    assert code == 5
    assert said.startswith("VERIFICATION FAILED: entry 5: inclusion")
    code, _, said = audit(tmp_path / "good", "--trust", tmp_path / "trust", "--seen", tmp_path / "seen")
    assert (code, said.startswith("Can't verify: the checkpoint seen before is of 8")) == (2, True)
    assert audit(tmp_path / "good", "--trust", tmp_path / "good")[0] == 2


def test_no_control_character_reaches_the_terminal():
    """What a log signed may hold anything; what is printed does not."""
    log = log_with((permit(dataset="\x1b[2Jhealth"),))
    note = log.checkpoint() + WITNESS.cosign(log.checkpoint(), AT)
    said = str(verify_evidence(EvidenceFile((proved(5, log, note),)).to_bytes(), TRUST))
    assert "\x1b" not in said
    assert "?[2Jhealth" in said


@given(
    st.dictionaries(
        st.sampled_from(
            ["actor", "decision", "counts", "commitments", "items", "granularity", "agreement_digest"]
        ),
        st.recursive(st.booleans() | st.integers(-5, 5) | st.text(max_size=3), st.lists, max_leaves=3),
    )
)
def test_odd_bodies_are_told_too(more):
    """A signed entry of whatever shape ends in words, never in an error of another kind."""
    log = log_with((permit(**more),))
    note = log.checkpoint() + WITNESS.cosign(log.checkpoint(), AT)
    assert str(verify_evidence(EvidenceFile((proved(5, log, note),)).to_bytes(), TRUST))
