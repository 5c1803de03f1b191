"""One item in the log for each person asked about and each unit released (`audit.items`).

The entry holds a root alone. What opens the items is sealed under the key of their clock, so that destroying
it erases them and breaks no proof.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from audit.entry import SALT_BYTES, Json
from audit.items import ItemTree, Sealed
from gateway.domain.exchange import ExchangeId
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.sealing import ACCOUNTING, get_sealed, put_sealed

PERSON: Final = "items/person"
"""Who was asked about: person_id, household_id. Lives as long as the account of who was told about whom."""
UNIT: Final = "items/unit"
"""What was released: household_id, person_id where answers are by person, flags. Dies with the results."""
_CLOCKS: Final = {PERSON: ACCOUNTING, UNIT: ""}

Values: TypeAlias = Sequence[Mapping[str, Json]]


def seal_items(
    ctx: Context, uow: UnitOfWork, exchange: ExchangeId, entry: UUID, path: str, values: Values
) -> dict[str, Json]:
    """Keep what opens an entry's items; what the entry must hold under `items`."""
    sealed = Sealed.shuffled(values, ctx.entropy)
    salts = base64.b64encode(b"".join(sealed.salts)).decode()
    put_sealed(ctx, uow, exchange, _kind(entry, path), {"salts": salts, "values": sealed.values})
    return ItemTree(sealed, entry, path).to_json()


def get_items(ctx: Context, uow: UnitOfWork, exchange: ExchangeId, entry: UUID, path: str) -> Sealed:
    """What opens an entry's items.

    Raises:
        NotFoundError: the entry has none under this path, or their clock has run out.
        VerificationError: the ciphertext is not what was sealed.
    """
    kept = get_sealed(ctx, uow, exchange, _kind(entry, path))
    salts = base64.b64decode(kept["salts"])
    return Sealed([salts[i : i + SALT_BYTES] for i in range(0, len(salts), SALT_BYTES)], kept["values"])


def _kind(entry: UUID, path: str) -> str:
    return f"{_CLOCKS[path]}{path}/{entry}"
