"""What a register offers to the agent, and what is asked of it in `agent.toml`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, Protocol

import polars as pl

from gateway.domain.errors import PartnerError
from gateway.domain.people import IDENTIFYING
from gateway.intake.columns import column_of

OBJECTED: Final = "objected"


class RegisterError(PartnerError):
    """The register can't be read, or lacks a column that an answer needs."""

    code = "register-unreadable"


@dataclass(frozen=True, slots=True)
class Columns:
    """How the register names our columns.

    `names`: our column -> the register's. A column not named here is looked up under our own name, then
    under the header aliases of household lists.
    """

    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, ours: str, there: Sequence[str]) -> str | None:
        """The register's name of our column among the names that are there.

        Raises:
            RegisterError: `agent.toml` names a column that is not there.
        """
        if ours in self.names and self.names[ours] not in there:
            raise RegisterError(f"agent.toml maps {ours} to a column that is not there", place="register")
        if ours in self.names:
            return self.names[ours]
        return ours if ours in there else next((name for name in there if column_of(name) == ours), None)


class Register(Protocol):
    """A partner's register, read as a stream and never held whole."""

    @property
    def as_of(self) -> date:
        """The day whose state the register shows; every answer attests it."""

    def batches(
        self, size: int, indicators: Sequence[str], *, any_postcode: bool = False
    ) -> Iterator[pl.DataFrame]:
        """Frames of at most `size` rows, schema `batch_schema(indicators)`.

        A bad value is null and the row stays, so that a row's place in the stream is its record number.
        `any_postcode`: keep postcodes that are not of a British format.

        Raises:
            RegisterError: the source can't be read, or has no such objection or indicator column.
        """


def batch_schema(indicators: Sequence[str]) -> pl.Schema:
    """The schema of every frame that `Register.batches` gives."""
    return pl.Schema(IDENTIFYING | {OBJECTED: pl.Boolean} | dict.fromkeys(indicators, pl.Boolean()))
