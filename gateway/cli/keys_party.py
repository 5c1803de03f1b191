"""`flagstone keys rotate party`: the council's identity, and how both sides type an overlap."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from gateway.bootstrap import opened, own_keys
from gateway.bundle.succession import USUAL_OVERLAP, RotationReason, SuccessionDocument
from gateway.cli.output import out, say
from gateway.domain.errors import BadInputError
from gateway.domain.lineage import Lineage
from gateway.service import ownkeys
from gateway.settings import read_settings

Reason = Annotated[RotationReason, typer.Option(help="Why; only suspected compromise allows a short overlap")]
Overlap = Annotated[int | None, typer.Option("--overlap-days", min=1, help="120 if left out; 91 to 400")]
Until = Annotated[
    datetime | None,
    typer.Option(help="End of the overlap, UTC, instead of --overlap-days", formats=["%Y-%m-%dT%H:%M:%SZ"]),
]


def rotate(
    reason: Reason = RotationReason.SCHEDULED, overlap_days: Overlap = None, overlap_until: Until = None
) -> None:
    """Bring new signing, exchange and sign-in keys of the council into use; partners' agents follow."""
    settings = read_settings()
    keys = own_keys(settings.home)
    with keys.alone(), opened(settings) as installation:
        document = ownkeys.rotate(
            installation.operator, keys, reason, overlap_of(overlap_days, overlap_until)
        )
    told(document)
    say("Partners' agents follow by themselves; those that want to confirm will ask for this fingerprint")


def overlap_of(days: int | None, until: datetime | None) -> datetime | timedelta:
    """What the two options say: an end, or how long.

    Raises:
        BadInputError: both are given.
    """
    if days is not None and until is not None:
        raise BadInputError("give one of the two", place="--overlap-days, --overlap-until")
    if until is not None:
        return until.replace(tzinfo=UTC)
    return USUAL_OVERLAP if days is None else timedelta(days=days)


def told(document: SuccessionDocument) -> None:
    """The new fingerprint, as the result; the rest beside it."""
    say(f"Generation {document.sequence}. The keys before it are accepted until {_day(document.overlap_to)}")
    out.print(document.identity.fingerprint)


def rows(lineage: Lineage) -> list[tuple[str, str, str, str]]:
    """Generation, fingerprint, since when, accepted until: the newest first."""
    return [
        (
            str(each.number),
            each.identity.fingerprint,
            _day(each.since) if each.since else "enrolled",
            _day(each.until) if each.until else "",
        )
        for each in reversed(lineage.generations)
    ]


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
