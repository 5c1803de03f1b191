"""Partners' client certificates and open enrolments in memory; a part of `fake_store`."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.domain.errors import ConflictError
from gateway.machine_ports import Invitation, TlsCertificate


@dataclass
class FakeTlsCertificates:
    """`gateway.machine_ports.TlsCertificates` over a unit of work."""

    unit: Any

    def announce(self, certificate: TlsCertificate, keep: int) -> bool:
        known = self.unit.write().tls_certificates
        new = certificate.thumbprint not in known
        known.setdefault(certificate.thumbprint, certificate)
        if certificate.thumbprint not in {each.thumbprint for each in self.of(certificate.partner)}:
            raise ConflictError("another partner has it", place="certificate")
        for each in self.of(certificate.partner)[keep:]:
            del known[each.thumbprint]
        return new

    def of(self, partner: str) -> list[TlsCertificate]:
        return [each for each in self.all() if each.partner == partner]

    def all(self) -> list[TlsCertificate]:
        found = self.unit.state.tls_certificates.values()
        return sorted(found, key=lambda each: (-each.announced_at.timestamp(), each.thumbprint))


@dataclass
class FakeInvitations:
    """`gateway.machine_ports.Invitations` over a unit of work."""

    unit: Any

    def open(self, invitation: Invitation) -> None:
        self.unit.write().invitations[invitation.partner] = invitation

    def get(self, partner: str) -> Invitation | None:
        return self.unit.write().invitations.get(partner)

    def all(self) -> list[Invitation]:
        return [invitation for _, invitation in sorted(self.unit.state.invitations.items())]

    def failed(self, partner: str) -> None:
        known = self.unit.write().invitations
        if partner in known:
            known[partner] = replace(known[partner], failed=known[partner].failed + 1)

    def take(self, partner: str, document: str, until: datetime) -> None:
        known = self.unit.write().invitations
        if partner in known:
            known[partner] = replace(known[partner], document=document, expires_at=until)

    def close(self, partner: str) -> None:
        self.unit.write().invitations.pop(partner, None)
