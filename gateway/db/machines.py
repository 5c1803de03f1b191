"""Partners' client certificates and open enrolments on PostgreSQL (`gateway.machine_ports`)."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.db.engine import Session
from gateway.db.machine_tables import invitations, tls_certificates
from gateway.db.rows import add_unless_there
from gateway.domain.errors import ConflictError
from gateway.machine_ports import Invitation, TlsCertificate


class PostgresTlsCertificates:
    """`gateway.machine_ports.TlsCertificates`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def announce(self, certificate: TlsCertificate, keep: int) -> bool:
        new = add_unless_there(self._session, tls_certificates, asdict(certificate))
        known = self.of(certificate.partner)
        if certificate.thumbprint not in {each.thumbprint for each in known}:
            raise ConflictError("another partner has it", place="certificate")
        gone = [each.thumbprint for each in known[keep:]]
        self._session.run(delete(tls_certificates).where(tls_certificates.c.thumbprint.in_(gone)))
        return new

    def of(self, partner: str) -> list[TlsCertificate]:
        chosen = select(tls_certificates).where(tls_certificates.c.partner == partner)
        return self._found(chosen)

    def all(self) -> list[TlsCertificate]:
        return self._found(select(tls_certificates))

    def _found(self, chosen: Select[Any]) -> list[TlsCertificate]:
        newest = tls_certificates.c.announced_at.desc(), tls_certificates.c.thumbprint
        rows = self._session.run(chosen.order_by(*newest))
        return [TlsCertificate(**row._mapping) for row in rows]  # noqa: SLF001


class PostgresInvitations:
    """`gateway.machine_ports.Invitations`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, invitation: Invitation) -> None:
        values = asdict(invitation)
        added = insert(invitations).values(**values)
        changed = {name: value for name, value in values.items() if name != "partner"}
        self._session.run(added.on_conflict_do_update(index_elements=["partner"], set_=changed))

    def get(self, partner: str) -> Invitation | None:
        chosen = select(invitations).where(invitations.c.partner == partner).with_for_update()
        row = self._session.run(chosen).one_or_none()
        return Invitation(**row._mapping) if row else None  # noqa: SLF001

    def all(self) -> list[Invitation]:
        rows = self._session.run(select(invitations).order_by(invitations.c.partner))
        return [Invitation(**row._mapping) for row in rows]  # noqa: SLF001

    def failed(self, partner: str) -> None:
        self._change(partner, failed=invitations.c.failed + 1)

    def take(self, partner: str, document: str, until: datetime) -> None:
        self._change(partner, document=document, expires_at=until)

    def _change(self, partner: str, **values: object) -> None:
        self._session.run(update(invitations).where(invitations.c.partner == partner).values(**values))

    def close(self, partner: str) -> None:
        self._session.run(delete(invitations).where(invitations.c.partner == partner))
