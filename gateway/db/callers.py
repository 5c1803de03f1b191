"""Who a transaction of the web role is done for, said so that SQL alone can't say it.

The web process seals the caller's tags with a key that it reads once, as the owner, and that the web role
may not read. The seal stands in a setting of the transaction; `flagstone.caller()` checks it wherever a row
policy asks. HMAC-SHA-256 (RFC 2104) over the session's process id and the tags: good in one session alone.
"""

import hmac
import secrets
from typing import Final

from sqlalchemy import Engine, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from gateway.db.engine import Session, translated
from gateway.db.tables import caller_key
from gateway.domain.principal import Principal

_BLOCK: Final = 64  # bytes of a SHA-256 block
_ENTER: Final = text("SELECT set_config('flagstone.caller', :told, true)")


class CallerSeal:
    """Says in a transaction who it is done for.

    `owner` connects as the owner; the key is read at the first use.
    """

    def __init__(self, owner: Engine) -> None:
        self._owner = owner
        self._key: bytes | None = None

    def enter(self, session: Session, principal: Principal) -> None:
        """From here to the transaction's end, the web role sees what this principal may see.

        Raises:
            StoreUnavailableError: the database can't be used.
            ConfigurationError: it has no table for the key yet.
        """
        key = self._key = self._key or self._read()
        tags = " ".join(principal.tags)
        seal = hmac.digest(key, f"{session.process_id} {tags}".encode(), "sha256")
        session.run(_ENTER, {"told": f"{seal.hex()} {tags}"})

    def _read(self) -> bytes:
        """The key of this database, made if there is none."""
        new = _pads(secrets.token_bytes(_BLOCK))
        try:
            with self._owner.begin() as connection:
                connection.execute(insert(caller_key).values(one=True, **new).on_conflict_do_nothing())
                kept = connection.execute(select(caller_key.c.inner_pad)).scalar_one()
        except SQLAlchemyError as error:
            raise translated(error) from None
        return bytes(byte ^ 0x36 for byte in kept)


def _pads(key: bytes) -> dict[str, bytes]:
    """What PostgreSQL, which has no HMAC of its own, hashes before the message and before its hash."""
    return {"inner_pad": bytes(b ^ 0x36 for b in key), "outer_pad": bytes(b ^ 0x5C for b in key)}
