"""The store's contract (`gateway.ports`), held against the fake and against PostgreSQL alike."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fakes import NOON, FakeStore, a_partner, a_prekey, a_user, an_agreement, an_exchange

from audit.checkpoint import open_checkpoint
from audit.entry import Entry
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from gateway.domain.errors import ConflictError, LogUnavailableError, NotFoundError
from gateway.domain.exchange import ENDED, Exchange, ExchangeId, Status
from gateway.ports import Store, Submission

LATER = NOON + timedelta(hours=1)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    return FakeStore() if request.param == "fake" else request.getfixturevalue("postgres").store()


def enrol(store: Store) -> None:
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        unit.commit()


def submitted(store: Store, **changes) -> Exchange:
    exchange = an_exchange(**changes)
    with store.begin() as unit:
        unit.exchanges.add(exchange)
        unit.commit()
    return exchange


def an_entry(**body) -> Entry:
    return Entry(uuid4(), "exchange.permitted", NOON, body)


# --- units of work -----------------------------------------------------------------------------------


def test_a_unit_without_commit_leaves_nothing(store):
    """Leaving the block without commit rolls back rows and log entries alike."""
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.log.append([an_entry()])
    with store.begin() as unit:
        assert unit.partners.all() == []
        assert unit.log.size() == 0


def test_a_unit_that_raises_leaves_nothing(store):
    """An exception inside the block rolls everything back and reaches the caller as it was."""
    with pytest.raises(ZeroDivisionError), store.begin() as unit:  # noqa: PT012 (the block is the subject)
        unit.partners.add(a_partner())
        raise ZeroDivisionError
    with store.begin() as unit:
        assert unit.partners.all() == []


def test_what_is_not_committed_is_not_seen(store):
    """Another unit sees a write only after its commit."""
    with store.begin() as writer:
        writer.partners.add(a_partner())
        with store.begin() as reader:
            assert reader.partners.all() == []
        writer.commit()
    with store.begin() as reader:
        assert reader.partners.all() == [a_partner()]


def test_the_order_of_writes_inside_a_unit_is_free(store):
    """A row may come before the one it refers to, as long as both are there at the commit."""
    exchange = an_exchange()
    with store.begin() as unit:
        unit.vault.put(exchange.id, "list", b"sealed")
        unit.exchanges.add(exchange)
        unit.agreements.propose(an_agreement())
        unit.partners.add(a_partner())
        unit.commit()
    with store.begin() as unit:
        assert unit.vault.get(exchange.id, "list") == b"sealed"


@pytest.mark.parametrize(
    "dangling",
    [
        lambda unit: unit.agreements.propose(an_agreement("A-2", partner="nobody")),
        lambda unit: unit.prekeys.publish([a_prekey(partner="nobody")]),
        lambda unit: unit.exchanges.add(an_exchange(partner="nobody")),
        lambda unit: unit.exchanges.add(an_exchange(agreement="none")),
        lambda unit: unit.vault.put(ExchangeId(UUID(int=1)), "list", b"sealed"),
        lambda unit: unit.mailbox.post("health", ExchangeId(UUID(int=1)), b"bundle"),
    ],
    ids=["agreement", "prekey", "exchange of nobody", "exchange without agreement", "vault", "mailbox"],
)
def test_a_dangling_reference_does_not_commit(store, dangling):
    """A row that refers to something that is not there is refused whole at the commit."""
    enrol(store)
    with store.begin() as unit:
        dangling(unit)
        with pytest.raises(ConflictError):
            unit.commit()


# --- partners, agreements, users ---------------------------------------------------------------------


def test_partners_come_back_as_they_were(store):
    """A partner is returned whole, revoked or not, and listed by slug."""
    with store.begin() as unit:
        unit.partners.add(a_partner("police"))
        unit.partners.add(a_partner("health"))
        unit.partners.revoke("police", LATER)
        unit.partners.revoke("police", LATER + timedelta(days=1))
        unit.commit()
    with store.begin() as unit:
        assert unit.partners.get("police") == a_partner("police", revoked_at=LATER)
        assert unit.partners.all() == [a_partner("health"), a_partner("police", revoked_at=LATER)]


def test_a_slug_is_taken_once(store):
    """A second partner of the same slug is refused, other keys or not."""
    enrol(store)
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.partners.add(a_partner(added_at=LATER))


@pytest.mark.parametrize(
    "ask",
    [
        lambda unit: unit.partners.get("nobody"),
        lambda unit: unit.partners.revoke("nobody", NOON),
        lambda unit: unit.agreements.get("none"),
        lambda unit: unit.agreements.revoke("none", NOON),
        lambda unit: unit.agreements.countersign("none", "jws", NOON),
        lambda unit: unit.users.replace_token("Nobody", bytes(32)),
        lambda unit: unit.users.revoke("Nobody", NOON),
        lambda unit: unit.exchanges.get(ExchangeId(UUID(int=1))),
        lambda unit: unit.exchanges.advance(ExchangeId(UUID(int=1)), Status.SENT, frm=[Status.AUTHORISED]),
        lambda unit: unit.vault.get(ExchangeId(UUID(int=1)), "list"),
        lambda unit: unit.mailbox.fetch("health", ExchangeId(UUID(int=1))),
    ],
)
def test_what_is_not_there_is_not_found(store, ask):
    """Every port answers a question about nothing with NotFoundError."""
    with store.begin() as unit, pytest.raises(NotFoundError):
        ask(unit)


def test_agreements_are_filtered_and_newest_first(store):
    """Listing filters by partner and dataset, and begins with the newest proposal."""
    old, new = an_agreement("A-1"), an_agreement("A-2", proposed_at=LATER)
    other = an_agreement("A-3", partner="police", dataset="police-force")
    with store.begin() as unit:
        unit.partners.add(a_partner("health"))
        unit.partners.add(a_partner("police"))
        for record in (old, new, other):
            unit.agreements.propose(record)
        unit.commit()
    with store.begin() as unit:
        assert unit.agreements.all()[0] == new
        assert unit.agreements.all(partner="health") == [new, old]
        assert unit.agreements.all(dataset="police-force") == [other]
        assert unit.agreements.all(partner="health", dataset="police-force") == []


def test_an_agreement_is_countersigned_once(store):
    """A countersignature is kept with its time; a second one is refused."""
    enrol(store)
    with store.begin() as unit:
        unit.agreements.countersign("A-1", "partner.signed.this", LATER)
        unit.commit()
    with store.begin() as unit:
        record = unit.agreements.get("A-1")
        assert (record.partner_jws, record.signed_at) == ("partner.signed.this", LATER)
        with pytest.raises(ConflictError):
            unit.agreements.countersign("A-1", "another", LATER)


def test_a_revoked_agreement_is_not_countersigned(store):
    """Revocation bars a later countersignature, and keeps its first date."""
    enrol(store)
    with store.begin() as unit:
        unit.agreements.revoke("A-1", NOON)
        unit.agreements.revoke("A-1", LATER)
        assert unit.agreements.get("A-1").revoked_at == NOON
        with pytest.raises(ConflictError):
            unit.agreements.countersign("A-1", "partner.signed.this", LATER)


def test_a_number_is_taken_once(store):
    """A second agreement of the same number is refused."""
    enrol(store)
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.agreements.propose(an_agreement(dataset="other"))


def test_a_user_is_found_by_token(store):
    """A user is found by the hash of the present token, not by that of the replaced one."""
    ann = a_user("Ann")
    with store.begin() as unit:
        unit.users.add(ann)
        assert unit.users.by_token(ann.token_hash) == ann
        changed = unit.users.replace_token("Ann", b"n" * 32)
        unit.commit()
    with store.begin() as unit:
        assert changed == replace(ann, token_hash=b"n" * 32) == unit.users.by_token(b"n" * 32)
        assert unit.users.by_token(ann.token_hash) is None


def test_a_name_is_free_again_after_revocation(store):
    """Two users in force never share a name; a revoked one's name may be given again."""
    first, second = a_user("Ann"), a_user("Ann", token_hash=b"2" * 32)
    with store.begin() as unit:
        unit.users.add(first)
        with pytest.raises(ConflictError):
            unit.users.add(second)
        assert unit.users.revoke("Ann", LATER) == replace(first, revoked_at=LATER)
        unit.users.add(second)
        unit.commit()
    with store.begin() as unit:
        assert {user.id for user in unit.users.all()} == {first.id, second.id}
        with pytest.raises(NotFoundError):
            unit.users.revoke("Bob", LATER)


# --- prekeys -----------------------------------------------------------------------------------------


def test_prekeys_are_claimed_oldest_first_and_once(store):
    """Each prekey goes to one claim, in the order of publication, until none is left."""
    enrol(store)
    keys = [a_prekey(name) for name in ("p3", "p1", "p2")]
    with store.begin() as unit:
        unit.prekeys.publish(keys)
        unit.commit()
    with store.begin() as unit:
        claims = [unit.prekeys.claim("health", ExchangeId(uuid4()), NOON) for _ in range(4)]
        unit.commit()
    assert claims == [*keys, None]


def test_publishing_again_does_no_harm(store):
    """A prekey that was published and claimed stays claimed when it is published again."""
    enrol(store)
    with store.begin() as unit:
        unit.prekeys.publish([a_prekey("p1")])
        unit.prekeys.claim("health", ExchangeId(uuid4()), NOON)
        unit.prekeys.publish([])
        unit.prekeys.publish([a_prekey("p1"), a_prekey("p2")])
        assert unit.prekeys.available("health", NOON) == 1


def test_a_prekey_counts_for_its_partner_until_it_expires(store):
    """Expired prekeys and those of other partners are neither counted nor claimed."""
    enrol(store)
    with store.begin() as unit:
        unit.partners.add(a_partner("police"))
        unit.prekeys.publish([a_prekey("p1", expires_at=NOON), a_prekey("p1", "police"), a_prekey("p2")])
        assert unit.prekeys.available("health", NOON) == 1
        assert unit.prekeys.claim("health", ExchangeId(uuid4()), NOON) == a_prekey("p2")
        assert unit.prekeys.claim("health", ExchangeId(uuid4()), NOON) is None
        assert unit.prekeys.available("police", NOON) == 1


def test_concurrent_claims_never_share_a_prekey(store):
    """Eight claims at once on five prekeys get five different ones."""
    enrol(store)
    with store.begin() as unit:
        unit.prekeys.publish([a_prekey(f"p{i}") for i in range(5)])
        unit.commit()

    def claim(_: int) -> str | None:
        with store.begin() as unit:
            key = unit.prekeys.claim("health", ExchangeId(uuid4()), NOON)
            unit.commit()
            return key.id if key else None

    with ThreadPoolExecutor(4) as pool:
        claimed = [key for key in pool.map(claim, range(8)) if key]
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 5


# --- exchanges ---------------------------------------------------------------------------------------


def test_exchanges_come_back_as_they_were(store):
    """An exchange is returned whole, and listed newest first, by its submitter if asked."""
    enrol(store)
    old = submitted(store)
    new = submitted(store, submitted_at=LATER, submitted_by=UUID(int=8), indicators=())
    with store.begin() as unit:
        assert unit.exchanges.get(old.id) == old
        assert unit.exchanges.all() == [new, old]
        assert unit.exchanges.all(submitted_by=UUID(int=7)) == [old]


def test_an_exchange_id_is_taken_once(store):
    """A second exchange of the same id is refused."""
    enrol(store)
    exchange = submitted(store)
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.exchanges.add(exchange)


@pytest.mark.parametrize("status", list(Status))
def test_advance_goes_from_what_was_named_only(store, status):
    """`advance` moves from the statuses named, does nothing when it is there already, and else refuses."""
    enrol(store)
    exchange = submitted(store, status=status)
    outcome = {Status.PREPARED: True, Status.AUTHORISED: False}.get(status)
    with store.begin() as unit:
        if outcome is None:
            with pytest.raises(ConflictError):
                unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED])
        else:
            assert unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED]) is outcome
            assert unit.exchanges.get(exchange.id).status is Status.AUTHORISED


def test_two_advances_at_once_succeed_once(store):
    """Of units that take the same step at once exactly one is told that it took it."""
    enrol(store)
    exchange = submitted(store)
    together = threading.Barrier(4)

    def advance(_: int) -> bool:
        together.wait()
        with store.begin() as unit:
            moved = unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED])
            unit.commit()
            return moved

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(advance, range(4))) == [False, False, False, True]


@pytest.mark.parametrize("status", list(Status))
def test_unfinished_exchanges_are_those_that_have_not_ended(store, status):
    """`unfinished` lists an exchange exactly while its status is not an end."""
    enrol(store)
    exchange = submitted(store, status=status)
    with store.begin() as unit:
        assert unit.exchanges.unfinished() == ([] if status in ENDED else [exchange])


# --- vault, mailbox ----------------------------------------------------------------------------------


def test_the_vault_keeps_bytes_by_exchange_and_kind(store):
    """What was put is returned byte for byte, replaced by a later put, and gone once dropped."""
    enrol(store)
    exchange = submitted(store)
    with store.begin() as unit:
        unit.vault.put(exchange.id, "list", bytes(range(256)))
        unit.vault.put(exchange.id, "answer", b"")
        unit.vault.put(exchange.id, "answer", b"again")
        unit.commit()
    with store.begin() as unit:
        assert unit.vault.get(exchange.id, "list") == bytes(range(256))
        assert unit.vault.get(exchange.id, "answer") == b"again"
        unit.vault.drop(exchange.id, "list")
        unit.vault.drop(exchange.id, "list")
        with pytest.raises(NotFoundError):
            unit.vault.get(exchange.id, "list")


def test_a_mailbox_is_its_partners_alone(store):
    """Bundles wait in order of arrival, for their partner; to another they do not exist."""
    enrol(store)
    first, second = submitted(store), submitted(store, submitted_at=LATER)
    with store.begin() as unit:
        unit.mailbox.post("health", second.id, b"second")
        unit.mailbox.post("health", first.id, b"first")
        unit.mailbox.post("health", first.id, b"first")
        unit.commit()
    with store.begin() as unit:
        assert unit.mailbox.waiting("health") == [second.id, first.id]
        assert unit.mailbox.waiting("police") == []
        assert unit.mailbox.fetch("health", first.id) == b"first"
        with pytest.raises(NotFoundError):
            unit.mailbox.fetch("police", first.id)
        unit.mailbox.remove(first.id)
        unit.mailbox.remove(first.id)
        assert unit.mailbox.waiting("health") == [second.id]


@pytest.mark.parametrize(("partner", "bundle"), [("health", b"other"), ("police", b"bundle")])
def test_a_waiting_bundle_is_never_exchanged_for_another(store, partner, bundle):
    """Posting other bytes, or for another partner, under the same exchange is refused."""
    enrol(store)
    exchange = submitted(store)
    with store.begin() as unit:
        unit.mailbox.post("health", exchange.id, b"bundle")
        with pytest.raises(ConflictError):
            unit.mailbox.post(partner, exchange.id, bundle)
        assert unit.mailbox.fetch("health", exchange.id) == b"bundle"


# --- submissions, replays ----------------------------------------------------------------------------


def test_an_idempotency_key_is_remembered_once(store):
    """What a key stood for is found again by the same user only, and can't be overwritten."""
    submission = Submission(UUID(int=7), b"k" * 32, b"d" * 32, None, b'{"refused":true}')
    with store.begin() as unit:
        assert unit.submissions.find(UUID(int=7), b"k" * 32) is None
        unit.submissions.remember(submission)
        unit.commit()
    with store.begin() as unit:
        assert unit.submissions.find(UUID(int=7), b"k" * 32) == submission
        assert unit.submissions.find(UUID(int=8), b"k" * 32) is None
        with pytest.raises(ConflictError):
            unit.submissions.remember(replace(submission, request_digest=b"e" * 32))


def test_of_concurrent_twins_one_wins(store):
    """The same idempotency key used by several submissions at once is remembered by one of them."""
    together = threading.Barrier(3)

    def remember(n: int) -> bool:
        together.wait()
        with store.begin() as unit:
            try:
                unit.submissions.remember(Submission(UUID(int=7), b"k", b"d", None, b"%d" % n))
            except ConflictError:
                return False
            unit.commit()
            return True

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(remember, range(3))) == [False, False, True]


@pytest.mark.parametrize("status", list(Status))
def test_a_request_is_under_way_until_its_exchange_ends(store, status):
    """The same request of the same user is found while its exchange has not ended, whatever the key."""
    enrol(store)
    exchange = submitted(store, status=status)
    with store.begin() as unit:
        unit.submissions.remember(Submission(UUID(int=7), b"k", b"d", exchange.id, b"{}"))
        unit.submissions.remember(Submission(UUID(int=7), b"l", b"e", None, b"{}"))
        assert unit.submissions.under_way(UUID(int=7), b"d") == (None if status in ENDED else exchange.id)
        assert unit.submissions.under_way(UUID(int=7), b"e") is None
        assert unit.submissions.under_way(UUID(int=8), b"d") is None


def test_a_one_time_id_is_used_once_until_it_expires(store):
    """A second use is refused before the id's end, and ids past their end are forgotten."""
    with store.begin() as unit:
        unit.replays.use(b"j", NOON + timedelta(seconds=60), NOON)
        with pytest.raises(ConflictError):
            unit.replays.use(b"j", NOON + timedelta(seconds=90), NOON + timedelta(seconds=59))
        unit.replays.use(b"j", NOON + timedelta(seconds=120), NOON + timedelta(seconds=60))


# --- the log -----------------------------------------------------------------------------------------


def test_an_empty_log_has_a_checkpoint(store):
    """A log without entries signs size 0."""
    with store.begin() as unit:
        assert open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier).size == 0


def test_committed_entries_can_be_proved(store):
    """Every committed entry is readable and proved by the newest checkpoint, batches of any size."""
    entries = [an_entry(n=n) for n in range(20)]
    for start, stop in ((0, 1), (1, 3), (3, 10), (10, 20)):
        with store.begin() as unit:
            unit.log.append(entries[start:stop])
            unit.commit()
    with store.begin() as unit:
        leaves = list(unit.log.leaves(0, 20))
        signed = open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier)
        assert leaves == [entry.leaf() for entry in entries]
        assert (unit.log.size(), signed.size) == (20, 20)
        for index, leaf in enumerate(leaves):
            verify_inclusion(leaf_hash(leaf), index, 20, unit.log.inclusion(index, 20), signed.root)


def test_a_checkpoint_extends_the_one_before(store):
    """The log's consistency proof holds between the checkpoints of two commits."""
    roots = []
    for batch in (3, 4):
        with store.begin() as unit:
            unit.log.append([an_entry(n=n) for n in range(batch)])
            roots.append(open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier).root)
            unit.commit()
    with store.begin() as unit:
        verify_consistency(3, 7, *roots, unit.log.consistency(3, 7))


def test_leaves_are_read_in_pages_without_a_seam(store):
    """Any stretch of a long log is read whole and in order."""
    entries = [an_entry(n=n) for n in range(2100)]
    with store.begin() as unit:
        unit.log.append(entries)
        unit.commit()
    with store.begin() as unit:
        for start, stop in ((0, 2100), (999, 1001), (1000, 2000), (5, 5), (2099, 2100)):
            assert list(unit.log.leaves(start, stop)) == [entry.leaf() for entry in entries[start:stop]]
        assert list(unit.log.leaf_hashes(0, 2100)) == [leaf_hash(entry.leaf()) for entry in entries]


def test_concurrent_appends_lose_and_repeat_nothing(store):
    """Units that append at once give one log with every entry in it once, and a true checkpoint."""

    def append(n: int) -> None:
        with store.begin() as unit:
            unit.log.append([an_entry(n=n), an_entry(n=n)])
            unit.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(12)))
    with store.begin() as unit:
        bodies = sorted(Entry.parse(leaf).body["n"] for leaf in unit.log.leaves(0, unit.log.size()))
        assert bodies == sorted([*range(12), *range(12)])
        signed = open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier)
        first = leaf_hash(next(unit.log.leaves(0, 1)))
        verify_inclusion(first, 0, signed.size, unit.log.inclusion(0, signed.size), signed.root)


def test_a_unit_whose_append_failed_never_commits(store, monkeypatch):
    """Swallowing the failure of an append does not let the rest of the unit become durable."""
    with store.begin() as unit:
        unit.partners.add(a_partner())
        monkeypatch.setattr("audit.log.Log._signed", _fail)
        with pytest.raises(ZeroDivisionError):
            unit.log.append([an_entry()])
        with pytest.raises(LogUnavailableError):
            unit.commit()
    with store.begin() as unit:
        assert unit.partners.all() == []


def _fail(*_: object) -> None:
    raise ZeroDivisionError
