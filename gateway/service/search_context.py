"""What only reviewers' searches use, apart from everything that serves anybody else."""

from dataclasses import dataclass

from gateway.review_ports import SearchKey
from gateway.service.context import Context


@dataclass(frozen=True, slots=True)
class SearchContext:
    """Built by `gateway.bootstrap`. `context`: its store is under the database role `review`."""

    context: Context
    search_key: SearchKey
    per_day: int
    """Searches by subject that one user may make on one day (Europe/London)."""
