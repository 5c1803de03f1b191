"""What an exchange leaves so that a reviewer can find whom it asked about, as long as the account is kept.

Tags are keyed hashes of narrow match keys under a random secret of the exchange, which is sealed at once to
the reviewer's search key: whoever writes tags can't read them afterwards. The sealed secret lies in the
exchange key store, so that the end of the accounting clock kills it in every backup of the database too.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.domain import labels
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.domain.people import HouseholdList
from gateway.linkage.scheme import V1
from gateway.linkage.secret import search_tags_key, token_keys
from gateway.linkage.tokens import parts_of, tokens_of
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.sealing import TAGS_KEY, TAGS_KIND

LABELS: Final = {
    "g1.sl.born": "initial, surname and date of birth",
    "nhs.born": "NHS number and date of birth",
    "nhs.gk": "NHS number and forename",
    "upn.born": "UPN and date of birth",
    "upn.gk": "UPN and forename",
    "nino.born": "NINO and date of birth",
    "nino.gk": "NINO and forename",
}
"""Match keys that a stranger seldom shares, without any address, and what they say in words."""
_TAG_BYTES: Final = 8  # of 10^9 tags, one in 10^10 searches meets one by chance
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def leave(ctx: Context, uow: UnitOfWork, exchange: ExchangeId, people: HouseholdList) -> None:
    """Leave the tags of everybody asked about; the sealed secret is durable before the unit commits."""
    secret = ctx.entropy(_SECRET_BYTES)
    ctx.exchange_keys.put(exchange, TAGS_KEY, ctx.search_seal.seal(exchange, secret))
    tags = _packed(_tags(parts_of(people.frame, V1), secret))
    nonce = ctx.entropy(_NONCE_BYTES)
    sealed = AESGCM(search_tags_key(secret)).encrypt(nonce, tags, labels.SEARCH_TAGS_AAD + exchange.bytes)
    uow.vault.put(exchange, TAGS_KIND, nonce + sealed)


def unsealed(exchange: ExchangeId, secret: bytes, sealed: bytes) -> bytes:
    """The tags of an exchange, in order.

    Raises:
        VerificationError: they are not what was left.
    """
    aad = labels.SEARCH_TAGS_AAD + exchange.bytes
    try:
        return AESGCM(search_tags_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad)
    except InvalidTag:
        raise VerificationError("the search tags were altered", place="subject search") from None


def agreeing(person: pl.DataFrame, secret: bytes, tags: bytes) -> Iterator[str]:
    """By which of `LABELS` one person (the parts of one row) is among those who left the tags."""
    for column in _tags(person, secret).get_columns():
        tag = column[0]
        if tag is not None and _among(tag, tags):
            yield column.name


def _tags(parts: pl.DataFrame, secret: bytes) -> pl.DataFrame:
    return tokens_of(parts, token_keys(secret, V1), V1, LABELS).select(pl.all().bin.head(_TAG_BYTES))


def _packed(tags: pl.DataFrame) -> bytes:
    """Each tag once, in order, without a seam."""
    distinct = pl.concat(tags.get_columns()).drop_nulls().unique().sort()
    return bytes.fromhex(distinct.bin.encode("hex").str.join("").item())


def _among(tag: bytes, tags: bytes) -> bool:
    def at(place: int) -> bytes:
        return tags[place * _TAG_BYTES : (place + 1) * _TAG_BYTES]

    place = bisect_left(range(len(tags) // _TAG_BYTES), tag, key=at)
    return at(place) == tag
