"""What the gateway says about itself: JSON log lines and Prometheus metrics, without personal data.

A log line is built from an allow-list: a key that is not named here, or a value that has not the key's form,
is left out and counted in `dropped`. Free text never passes, whoever wrote it (DESIGN.md promise 1).
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.domain.exchange import Status

_SLUG: Final = r"[a-z0-9][a-z0-9._-]{0,127}"
_NUMBER: Final = r"\d{1,12}(\.\d{1,9})?"
_UUID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DOTTED: Final = r"[A-Za-z_<][A-Za-z0-9_.<>-]{0,199}"
_PLACE: Final = _DOTTED + r":\d{1,7}"

_FORMS: Final = {
    key: re.compile(form)
    for key, form in {
        "event": r"[a-z]+(\.[a-z-]+)*",
        "level": r"[a-z]+",
        "timestamp": r"[0-9TZ:.+-]{10,40}",
        "correlation": _UUID,
        "exchange": _UUID,
        "method": r"[A-Z]{3,7}",
        "route": r"[a-z0-9/{}_.-]{1,200}",
        "status": _SLUG,
        "seconds": _NUMBER,
        "port": _NUMBER,
        "attempt": _NUMBER,
        "partner": _SLUG,
        "dataset": _SLUG,
        "step": _SLUG,
        "logger": _DOTTED,
        "error": _DOTTED,
        "place": _PLACE,
        "frames": rf"{_PLACE}( {_PLACE})*",
    }.items()
}
_FRAMES: Final = 12


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor: keep only what `_FORMS` allows; count the rest in `dropped`."""
    kept = {key: value for key, value in event.items() if _allowed(key, value)}
    if dropped := len(event) - len(kept):
        kept["dropped"] = dropped
    return kept


def _allowed(key: str, value: object) -> bool:
    form = _FORMS.get(key)
    return form is not None and isinstance(value, str | int | float) and bool(form.fullmatch(str(value)))


def _without_texts(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Processor: an exception becomes its class and frames; its text may quote what it choked on."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exception()
    return {**event, **_described(error)} if isinstance(error, BaseException) else event


def _described(error: BaseException) -> dict[str, str]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = [
        f"{'.'.join(Path(frame.filename).with_suffix('').parts[-2:])}:{frame.lineno}" for frame in frames
    ]
    kind = type(error)
    return {"error": f"{kind.__module__}.{kind.__qualname__}"} | (
        {"frames": " ".join(places)} if places else {}
    )


class _LibraryHandler(logging.Handler):
    """Lines of libraries: who, where and how grave, never their text, which may quote data or parameters."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            "library.message",
            logger=record.name,
            place=f"{record.module}:{record.lineno}",
            exc_info=error,
        )


_PROCESSORS: Final = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _without_texts,
    redact,
    structlog.processors.JSONRenderer(sort_keys=True),
)


def configure_logging(out: TextIO) -> None:
    """Send every log line of this process to `out`, one JSON object a line. Call once, at the start."""
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = _LibraryHandler()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # DBOS prints free text and tracebacks through a handler of its own, unless its logger has one
    durable = logging.getLogger("dbos")
    durable.handlers[:], durable.propagate = [handler], False


class Telemetry:
    """One process's metrics and access log. Satisfies `gateway.web.observer.Observer`.

    It writes to `out` by the same rules whether or not `configure_logging` was called: structlog's defaults
    would print local variables.
    """

    def __init__(self, out: TextIO) -> None:
        self._log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(out),
            processors=_PROCESSORS,
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "flagstone_http_request_seconds",
            "Requests answered, by route template",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._exchanges = Counter(
            "flagstone_exchange_transitions",
            "Exchanges that entered a status",
            ["status"],
            registry=self._registry,
        )
        self._limited = Counter(
            "flagstone_limited",
            "Requests refused for a rate, a quota or want of room",
            ["limit"],
            registry=self._registry,
        )
        for status in Status:
            self._exchanges.labels(status.value)

    def answered(self, correlation: str, method: str, route: str, status: int, seconds: float) -> None:
        """Record one answered request. `route` is the template, like `/v1/exchanges/{exchange}`."""
        self._requests.labels(method, route, str(status)).observe(seconds)
        self._log.info(
            "http.answered",
            correlation=correlation,
            method=method,
            route=route,
            status=status,
            seconds=round(seconds, 6),
        )

    def failed(self, correlation: str, error: BaseException) -> None:
        """Record an error that nobody foresaw; the correlation id is what its caller was given."""
        self._log.error("http.failed", correlation=correlation, exc_info=error)

    def limited(self, limit: str) -> None:
        """Count a request that was refused for a rate, a quota or want of room."""
        self._limited.labels(limit).inc()

    def moved(self, status: Status) -> None:
        """Count an exchange that has just entered `status`."""
        self._exchanges.labels(status.value).inc()

    def exposition(self) -> bytes:
        """All metrics in Prometheus text format 0.0.4."""
        return generate_latest(self._registry)
