"""The offline verifier: what it accepts, and how it names what is wrong."""

import io
import json
import random
import re

import pytest
from audit_samples import MemoryStore, entry, exported, log_of, signer, trust

from audit.__main__ import main
from audit.checkpoint import Checkpoint
from audit.entry import Entry
from audit.errors import ExportError, TrustError
from audit.export import write_export
from audit.log import Log
from audit.merkle import Frontier, leaf_hash
from audit.trust import Trust, write_trust
from audit.verify import verify_export

SIZE = 600
EXPORT = exported(log_of(SIZE, 100))
LINES = EXPORT.split(b"\n")[:-1]


def check(data: bytes, seen: bytes | None = None, by=None):
    return verify_export(io.BytesIO(data), trust(by), seen)


def joined(lines: list[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"


def line_of(number: int) -> int:
    """The line on which entry `number` stands."""
    return LINES.index(entry(number).leaf())


def fails(data: bytes, seen: bytes | None = None) -> ExportError:
    with pytest.raises(ExportError) as caught:
        check(data, seen)
    return caught.value


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, SIZE])
def test_a_good_export_verifies(size):
    """An unaltered export of any size verifies, and says how many entries it holds."""
    verified = check(exported(log_of(size, 100)))
    assert verified.checkpoint.size == size
    assert f"all {size} entries" in str(verified)


def test_a_changed_byte_names_its_entry():
    """A changed byte in a leaf is reported with the entry's index and kind."""
    at = line_of(301)
    error = fails(joined([*LINES[:at], LINES[at].replace(b"health", b"heXlth"), *LINES[at + 1 :]]))
    assert error.index == 301
    assert "entry 301 (exchange.request-authorised) is not what was signed" in str(error)


def test_an_entry_altered_in_the_store_is_named():
    """A leaf altered in the store itself is named, for the export carries the hashes stored beside it."""
    store = MemoryStore()
    log = Log(store, signer())
    log.append([entry(number) for number in range(300)])
    store.kept[299] = Entry(entry(299).id, "exchange.permitted", entry(299).at, {}).leaf()
    assert fails(exported(log)).index == 299


def test_several_changed_entries_are_counted():
    """Every wrong entry is counted, up to ten named."""
    lines = list(LINES)
    for number in range(20, 50):
        lines[line_of(number)] = lines[line_of(number)].replace(b"health", b"heXlth")
    error = fails(joined(lines))
    assert error.index == 20
    assert "10 or more entries are wrong" in str(error)


def test_a_changed_leaf_hash_is_told_from_a_changed_entry():
    """When the listed hash was altered and not the entry, the verifier says so."""
    at = LINES.index(leaf_hash(entry(17).leaf()).hex().encode())
    error = fails(joined([*LINES[:at], b"0" * 64, *LINES[at + 1 :]]))
    assert error.index == 17
    assert "the entry itself is as signed" in str(error)


@pytest.mark.parametrize("number", [0, 100, 255, 256, 599])
def test_a_dropped_entry_is_named(number):
    """A dropped entry is reported at its index."""
    at = line_of(number)
    assert fails(joined(LINES[:at] + LINES[at + 1 :])).index == number


@pytest.mark.parametrize("number", [0, 100, 254, 256, 598])
def test_a_duplicated_entry_is_named(number):
    """An entry that stands twice is reported at the second place, as a copy of the first."""
    at = line_of(number)
    error = fails(joined([*LINES[: at + 1], *LINES[at:]]))
    assert error.index == number + 1
    assert f"a copy of entry {number}" in str(error)


def test_reordered_entries_are_named():
    """Two entries that changed places are both named, each as a copy of the other."""
    lines = list(LINES)
    one, two = line_of(40), line_of(41)
    lines[one], lines[two] = lines[two], lines[one]
    error = fails(joined(lines))
    assert error.index == 40
    assert "a copy of entry 41" in str(error)
    assert "a copy of entry 40" in str(error)


def test_entries_moved_with_their_hashes_are_found():
    """Entries that changed places together with their leaf hashes still do not lead to the signed root."""
    lines = list(LINES)
    hashes = [LINES.index(leaf_hash(entry(number).leaf()).hex().encode()) for number in (40, 300)]
    for one, two in [(line_of(40), line_of(300)), hashes]:
        lines[one], lines[two] = lines[two], lines[one]
    assert "not with the signed root" in str(fails(joined(lines)))


def test_an_entry_and_its_hash_altered_together_are_found():
    """Altering an entry and its listed hash alike does not lead to the signed root."""
    leaf, old = line_of(5), LINES.index(leaf_hash(entry(5).leaf()).hex().encode())
    lines = list(LINES)
    lines[leaf] = lines[leaf].replace(b"health", b"heXlth")
    lines[old] = leaf_hash(lines[leaf]).hex().encode()
    assert "not with the signed root" in str(fails(joined(lines)))


def test_a_dropped_tile_is_found():
    """Dropping a whole tile, header, hashes and leaves, is reported at its first entry."""
    first, second = LINES.index(b"tile 1 256"), LINES.index(b"tile 2 88")
    assert fails(joined(LINES[:first] + LINES[second:])).index == 256


@pytest.mark.parametrize("cut", [1, 2, 4, 5, 100, 20_000, len(EXPORT) - 30, len(EXPORT) - 1, len(EXPORT)])
def test_a_truncated_export_is_found(cut):
    """A file that lost its end never verifies."""
    fails(EXPORT[:-cut])


@pytest.mark.parametrize("tail", [b"\n", b"x", b"end\n", LINES[-2] + b"\n", EXPORT])
def test_anything_after_the_end_is_found(tail):
    """A file that goes on after its end never verifies."""
    assert "follows" in str(fails(EXPORT + tail))


def test_an_endless_line_is_refused_early():
    """A line longer than any that belongs there is refused without reading it whole."""
    at = EXPORT.index(entry(3).leaf())
    error = fails(EXPORT[:at] + b"x" * (3 << 20) + EXPORT[at:])
    assert error.index == 3
    assert "longer" in str(error)


def test_another_logs_key_is_refused():
    """An export signed again with another key fails, however consistent it is."""
    with pytest.raises(ExportError, match="no trusted key"):
        check(exported(log_of(10, by=signer(2))))


def _signed_over(leaves: list[bytes]) -> bytes:
    """An export of leaves that the log's own key signed, whatever they are."""
    tree = Frontier()
    for leaf in leaves:
        tree.add(leaf_hash(leaf))

    class Signed:
        def checkpoint(self):
            return signer().sign(Checkpoint(signer().name, len(leaves), tree.root()).text)

        def leaves(self, start, stop):
            return iter(leaves[start:stop])

        def leaf_hashes(self, start, stop):
            return map(leaf_hash, leaves[start:stop])

    out = io.BytesIO()
    write_export(Signed(), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        (b"{}", "type"),
        (b"", "JSON"),
        (b"x", "JSON"),
        (entry(1).leaf().replace(b'":', b'": ', 1), "canonical"),
        (entry(1).leaf().replace(b"true", b"null").replace(b"false", b"null"), "null"),
    ],
)
def test_signed_bytes_that_are_no_entry_are_refused_by_name(leaf, reason):
    """Even under a right signature, a leaf that is not a canonical entry fails with its index and reason."""
    error = fails(_signed_over([entry(0).leaf(), leaf, entry(2).leaf()]))
    assert error.index == 1
    assert "not an entry" in str(error)
    assert reason in str(error)


@pytest.mark.parametrize("then", [0, 1, 255, 256, 599, 600])
def test_an_export_that_extends_what_was_seen_verifies(then):
    """Against a checkpoint seen before, an export with more entries verifies and says so."""
    seen = log_of(then, 100).checkpoint()
    assert f"extend the {then} entries" in str(check(EXPORT, seen))


def test_a_rollback_is_found():
    """An export with fewer entries than were seen before is a rollback."""
    assert "rolled back" in str(fails(EXPORT, log_of(601, 100).checkpoint()))


@pytest.mark.parametrize("then", [1, 300, 600])
def test_a_fork_is_found(then):
    """An export whose past is another than the one seen before is a fork, at any size."""
    assert "forked" in str(fails(EXPORT, log_of(then, 100, first=1).checkpoint()))


def test_the_seen_checkpoint_must_be_signed_too():
    """A checkpoint seen before counts only under the trusted key."""
    assert "seen before" in str(fails(EXPORT, log_of(5, by=signer(2)).checkpoint()))


def test_a_changed_byte_in_any_leaf_names_that_entry():
    """Whichever leaf byte is changed, the entry reported is the one that holds it."""
    rng = random.Random(5)  # noqa: S311 - seeded
    data = exported(log_of(20))
    for number in range(20):
        leaf = entry(number).leaf()
        at = data.index(leaf) + rng.randrange(len(leaf))
        new = (data[at] + rng.randrange(1, 255)) % 256
        new = new if new != ord("\n") else ord("~")
        assert fails(data[:at] + bytes([new]) + data[at + 1 :]).index == number


# --- the trust file and the command ------------------------------------------------------------------


def test_trust_file_round_trips(tmp_path):
    """A written trust file parses to the log's key."""
    write_trust(tmp_path / "trust.json", trust())
    assert Trust.parse((tmp_path / "trust.json").read_bytes()) == trust()


@pytest.mark.parametrize(
    "change",
    [
        {"type": "flagstone/trust/v2"},
        {"log": "x"},
        {"log": 1},
        {"witnesses": ["w+00000000+AAAA"]},
        {"quorum": 1},
        {"quorum": False},
        {"more": 1},
    ],
)
def test_other_trust_files_are_refused(change):
    """A trust file that is malformed or asks for more than we can check is refused, not half obeyed."""
    document = {"type": "flagstone/trust/v1", "log": signer().verifier.vkey, "witnesses": [], "quorum": 0}
    with pytest.raises(TrustError):
        Trust.parse(json.dumps(document | change).encode())


def test_trust_files_that_are_no_json_are_refused():
    """Bytes that are no JSON object are no trust file."""
    twice = b'{"quorum":1,' + json.dumps(trust().to_json()).encode()[1:]
    for data in (b"", b"[]", b"\xff", b"[" * 100_000, twice):
        with pytest.raises(TrustError):
            Trust.parse(data)


def run(*argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(argv, out, err), out.getvalue(), err.getvalue()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "export").write_bytes(EXPORT)
    (tmp_path / "bad").write_bytes(EXPORT.replace(b"health", b"heXlth", 1))
    (tmp_path / "seen").write_bytes(log_of(700, 100).checkpoint())
    write_trust(tmp_path / "trust", trust())
    return tmp_path


def test_the_command_exits_0_when_verified(files):
    """A good export: exit 0, and a plain sentence."""
    code, out, err = run("verify", str(files / "export"), "--trust", str(files / "trust"))
    assert (code, err) == (0, "")
    assert out.startswith("Verified: all 600 entries of flagstone.example/council")


def test_the_command_exits_5_and_names_the_entry(files):
    """A bad export: exit 5, and the wrong entry by index and kind."""
    code, out, err = run("verify", str(files / "bad"), "--trust", str(files / "trust"))
    assert (code, out) == (5, "")
    assert re.fullmatch(r"VERIFICATION FAILED: entry 0 \(exchange\.permitted\) is not .*\n", err)


def test_the_command_finds_a_rollback(files):
    """With --seen, a rollback: exit 5."""
    code, _, err = run(
        "verify", str(files / "export"), "--trust", str(files / "trust"), "--seen", str(files / "seen")
    )
    assert code == 5
    assert "rolled back" in err


@pytest.mark.parametrize(
    "argv",
    [
        ("verify", "missing", "--trust", "trust"),
        ("verify", "export", "--trust", "missing"),
        ("verify", "export", "--trust", "export"),
        ("verify", "export", "--trust", "trust", "--seen", "missing"),
    ],
)
def test_the_command_exits_2_when_it_can_not_begin(files, monkeypatch, argv):
    """A missing file or a trust file that is none: exit 2, not a verdict on the log."""
    monkeypatch.chdir(files)
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("Can't verify: ")


@pytest.mark.parametrize("argv", [(), ("verify",), ("verify", "export"), ("other",)])
def test_wrong_arguments_exit_2(argv, capsys):
    """Wrong arguments leave with 2, as every command of ours does."""
    with pytest.raises(SystemExit) as caught:
        run(*argv)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err
