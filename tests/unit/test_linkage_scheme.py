"""Schemes as data: the one that is published, and what a table may not say."""

import dataclasses
import hashlib
from types import MappingProxyType

import polars as pl
import pytest

from gateway.domain.errors import VerificationError
from gateway.linkage import selftest
from gateway.linkage.normalise import normalise
from gateway.linkage.scheme import PARTS, V1, MatchKey, Scheme, package_text, scheme_of
from gateway.linkage.selftest import self_test


def test_v1_is_the_published_scheme():
    """v1 is found by its version, and its keys are the labels of its table in their order."""
    assert scheme_of("v1") is V1
    assert V1.labels == tuple(".".join(key.parts) for key in V1.keys)
    assert {"nhs", "upn", "nino", "uprn"} <= {part for key in V1.keys for part in key.parts}


def test_every_key_is_of_several_fields_of_a_person():
    """No token is of one field alone: a dictionary of names, dates or postcodes would open it."""
    assert all(len(V1.components(key)) > 1 for key in V1.keys)


def test_parts_are_what_normalisation_makes():
    """The scheme's parts are the columns that `normalise` gives, no more and no fewer."""
    assert set(normalise(pl.DataFrame()).columns) == PARTS


@pytest.mark.parametrize("version", ["v2", "", "V1", "../v1"])
def test_an_unknown_version_is_refused(version):
    """A scheme that this release does not know is named as such, never guessed."""
    with pytest.raises(VerificationError, match="unknown scheme version"):
        scheme_of(version)


def changed(component, number, **change):
    rows = list(V1.levels[component])
    rows[number] = dataclasses.replace(rows[number], **change)
    return {"levels": MappingProxyType({**V1.levels, component: tuple(rows)})}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"keys": ()}, "1 to 32"),
        ({"keys": (MatchKey.parse("s.born"), MatchKey.parse("s.born"))}, "1 to 32"),
        ({"keys": tuple(MatchKey(f"{number}", ("s", "born")) for number in range(33))}, "1 to 32"),
        ({"keys": (MatchKey.parse("s"),)}, "single field"),
        ({"keys": (MatchKey.parse("s.s3"),)}, "single field"),
        ({"keys": (MatchKey.parse("nhs"),)}, "single field"),
        ({"keys": (MatchKey.parse("s.shoe"),)}, "no level knows"),
        ({"keys": (MatchKey.parse("gk3.born"),)}, "nobody makes"),
        ({"pairs": MappingProxyType({**V1.pairs, "gs3": ("s", "gk")})}, "a pair is not"),
        ({"pairs": MappingProxyType({"gs3": V1.pairs["gs3"]}), "swapped": ()}, "whole name|no level knows"),
        ({"swapped": (dataclasses.replace(V1.swapped[0], agree=frozenset({"gk"})),)}, "each other's field"),
        (changed("birth", 0, match=0.5), "do not sum to 1"),
        (changed("birth", 0, agree=V1.levels["birth"][1].agree), "the same parts twice"),
        (changed("birth", 0, agree=frozenset({"born", "s"})), "two components"),
        ({"places": V1.places[1:]}, "do not sum to 1"),
        ({"margin": -1.0}, "margin"),
        ({"margin": float("nan")}, "margin"),
        ({"caution": float("inf")}, "margin"),
    ],
)
def test_a_scheme_that_does_not_hold_together_cannot_exist(change, told):
    """Its keys are of parts that are made and levels know, its shares sum to 1, its names are pairs."""
    with pytest.raises(VerificationError, match=told):
        dataclasses.replace(V1, **change)


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (V1.levels["birth"][0], {"match": 0.0}),
        (V1.levels["birth"][0], {"kin": 1.5}),
        (V1.levels["birth"][0], {"stranger": float("nan")}),
        (V1.places[0], {"share": 0.0}),
        (V1.places[0], {"poor": -0.1}),
        (V1.places[0], {"people": 0.0}),
        (V1.weights, {"poor": 1.1}),
        (V1.weights, {"namesakes": -1e-6}),
        (V1.weights, {"kin": -1.0}),
        (V1.weights, {"trust": 0.0}),
        (V1.home, {"together": 0.0}),
        (V1.home, {"apart": 1.1}),
        (V1.home, {"people": 0.0}),
        (V1.home, {"kin": float("inf")}),
    ],
)
def test_a_row_of_a_scheme_can_not_hold_nonsense(row, change):
    """A share is above 0 and at most 1, a count above 0: each has a logarithm."""
    with pytest.raises(VerificationError):
        dataclasses.replace(row, **change)


@pytest.mark.parametrize(
    "edge", [{"poor": 0.0}, {"poor": 1.0}, {"community": 0.0, "namesakes": 0.0, "kin": 0.0}]
)
def test_weights_may_say_none_or_all(edge):
    """Nobody badly kept, or everybody, is a weight; so it is that nobody shares a name or a home."""
    assert dataclasses.replace(V1.weights, **edge) != V1.weights


def test_a_scheme_can_not_be_changed():
    """The published tables are read-only."""
    with pytest.raises(TypeError):
        V1.levels["birth"] = ()
    with pytest.raises(TypeError):
        V1.pairs["gs"] = ("gk", "gk")
    with pytest.raises(dataclasses.FrozenInstanceError):
        V1.margin = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        V1.weights.poor = 0.0


def test_a_scheme_is_read_from_its_text_alone():
    """The same TOML gives the same scheme; a number that differs gives another."""
    text = package_text("v1.toml")
    assert Scheme.parse(text).levels == V1.levels
    assert Scheme.parse(text.replace("\nmargin = ", "\nmargin = 1")).margin != V1.margin


def test_without_leaves_one_key_out():
    """Leaving out a label leaves the others, in their order, and all other tables."""
    for label in V1.labels:
        fewer = V1.without(label)
        assert fewer.labels == tuple(other for other in V1.labels if other != label)
        assert fewer.levels is V1.levels


def test_the_self_test_passes_here_and_gives_the_published_digest():
    """This installation makes the tokens that scheme v1 means."""
    assert self_test() == V1.self_test


@pytest.mark.parametrize("table", ["_FORENAMES", "_FAMILIES"])
def test_the_self_test_covers_every_variant_of_a_name(table, monkeypatch):
    """One nickname or one spelling of a surname that is folded otherwise is an error, not an empty answer."""
    tables = getattr(selftest.names, table)
    name = sorted(tables)[len(tables) // 2]
    monkeypatch.setitem(tables, name, "ELSE")
    with pytest.raises(VerificationError, match="self-test of scheme v1"):
        self_test()


@pytest.mark.parametrize("change", ["placeholder", "token"])
def test_the_self_test_fails_where_anything_differs(change, monkeypatch):
    """One placeholder or one byte of a token that differs is an error, not an empty answer."""
    scheme = V1
    if change == "placeholder":
        fewer = dataclasses.replace(V1.placeholders, names=frozenset())
        scheme = dataclasses.replace(V1, placeholders=fewer)
    if change == "token":
        monkeypatch.setattr(selftest, "_SECRET", hashlib.sha256(b"another").digest())
    with pytest.raises(VerificationError, match="self-test of scheme v1"):
        self_test(scheme)


def test_the_self_test_makes_a_token_of_every_key():
    """No match key is left out of the digest for want of a person who has its parts."""
    parts = normalise(selftest.people())
    assert all(
        parts.select(pl.all_horizontal(pl.col(key.parts).is_not_null()).any()).item() for key in V1.keys
    )
