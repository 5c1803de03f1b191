"""The published vectors of scheme v1 (tests/vectors/linkage)."""

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from gateway.linkage.normalise import normalise
from gateway.linkage.resolve import BESIDE, candidates, resolve
from gateway.linkage.scheme import PARTS, V1
from gateway.linkage.score import evidence, evidence_together, fitted, likelihoods, threshold
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import beside, tokenise

DIGEST = "132f311e970753b2463becd4fdc8215c6fbc3f31dc32367bdb12609fd12f51b5"
FILE = Path(__file__).parents[1] / "vectors" / "linkage" / "v1.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
PERSONS = [person["person"] for person in VECTORS["people"]]
PEOPLE = pl.DataFrame(PERSONS, dict.fromkeys(PERSONS[0], pl.String)).with_columns(pl.col("dob").str.to_date())
KEYS = token_keys(bytes.fromhex(VECTORS["secret"]), V1)
LINKING = VECTORS["linking"]
SIZE, OVERLAP = LINKING["register_size"], LINKING["overlap"]
CLOSE = pytest.approx


def mask(labels):
    return sum(1 << V1.labels.index(label) for label in labels)


def test_the_file_is_the_published_one():
    """The vectors are what they were when v1 was published."""
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == DIGEST


def test_token_keys():
    """Each match key's own key comes from the secret under its own label."""
    assert {label: key.hex() for label, key in KEYS.items()} == VECTORS["keys"]


def test_parts():
    """Normalisation makes the published parts of each person."""
    assert normalise(PEOPLE).to_dicts() == [person["parts"] for person in VECTORS["people"]]


def test_tokens():
    """Every byte of every token of every person is the published one."""
    found = [
        {label: token and token.hex() for label, token in row.items()}
        for row in tokenise(PEOPLE, KEYS).iter_rows(named=True)
    ]
    assert found == [person["tokens"] for person in VECTORS["people"]]


@pytest.mark.parametrize("label", V1.labels)
def test_every_match_key_is_pinned(label):
    """Each match key has two different tokens or more, which HMAC from the standard library makes too."""
    key = VECTORS["keys"][label].encode()
    pinned = [person for person in VECTORS["people"] if person["tokens"][label]]
    assert len({person["tokens"][label] for person in pinned}) > 1
    for person in pinned:
        message = "\x1f".join(person["parts"][part] for part in label.split("."))
        assert hmac.digest(key, message.encode(), "sha256")[:16].hex() == person["tokens"][label]


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_part_is_pinned(part):
    """Each part is there and is lacking among the people of the vectors."""
    made = [person["parts"][part] for person in VECTORS["people"]]
    assert None in made
    assert len(set(made)) > 2


@pytest.mark.parametrize("case", VECTORS["scores"])
def test_scores(case):
    """Evidence, evidence at the household's address and threshold are the published bits, to a millionth."""
    both = mask(case["both"])
    masks = pl.DataFrame([(mask(case["agree"]), both)], {"agree": pl.UInt32, "both": pl.UInt32}, orient="row")
    size, overlap, bearers = case["register_size"], case["overlap"], pl.lit(case["namesakes"])
    weights = replace(V1.weights, **case["weights"])
    alone, together = (
        likelihoods(masks, size)
        .select(
            evidence(weights, size, bearers),
            together=evidence_together(weights, size, overlap, bearers, V1.home),
        )
        .row(0)
    )
    assert (alone, together) == CLOSE((case["score"], case["together"]), abs=2e-6)
    assert threshold(size, overlap) == CLOSE(case["threshold"], abs=2e-6)


def people_at(rows):
    return PEOPLE[[row["person"] for row in rows]]


def linked():
    """The pairs of the example, and the `name` of each record."""
    wanted = tokenise(people_at(LINKING["list"]), KEYS).with_columns(
        household=pl.Series([row["household"] for row in LINKING["list"]], dtype=pl.UInt32)
    )
    register = people_at(LINKING["register"])
    held = tokenise(register, KEYS).hstack(beside(normalise(register)))
    return candidates(wanted, held).sort("slot", "record"), held["name"]


def test_candidates_of_the_example():
    """The pairs that agree on some key are the published ones, with both sets of keys."""
    told = [
        (pair["slot"], pair["record"], mask(pair["agree"]), mask(pair["both"])) for pair in LINKING["pairs"]
    ]
    assert linked()[0].drop(*BESIDE).rows() == told


def test_fitted_weights_of_the_example():
    """The fit gives the published weights."""
    pairs = linked()[0]
    masks = pairs.group_by("agree", "both").agg(pairs=pl.len()).sort("agree", "both")
    sides = min(pairs["slot"].n_unique(), pairs["record"].n_unique())
    found = fitted(likelihoods(masks, SIZE), sides, SIZE, OVERLAP)
    assert {"poor": found.poor, "kin": found.kin} == CLOSE(LINKING["weights"], abs=1e-8)


@pytest.mark.parametrize("household", [True, False])
def test_accepted_pairs_of_the_example(household):
    """Who is accepted, with what score, is published; with the slots' households and without."""
    pairs, names = linked()
    told = LINKING["accepted" if household else "accepted_without_households"]
    frame = pairs if household else pairs.drop("household")
    found = resolve(frame, register_size=SIZE, overlap=OVERLAP, names=names)
    assert found.select("slot", "record").rows() == [(pair["slot"], pair["record"]) for pair in told]
    assert found["score"].to_list() == CLOSE([pair["score"] for pair in told], abs=2e-6)


def test_the_example_shows_every_step():
    """Somebody is accepted, lifted by the household, tied, and left below the threshold."""
    accepted = {(pair["slot"], pair["record"]) for pair in LINKING["accepted"]}
    without = {(pair["slot"], pair["record"]) for pair in LINKING["accepted_without_households"]}
    assert without < accepted
    best = {}
    for pair in LINKING["pairs"]:
        best.setdefault(pair["slot"], []).append(pair["score"])
    assert any(scores.count(max(scores)) > 1 for scores in best.values())
    assert len(LINKING["list"]) > len(best) > len(accepted)
