"""Properties of bundles that hold for all inputs."""

import base64
import json

import polars as pl
import pytest
from bundle_world import COUNCIL, TRUST, Inbox, answer, read_answer, request
from hypothesis import given
from hypothesis import strategies as st
from parquet_world import Long, write

from gateway.bundle.documents import canonical
from gateway.bundle.errors import MalformedError
from gateway.bundle.jws import sign_jws, verify_jws
from gateway.bundle.tables import bitmap_bytes, pack, unpack
from gateway.bundle.thrift import CompactReader
from gateway.domain.errors import VerificationError

REQUEST = request()
ANSWER = answer(REQUEST)
TYP = "flagstone-test+jws"

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ_", max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.integers(0, len(REQUEST) - 1), st.integers(1, 255))
def test_any_altered_byte_of_a_request_is_refused(place: int, change: int) -> None:
    """Whichever byte changes, and however, the request does not open."""
    altered = bytearray(REQUEST)
    altered[place] ^= change
    with pytest.raises(VerificationError):
        Inbox().open(bytes(altered))


@given(st.integers(0, len(ANSWER) - 1), st.integers(1, 255))
def test_any_altered_byte_of_an_answer_is_refused(place: int, change: int) -> None:
    """Whichever byte changes, and however, the answer does not open."""
    altered = bytearray(ANSWER)
    altered[place] ^= change
    with pytest.raises(VerificationError):
        read_answer(bytes(altered), REQUEST)


@given(st.integers(0, len(ANSWER) - 1))
def test_any_truncation_is_refused(length: int) -> None:
    """No proper beginning of an answer opens."""
    with pytest.raises(VerificationError):
        read_answer(ANSWER[:length], REQUEST)


@given(st.binary(min_size=1, max_size=64))
def test_anything_appended_is_refused(tail: bytes) -> None:
    """Bytes after the ciphertext are never ignored."""
    with pytest.raises(VerificationError):
        read_answer(ANSWER + tail, REQUEST)
    with pytest.raises(VerificationError):
        Inbox().open(REQUEST + tail)


@st.composite
def flag_tables(draw: st.DrawFn) -> tuple[pl.DataFrame, tuple[str, ...], int]:
    columns = tuple(f"c{place}" for place in range(draw(st.integers(1, 9))))
    units = draw(st.integers(1, 40))
    bits = st.lists(st.booleans(), min_size=units, max_size=units)
    return pl.DataFrame({name: draw(bits) for name in columns}), columns, units


@given(flag_tables())
def test_flags_survive_the_bitmap(made: tuple[pl.DataFrame, tuple[str, ...], int]) -> None:
    """Packing and unpacking give back every flag, in the length known beforehand."""
    frame, columns, units = made
    bitmap = pack(frame, columns, units)
    assert len(bitmap) == bitmap_bytes(units, len(columns))
    assert unpack(bitmap, columns, units).equals(frame)


@given(st.binary(min_size=1, max_size=20), st.integers(1, 9))
def test_a_bitmap_that_unpacks_is_the_only_one_of_its_flags(bitmap: bytes, count: int) -> None:
    """No two bitmaps mean the same flags: there is no room for anything else."""
    columns = tuple(f"c{place}" for place in range(count))
    units = max(1, len(bitmap) * 8 // count)
    try:
        frame = unpack(bitmap, columns, units)
    except VerificationError:
        return
    assert pack(frame, columns, units) == bitmap


@given(st.binary(max_size=2000), st.sampled_from([COUNCIL, TRUST]))
def test_any_payload_survives_signing(payload: bytes, party: object) -> None:
    """What is verified is what was signed, byte for byte."""
    token = sign_jws(payload, TYP, party.signing)
    assert verify_jws(token, TYP, party.identity.signing) == payload


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+/= \n", max_size=200))
def test_text_that_nobody_signed_is_refused(text: str) -> None:
    """No string of base64 letters and dots verifies by chance or breaks the verifier."""
    with pytest.raises(VerificationError):
        verify_jws(text, TYP, COUNCIL.identity.signing)


@given(st.binary(max_size=120))
def test_any_header_without_a_signature_is_refused(head: bytes) -> None:
    """Whatever the header's bytes say, they choose nothing and raise nothing but a named error."""
    token = base64.urlsafe_b64encode(head).rstrip(b"=") + b".e30." + b"A" * 86
    with pytest.raises(VerificationError):
        verify_jws(token, TYP, COUNCIL.identity.signing)


@given(st.dictionaries(st.text("abcXYZ_", max_size=5), plain, max_size=5))
def test_the_standard_library_writes_the_same_canonical_bytes(value: dict) -> None:
    """RFC 8785 bytes of our plain JSON are those of a sorted, unspaced `json.dumps` (DESIGN.md §6)."""
    plainly = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value) == plainly.encode()


structs = st.recursive(
    st.integers(-(2**31), 2**31 - 1)
    | st.integers(0, 2**60).map(Long)
    | st.binary(max_size=20)
    | st.booleans(),
    lambda inner: st.dictionaries(st.integers(1, 40), inner, max_size=5),
    max_leaves=15,
)


@given(st.dictionaries(st.integers(1, 40), structs, max_size=8))
def test_thrift_structures_are_read_as_they_were_written(struct: dict) -> None:
    """The reader gives back every field and stops at the structure's end."""
    data = write(struct)
    reader = CompactReader(data + b"more", 0, len(data) + 4)
    assert reader.struct() == struct
    assert reader.position == len(data)


@given(st.binary(max_size=200))
def test_thrift_noise_raises_one_error_alone(noise: bytes) -> None:
    """Any bytes either are a structure or are refused by name."""
    reader = CompactReader(noise, 0, len(noise))
    try:
        reader.struct()
    except MalformedError:
        return
    assert reader.position <= len(noise)
