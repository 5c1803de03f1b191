"""A seeded mutation fuzz: whole bundles, and what a dishonest sender could truly seal and sign."""

import io
import random
from collections.abc import Callable

import polars as pl
import pytest
from bundle_world import (
    TRUST,
    Inbox,
    answer,
    parts,
    read_answer,
    request,
    resign,
    table,
    with_bitmap,
    with_table,
)

from gateway.bundle.tables import request_columns, write_table
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import Granularity
from gateway.domain.labels import TYP_ANSWER
from gateway.linkage.scheme import V1

REQUEST = request()
ANSWER = answer(REQUEST)
COLUMNS = request_columns(V1, Granularity.HOUSEHOLD_INDICATORS)
PARQUET = write_table(table(), COLUMNS, 3)
FEW, MANY = 300, 30_000


def flip(random_: random.Random, data: bytearray) -> None:
    data[random_.randrange(len(data))] ^= random_.randrange(1, 256)


def insert(random_: random.Random, data: bytearray) -> None:
    place = random_.randrange(len(data) + 1)
    data[place:place] = random_.randbytes(random_.choice([1, 2, 8, 300]))


def cut(random_: random.Random, data: bytearray) -> None:
    start = random_.randrange(len(data))
    del data[start : start + random_.choice([1, 2, 8, 300])]


def repeat(random_: random.Random, data: bytearray) -> None:
    start = random_.randrange(len(data))
    piece = data[start : start + random_.randrange(1, 64)]
    place = random_.randrange(len(data))
    data[place:place] = piece


def move(random_: random.Random, data: bytearray) -> None:
    start, place = random_.randrange(len(data)), random_.randrange(len(data))
    piece = data[start : start + 16]
    data[place : place + len(piece)] = piece


def extreme(random_: random.Random, data: bytearray) -> None:
    place = random_.randrange(len(data))
    data[place : place + 4] = random_.choice(
        [b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f", b"\0\0\0\x80"]
    )


MUTATIONS: list[Callable[[random.Random, bytearray], None]] = [flip, insert, cut, repeat, move, extreme]


def mutants(data: bytes, seed: int, count: int):
    """`count` different mutants of `data`, the same for the same seed."""
    random_ = random.Random(seed)  # noqa: S311  reproducible on purpose
    for _ in range(count):
        mutant = bytearray(data)
        for _ in range(random_.choice([1, 1, 1, 2, 4])):
            random_.choice(MUTATIONS)(random_, mutant)
            mutant = mutant or bytearray(b"\0")
        if mutant != data:
            yield bytes(mutant)


def refuse_whole_bundles(seed: int, count: int) -> None:
    for mutant in mutants(REQUEST, seed, count):
        with pytest.raises(VerificationError):
            Inbox().open(mutant)
    for mutant in mutants(ANSWER, seed, count):
        with pytest.raises(VerificationError):
            read_answer(mutant, REQUEST)


def survive_signed_tables(seed: int, count: int) -> None:
    for mutant in mutants(PARQUET, seed, count):
        try:
            opened = Inbox().open(with_table(mutant)).table
        except VerificationError:
            continue
        # a mutant that opens is a table of the agreed shape: a byte of a token or of an unread field changed
        assert opened.schema == pl.Schema(COLUMNS)
        assert opened.height == 5


def survive_signed_manifests(seed: int, count: int) -> None:
    random_ = random.Random(seed)  # noqa: S311  reproducible on purpose
    values = [None, True, 0, -1, 2**53 - 1, 1.5, "", "x", "é" * 300, [], {}, [["a"]], {"a": {"b": []}}]
    for _ in range(count):
        name = random_.choice(list(parts(ANSWER)[0]))
        value = random_.choice(values)
        with pytest.raises(VerificationError):
            read_answer(resign(ANSWER, typ=TYP_ANSWER, by=TRUST, **{name: value}), REQUEST)


def test_no_mutant_of_a_bundle_opens() -> None:
    """Flipped, inserted, cut, repeated and moved bytes: always a named error, never another exception."""
    refuse_whole_bundles(1, FEW)


def test_no_signed_table_breaks_the_reader() -> None:
    """A malformed Parquet file that a council truly sealed and signed ends in a named error."""
    survive_signed_tables(2, FEW)


def test_no_signed_manifest_breaks_the_reader() -> None:
    """A manifest field of any JSON type, truly signed, ends in a named error."""
    survive_signed_manifests(3, FEW // 3)


@pytest.mark.parametrize("length", range(4))
def test_every_signed_bitmap_is_flags_or_refused(length: int) -> None:
    """Of short bitmaps only those of the right length whose seven last bits are zero open."""
    opened = 0
    for last in range(0, 256, 2):
        bitmap = bytes(length - 1) + bytes([last]) if length else b""
        try:
            read_answer(with_bitmap(REQUEST, bitmap), REQUEST)
        except VerificationError:
            continue
        opened += 1
    assert opened == (2 if length == 2 else 0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 104))
def test_the_fuzz_at_length(seed: int) -> None:
    """The three fuzzes above, at a hundred times their size, with other seeds."""
    refuse_whole_bundles(seed, MANY // 4)
    survive_signed_tables(seed, MANY // 4)
    survive_signed_manifests(seed, MANY // 40)


@pytest.mark.long
def test_every_single_bit_counts() -> None:
    """Each bit of a request and of an answer, changed alone, is refused."""
    for place in range(len(REQUEST) * 8):
        altered = bytearray(REQUEST)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(VerificationError):
            Inbox().open(bytes(altered))
    for place in range(len(ANSWER) * 8):
        altered = bytearray(ANSWER)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(VerificationError):
            read_answer(bytes(altered), REQUEST)


def test_the_unmutated_bundles_open() -> None:
    """The control: without a mutation request, answer and table open, so that the fuzz tests something."""
    assert Inbox().open(REQUEST).table.equals(pl.read_parquet(io.BytesIO(PARQUET)))
    assert read_answer(ANSWER, REQUEST).flags.height == 3
