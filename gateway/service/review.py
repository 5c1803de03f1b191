"""What only reviewers' searches use, apart from everything that serves anybody else."""

from dataclasses import dataclass

from gateway.service.context import Context


@dataclass(frozen=True, slots=True)
class Review:
    """Built by `gateway.bootstrap`. `context`: its store is under the database role `review`."""

    context: Context
