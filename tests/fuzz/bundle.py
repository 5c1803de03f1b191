"""Bundles: as they come from outside, and what a dishonest party could truly seal and sign."""

from bundle_world import (
    COUNCIL,
    TRUST,
    Inbox,
    answer,
    parts,
    read_answer,
    request,
    table,
    with_bitmap,
    with_table,
)

from gateway.bundle.documents import canonical
from gateway.bundle.format import join
from gateway.bundle.tables import request_columns, write_table
from gateway.domain.exchange import Granularity
from gateway.domain.labels import TYP_ANSWER, TYP_REQUEST
from gateway.linkage.scheme import V1

REQUEST = request()
ANSWER = answer(REQUEST)
(ASKED, ASKED_TABLE), (SAID, SAID_BITMAP) = parts(REQUEST), parts(ANSWER)


def signed_request(data):
    return Inbox().open(join(COUNCIL.sign(data, TYP_REQUEST), ASKED_TABLE))


def signed_answer(data):
    return read_answer(join(TRUST.sign(data, TYP_ANSWER), SAID_BITMAP), REQUEST)


def sealed_table(data):
    return Inbox().open(with_table(data))


def sealed_bitmap(data):
    return read_answer(with_bitmap(REQUEST, data), REQUEST)


WAYS = {
    "request": Inbox().open,
    "answer": lambda data: read_answer(data, REQUEST),
    "signed request": signed_request,
    "signed answer": signed_answer,
    "sealed table": sealed_table,
    "sealed bitmap": sealed_bitmap,
}
SEEDS = [
    ("request", REQUEST),
    ("answer", ANSWER),
    ("signed request", canonical(ASKED)),
    ("signed answer", canonical(SAID)),
    ("sealed table", write_table(table(), request_columns(V1, Granularity.HOUSEHOLD_INDICATORS), 3)),
    ("sealed bitmap", b"\x01\x00"),
]
