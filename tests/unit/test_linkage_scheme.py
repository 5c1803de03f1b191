"""Schemes as data: the one that is published, and what a table may not say."""

import dataclasses
import hashlib
from types import MappingProxyType

import pytest

from gateway.domain.errors import VerificationError
from gateway.linkage import selftest
from gateway.linkage.scheme import V1, MatchKey, scheme_of
from gateway.linkage.selftest import self_test


def test_v1_has_the_keys_of_the_study():
    """Fourteen keys over names, birth and place, three with the NHS number, all there and in this order."""
    assert scheme_of("v1") is V1
    assert V1.labels == (
        "gs3.dob", "g1.dob.pc", "s.md.pc", "gS.sS.pc", "g1.s.y.pc", "dob.sec", "g1.sS.dob", "gk.md.pc",
        "s.dob", "gk.dob", "dob.pc", "g3.s.pc", "gk.s3.pc", "gs.sec", "nhs.dob", "nhs.s", "nhs.gk",
    )  # fmt: skip


@pytest.mark.parametrize("version", ["v2", "", "V1", "../v1"])
def test_an_unknown_version_is_refused(version):
    """A scheme that this release does not know is named as such, never guessed."""
    with pytest.raises(VerificationError, match="unknown scheme version"):
        scheme_of(version)


@pytest.mark.parametrize(
    "change",
    [
        {"keys": ()},
        {"keys": (MatchKey.parse("s.dob"), MatchKey.parse("s.dob"))},
        {"keys": tuple(MatchKey(f"{number}", ("s", "dob")) for number in range(33))},
        {"keys": (MatchKey.parse("s"),)},
        {"keys": (MatchKey.parse("s.s3"),)},
        {"keys": (MatchKey.parse("nhs"),)},
        {"keys": (MatchKey.parse("s.shoe"),)},
        {"against": MappingProxyType({"surname": 1.0})},
    ],
)
def test_a_scheme_that_does_not_hold_together_cannot_exist(change):
    """Unknown parts, a key of a single field, repeated or too many keys, a component without a cost."""
    with pytest.raises(VerificationError):
        dataclasses.replace(V1, **change)


def test_a_scheme_can_not_be_changed():
    """The published tables are read-only."""
    with pytest.raises(TypeError):
        V1.evidence["s"] = {}
    with pytest.raises(TypeError):
        V1.evidence["s"]["surname"] = 99.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        V1.margin = 0.0


def test_the_self_test_passes_here_and_gives_the_published_digest():
    """This installation makes the tokens that scheme v1 means."""
    assert self_test() == V1.self_test == "8b7b861c51158ee77113121cb74f360368a8afb611c8f7842a57623ad1785d01"


@pytest.mark.parametrize("change", ["nickname", "placeholder", "token"])
def test_the_self_test_fails_where_anything_differs(change, monkeypatch):
    """One nickname, one placeholder or one byte of a token that differs is an error, not an empty answer."""
    scheme = V1
    if change == "nickname":
        monkeypatch.delitem(selftest.NICKNAMES, "BILL")
    if change == "placeholder":
        fewer = dataclasses.replace(V1.placeholders, names=frozenset())
        scheme = dataclasses.replace(V1, placeholders=fewer)
    if change == "token":
        monkeypatch.setattr(selftest, "_SECRET", hashlib.sha256(b"another").digest())
    with pytest.raises(VerificationError, match="self-test of scheme v1"):
        self_test(scheme)
