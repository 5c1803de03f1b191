"""What lengths, gaps and times tell: of a request, of an answer, and of how long the agent took."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import polars as pl

from adapters.agent.answering import answer
from adapters.registers.register import OBJECTED
from bench.attacks_world import SECRET
from gateway.bundle.manifest import RequestManifest
from gateway.bundle.open import OpenedRequest
from gateway.bundle.tables import answer_columns, pack, request_columns, write_table
from gateway.domain.exchange import Granularity, Release
from gateway.domain.people import IDENTIFYING
from gateway.linkage.scheme import V1
from gateway.linkage.tokens import TOKEN_BYTES

PERSON, HOUSEHOLD = Granularity.PERSON_INDICATORS, Granularity.HOUSEHOLD_INDICATORS
_AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
_VALUE_BYTES = 4 + TOKEN_BYTES  # of a plain BYTE_ARRAY in Parquet: its length, then the token


def table_bytes(tokens: pl.DataFrame) -> int:
    """Length of a request's plaintext; the ciphertext's follows from it, and both stand in the manifest."""
    return len(write_table(tokens, request_columns(V1, PERSON), households=tokens.height))


def nulls_from_length(length: int, slots: int) -> float:
    """How many tokens of a table are null, guessed from its length and its number of slots alone.

    The attacker makes a table of as many slots with every token of its own, and divides what is missing. A
    column with nulls spends one bit a row on saying which (Parquet's definition levels).
    """
    full = pl.DataFrame({label: _distinct_tokens(slots) for label in V1.labels})
    return (table_bytes(full) + len(V1.labels) * slots / 8 - length) / _VALUE_BYTES


def _distinct_tokens(slots: int) -> pl.Series:
    return pl.Series([number.to_bytes(TOKEN_BYTES) for number in range(slots)], dtype=pl.Binary)


def patterns(tokens: pl.DataFrame) -> pl.DataFrame:
    """Which match keys are null, as text of 0 and 1, and how many slots show it: `pattern`, `slots`."""
    gaps = [pl.when(pl.col(label).is_null()).then(pl.lit("0")).otherwise(pl.lit("1")) for label in V1.labels]
    shown = tokens.select(pl.concat_str(gaps).alias("pattern"))
    return shown.group_by("pattern").agg(slots=pl.len()).sort("slots", "pattern", descending=True)


def filled(tokens: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same table with a random token in the place of each null: what padding would make of it."""
    draws = random.Random(seed)  # noqa: S311 - nobody is to be kept from guessing it here
    fill = {
        label: pl.Series([draws.randbytes(TOKEN_BYTES) for _ in range(tokens.height)], dtype=pl.Binary)
        for label in V1.labels
    }
    return tokens.select(pl.coalesce(pl.col(label), fill[label]).alias(label) for label in V1.labels)


def answer_lengths(units: int, indicators: tuple[str, ...]) -> set[int]:
    """Lengths of the bitmaps of an answer without a flag, with every flag, and with some."""
    columns = answer_columns(HOUSEHOLD, indicators)
    some = [unit % 3 == 0 for unit in range(units)]
    drawn = ([False] * units, [True] * units, some)
    return {len(pack(pl.DataFrame(dict.fromkeys(columns, flags)), columns, units)) for flags in drawn}


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A register in memory: what a `Register` offers."""

    people: pl.DataFrame
    as_of: date = date(2026, 11, 22)

    def batches(
        self, size: int, indicators: Sequence[str], *, any_postcode: bool = False
    ) -> Iterator[pl.DataFrame]:
        del any_postcode
        columns = [*IDENTIFYING, OBJECTED, *indicators]
        ready = self.people.select(
            pl.col(name) if name in self.people.columns else pl.lit(None, IDENTIFYING[name]).alias(name)
            for name in columns
        )
        return ready.iter_slices(size)


def answering_time(tokens: pl.DataFrame, file: pl.DataFrame, indicators: tuple[str, ...]) -> float:
    """Seconds of processor time that the agent's own code takes to answer this table from this register."""
    request = OpenedRequest(_manifest(tokens.height, indicators), tokens, SECRET, b"")
    start = time.process_time()
    answer(request, _Held(file))
    return time.process_time() - start


def _manifest(slots: int, indicators: tuple[str, ...]) -> RequestManifest:
    none = "00" * 32
    return RequestManifest(
        exchange=UUID(int=0),
        sender=none,
        recipient=none,
        agreement="A-1",
        agreement_digest=none,
        dataset="bench",
        purpose="bench",
        framework="bench",
        basis=(),
        scheme=V1.version,
        identifiers=tuple(IDENTIFYING),
        granularity=PERSON,
        indicators=indicators,
        households=slots,
        slots=slots,
        overlap_permille=850,
        release=Release.AUTOMATIC,
        prekey="p",
        one_time=bytes(32),
        policy_set=none,
        issued_at=_AT,
        expires_at=_AT + timedelta(days=1),
        confirmation=bytes(32),
        ciphertext_sha256=none,
        ciphertext_bytes=1,
        plaintext_bytes=1,
    )


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation: 1 where more of one always comes with more of the other."""
    frame = pl.DataFrame({"one": one, "other": other})
    return float(frame.select(pl.corr("one", "other", method="spearman")).item())
