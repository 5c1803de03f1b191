"""The static export: what stands in the folder, that it verifies, and that nothing altered in it does."""

import hashlib
import io
import os
import random
import shutil

import pytest
from audit_samples import MemoryStore, entry, exported, log_of, signer, trust

from audit.__main__ import main
from audit.entry import MAX_LEAF_BYTES, Entry
from audit.errors import ExportError
from audit.log import Log
from audit.merkle import leaf_hash, node_hash
from audit.tiles import export_to_tiles, tile_path, tile_paths, write_tiles
from audit.trust import write_trust
from audit.verify import verify_tiles

SIZE = 600


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a log of 600 entries. Tests that alter it take `copy`."""
    folder = tmp_path_factory.mktemp("tiles") / "log"
    write_tiles(log_of(SIZE, 100), folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "log")


def files(folder) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def fails(folder, seen: bytes | None = None) -> ExportError:
    with pytest.raises(ExportError) as caught:
        verify_tiles(folder, trust(), seen)
    return caught.value


# --- the layout, as c2sp.org/tlog-tiles has it -----------------------------------------------------------


def test_the_published_example_of_70000_entries():
    """The files of a tree of 70,000 are those that the specification counts in its example."""
    paths = list(tile_paths(70_000))
    of = {level: [path for path in paths if path.startswith(f"tile/{level}/")] for level in "012e"}
    assert len(of["0"]) == 274
    assert of["0"][-1] == "tile/0/273.p/112"
    assert sum(".p/" not in path for path in of["0"]) == 273
    assert of["1"] == ["tile/1/000", "tile/1/001.p/17"]
    assert of["2"] == ["tile/2/000.p/1"]
    assert [path.replace("entries", "0") for path in paths if "entries" in path] == of["0"]
    assert len(paths) == 274 * 2 + 3


def test_the_published_example_of_256_entries():
    """A tree of 256 has a full level 0 tile and a partial level 1 tile of width 1."""
    assert list(tile_paths(256)) == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]


def test_the_published_example_of_a_large_index():
    """Index 1234067 is written x001/x234/067."""
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_path("entries", 1000, 5) == "tile/entries/x001/000.p/5"


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, SIZE])
def test_exactly_the_files_of_the_size_are_written(size, tmp_path):
    """The folder holds the checkpoint and the files of a log of that size, no more and no fewer."""
    write_tiles(log_of(size, 100), tmp_path / "log")
    assert files(tmp_path / "log").keys() == {"checkpoint", *tile_paths(size)}


def test_hashes_and_bundles_are_those_of_the_specification(whole):
    """Level 0 tiles hold leaf hashes, level 1 the roots of full tiles; bundles hold lengths and entries."""
    found = files(whole)
    assert found["tile/0/001"] == b"".join(leaf_hash(entry(number).leaf()) for number in range(256, 512))
    leaves = [entry(number).leaf() for number in range(512, SIZE)]
    bundle = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
    assert found["tile/entries/002.p/88"] == bundle
    assert found["tile/1/000.p/2"] == b"".join(_root(found[f"tile/0/00{n}"]) for n in (0, 1))


def _root(tile: bytes) -> bytes:
    """RFC 6962 §2.1 over the 256 hashes of a full tile, pair by pair."""
    hashes = [tile[at : at + 32] for at in range(0, len(tile), 32)]
    while len(hashes) > 1:
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The folder of 70,000 entries, the specification's example."""
    folder = tmp_path_factory.mktemp("large") / "log"
    write_tiles(log_of(70_000, 10_000), folder)
    return folder


def test_the_published_example_is_written_and_verifies(large):
    """A log of 70,000 entries becomes the example's files, and its three levels verify."""
    assert files(large).keys() == {"checkpoint", *tile_paths(70_000)}
    assert verify_tiles(large, trust()).checkpoint.size == 70_000


THEIRS = {
    1: "2dc76bf75c0f54cc3ca66904f74df2ac842ea3c5f0dbd84a769c55a311f3cd48",
    255: "3b2415630e364f07010dbffe0efaa6183e54c82fcf4df8c848acebf1424dfffe",
    256: "d7e0b3aa139fe6d6e8aeb29a8b36ef7ca7ed2886c86088de0485a96d7baf43f8",
    600: "640286a2f70f49321e16b0c7ddb03aac82bfd1e966b4bd9650a236a976d194df",
    70_000: "f951f793690a9e008a5456a957651f18cae5635247e4e76a07d28d79308f92d8",
}
"""What another implementation wrote of the same entries and key: tests/vectors/README.md."""


@pytest.mark.parametrize("size", THEIRS)
def test_another_implementation_writes_the_same_folder(size, large, tmp_path):
    """Byte for byte, checkpoint and signature included, the folder is the one that tlog-scales writes."""
    folder = large
    if size < 70_000:
        folder = tmp_path / "log"
        write_tiles(log_of(size, 100), folder)
    whole = b"".join(
        b"%s %d\n%s" % (path.encode(), len(data), data) for path, data in sorted(files(folder).items())
    )
    assert hashlib.sha256(whole).hexdigest() == THEIRS[size]


@pytest.mark.parametrize("path", ["tile/1/000", "tile/2/000.p/1"])
def test_an_altered_tile_above_the_leaf_hashes_is_named(large, path):
    """A tile of a higher level, full or partial, that its leaf hashes do not lead to is named."""
    data = (large / path).read_bytes()
    (large / path).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    try:
        assert f"{path} is not the tile" in str(fails(large))
    finally:
        (large / path).write_bytes(data)


# --- what verifies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, SIZE])
def test_tiles_verify(size, tmp_path):
    """Untouched tiles of any size verify."""
    write_tiles(log_of(size, 100), tmp_path / "log")
    assert verify_tiles(tmp_path / "log", trust()).checkpoint.size == size


def test_tiles_made_of_an_export_are_the_same(whole, tmp_path):
    """An exported log becomes, byte for byte, the tiles that the log itself would be written as."""
    export_to_tiles(io.BytesIO(exported(log_of(SIZE, 100))), tmp_path / "log")
    assert files(tmp_path / "log") == files(whole)


def test_the_longest_entry_fits_its_bundle(tmp_path):
    """An entry of 65,535 bytes, the longest there is, is written and verifies; a longer one can't be made."""
    spare = MAX_LEAF_BYTES - len(Entry(entry(1).id, "a.b", entry(1).at, {"x": ""}).leaf())
    log = Log(MemoryStore(), signer())
    log.append([Entry(entry(1).id, "a.b", entry(1).at, {"x": "y" * spare}), entry(2)])
    write_tiles(log, tmp_path / "log")
    assert verify_tiles(tmp_path / "log", trust()).checkpoint.size == 2
    assert (tmp_path / "log" / "tile/entries/000.p/2").read_bytes()[:2] == b"\xff\xff"


def test_a_longer_leaf_is_not_written(tmp_path):
    """A leaf that no length prefix can tell, of an older log say, is refused by its index."""

    class Older(MemoryStore):
        def leaves(self, start, stop):
            return iter([entry(0).leaf(), b"x" * (MAX_LEAF_BYTES + 1)])

    store = Older()
    log = Log(store, signer())
    log.append([entry(0), entry(1)])
    with pytest.raises(ExportError, match="entry 1 is longer"):
        write_tiles(log, tmp_path / "log")
    assert not (tmp_path / "log" / "checkpoint").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    """Tiles are never written over anything."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ExportError, match="not empty"):
        write_tiles(log_of(3), tmp_path)
    assert files(tmp_path) == {"mine": b"mine"}


# --- what does not ---------------------------------------------------------------------------------------


def test_a_changed_entry_is_named(copy):
    """A changed byte in a bundle is reported with the entry's index and kind."""
    path = copy / "tile/entries/001"
    path.write_bytes(path.read_bytes().replace(b'"number":301,', b'"number":302,'))
    error = fails(copy)
    assert error.index == 301
    assert "entry 301 (exchange.request-authorised) is not what was signed" in str(error)


def test_a_changed_leaf_hash_is_told_from_a_changed_entry(copy):
    """When the leaf hash was altered and not the entry, the verifier says so, not that a higher tile is."""
    path = copy / "tile/0/000"
    data = path.read_bytes()
    path.write_bytes(data[: 17 * 32] + bytes(32) + data[18 * 32 :])
    error = fails(copy)
    assert error.index == 17
    assert "the entry itself is as signed" in str(error)


def test_a_dropped_entry_is_named(copy):
    """An entry taken out of its bundle is reported at its index."""
    path, leaf = copy / "tile/entries/000", entry(100).leaf()
    path.write_bytes(path.read_bytes().replace(len(leaf).to_bytes(2, "big") + leaf, b""))
    assert fails(copy).index == 100


@pytest.mark.parametrize("path", ["checkpoint", *tile_paths(SIZE)])
def test_every_file_is_needed(copy, path):
    """Without any one of its files the folder fails, and the missing file is named."""
    (copy / path).unlink()
    assert f"{path} is missing" in str(fails(copy))


@pytest.mark.parametrize("path", ["tile/0/002", "tile/entries/002", "tile/2/000", "extra", "tile/0/002.p/87"])
def test_a_file_more_is_found(copy, path):
    """A file that is no part of a log of this size is named."""
    (copy / path).parent.mkdir(exist_ok=True)
    (copy / path).write_bytes(b"x" * 32)
    assert "no part of this log" in str(fails(copy))


@pytest.mark.parametrize("path", ["checkpoint", *tile_paths(SIZE)])
@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: b"", lambda d: d + d])
def test_a_file_cut_or_made_longer_is_found(copy, path, change):
    """Every file has one length only."""
    (copy / path).write_bytes(change((copy / path).read_bytes()))
    fails(copy)


def test_a_rollback_and_a_fork_are_found(copy):
    """Against a checkpoint seen before, as for an exported file."""
    assert "rolled back" in str(fails(copy, log_of(601, 100).checkpoint()))
    assert "forked" in str(fails(copy, log_of(300, 100, first=1).checkpoint()))
    assert verify_tiles(copy, trust(), log_of(300, 100).checkpoint()).seen == 300


def test_tiles_by_another_key_are_refused(tmp_path):
    """Tiles signed again with another key fail, however consistent they are."""
    write_tiles(log_of(10, by=signer(2)), tmp_path / "log")
    assert "no trusted key" in str(fails(tmp_path / "log"))


def _tamper(folder, times: int, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, so that a failure repeats
    names = sorted(files(folder))
    for number in range(times):
        path = folder / rng.choice(names)
        data = path.read_bytes()
        at = rng.randrange(len(data))
        other = folder / rng.choice(names)
        altered = rng.choice(
            [
                data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :],
                data[:at] + data[at + 1 :],
                data[:at] + data[at : at + 32] + data[at:],
                data[:at],
                other.read_bytes(),
            ]
        )
        path.write_bytes(altered)
        try:
            verify_tiles(folder, trust())
        except ExportError:
            path.write_bytes(data)
        else:
            assert altered == data, f"mutation {number} of seed {seed} was not found"


def test_mutations_of_tiles_are_found(copy):
    """200 seeded mutations of the files of a folder are all found."""
    _tamper(copy, 200, 20261129)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_many_mutations_of_tiles_are_found(copy):
    """5,000 seeded mutations of the files of a folder are all found."""
    _tamper(copy, 5000, 8)


# --- the command -----------------------------------------------------------------------------------------


def run(*argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(argv, out, err), out.getvalue(), err.getvalue()


def test_the_command_verifies_a_folder(copy, tmp_path):
    """`verify FOLDER`: exit 0 and a sentence; exit 5 when something is altered."""
    write_trust(tmp_path / "trust", trust())
    argv = ("verify", str(copy), "--trust", str(tmp_path / "trust"))
    code, out, err = run(*argv)
    assert (code, err) == (0, "")
    assert out.startswith("Verified: all 600 entries of flagstone.example/council")
    (copy / "tile/1/000.p/2").write_bytes(hashlib.sha512(b"").digest())
    code, out, err = run(*argv)
    assert (code, out) == (5, "")
    assert "tile/1/000.p/2" in err


def test_links_and_pipes_are_no_files_of_a_log(tmp_path):
    """A link to another folder, to itself, or a pipe in the place of a tile fails, and nothing hangs."""
    write_tiles(log_of(7), tmp_path / "sound")
    (tile,) = (tmp_path / "sound" / "tile" / "0").rglob("7")
    for name in ("elsewhere", "loop", "pipe"):
        folder = tmp_path / name
        shutil.copytree(tmp_path / "sound", folder)
        place = folder / tile.relative_to(tmp_path / "sound")
        if name == "elsewhere":
            (folder / "tile" / "9").symlink_to(tmp_path)
        else:
            place.unlink()
            os.mkfifo(place) if name == "pipe" else place.symlink_to(place)
        with pytest.raises(ExportError, match=r"no part of this log|no plain file"):
            verify_tiles(folder, trust())
