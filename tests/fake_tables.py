"""What every table in memory has; a part of `fake_store`."""

from dataclasses import dataclass
from typing import Any

from gateway.domain.errors import ConflictError, NotFoundError


@dataclass
class Table:
    unit: Any


def the(value, place: str):
    if value is None:
        raise NotFoundError("there is none", place=place)
    return value


def require_free(free: bool, place: str, taken: str) -> None:
    if not free:
        raise ConflictError(taken, place=place)
