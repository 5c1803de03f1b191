"""A policy set survives being kept: what comes back decides the same."""

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
    with pytest.raises(VerificationError):
        from_document(json.dumps(told).encode(), POLICIES.digest)


def test_what_is_no_json_is_refused():
    """Other bytes are a verification error and no other."""
    with pytest.raises(VerificationError):
        from_document(b"\xff{", POLICIES.digest)
