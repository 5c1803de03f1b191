"""Policy sets on PostgreSQL (`gateway.ports.PolicySets`)."""

from datetime import datetime

from sqlalchemy import select

from gateway.db.engine import Session
from gateway.db.rows import add_unless_there, found
from gateway.db.tables import policy_sets


class PostgresPolicySets:
    """`gateway.ports.PolicySets`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, digest: str, document: bytes, at: datetime) -> bool:
        values = {"digest": digest, "document": document, "kept_at": at}
        return add_unless_there(self._session, policy_sets, values)

    def get(self, digest: str) -> bytes:
        chosen = select(policy_sets.c.document).where(policy_sets.c.digest == digest)
        return bytes(found(self._session.run(chosen).one_or_none(), "policy set").document)
