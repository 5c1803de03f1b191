"""A policy set survives being kept: what comes back decides the same."""

import hashlib
import json

import pytest

from gateway.domain.errors import VerificationError
from policies.document import from_document, to_document
from policies.loader import builtin, load

POLICIES = load(builtin())
DOCUMENT = to_document(POLICIES)


def test_a_set_comes_back_as_it_was():
    """The kept document gives the very same set, and the very same digest."""
    again = from_document(DOCUMENT, POLICIES.digest)
    assert again == POLICIES
    assert to_document(again) == DOCUMENT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told["datasets"]["prison"].update(max_people=1),
        lambda told: told["datasets"]["prison"].pop("purposes"),
        lambda told: told["datasets"]["prison"].update(more=1),
        lambda told: told["regimes"]["uk-gdpr"].update(family="other"),
        lambda told: told.update(law=[]),
    ],
)
def test_an_altered_document_is_refused(spoil):
    """Whatever is changed in a kept document is found: by its shape or by its digest."""
    told = json.loads(DOCUMENT)
    spoil(told)
    altered = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(VerificationError, match="not the set of its digest"):
        from_document(altered, POLICIES.digest)


@pytest.mark.parametrize("part", ["regimes", "law", "datasets"])
def test_a_document_of_another_shape_is_refused(part):
    """What its digest fits, and this version can't read, is a verification error and no other."""
    told = json.loads(DOCUMENT) | {part: {"x": {"y": 1}}}
    other = json.dumps(told).encode()
    with pytest.raises(VerificationError, match="this version reads"):
        from_document(other, hashlib.sha256(other).hexdigest())


def test_an_older_document_keeps_its_digests():
    """A set kept by a version that knew fewer keys reads with their defaults, and its digests stay."""
    told = json.loads(DOCUMENT)
    for framework in told["frameworks"].values():
        del framework["expectant_parents"]
    older = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest = hashlib.sha256(older).hexdigest()
    again = from_document(older, digest)
    assert again.digest == digest != POLICIES.digest
    assert again.datasets["prison"].digest == POLICIES.datasets["prison"].digest
    assert not again.frameworks["supporting-families"].expectant_parents


def test_what_is_no_json_is_refused():
    """Other bytes are a verification error and no other."""
    with pytest.raises(VerificationError):
        from_document(b"\xff{", POLICIES.digest)
