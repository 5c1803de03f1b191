"""What the web room tells of its own work, and where metrics come from; `gateway.telemetry` provides it."""

from typing import Protocol


class Observer(Protocol):
    """Told of every answer. Nothing personal is ever handed to it."""

    def answered(self, correlation: str, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is the template of the path, or `unmatched`."""

    def failed(self, correlation: str, error: BaseException) -> None:
        """An unforeseen error. Its text may quote data and must not be kept."""

    def limited(self, limit: str) -> None:
        """Somebody was told to wait; which limit it was, never who."""

    def exposition(self) -> bytes:
        """All metrics in Prometheus text format 0.0.4."""
