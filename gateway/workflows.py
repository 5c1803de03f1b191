"""Durable workflows around `service`: they drive each exchange until it rests or ends.

Arguments and results are ids and statuses, never personal data (promise 1). All that must be atomic is
atomic inside `service`; DBOS only sees to it that the next step is taken, after a crash too. An exchange
that waits for its partner holds no workflow: the answer starts a new one, and a sweep every minute finds
whatever was committed in the instant before a crash.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from gateway.domain.errors import FlagstoneError, LogUnavailableError, PartnerError, StoreUnavailableError
from gateway.domain.exchange import ExchangeId, Status
from gateway.service.advance import advance, rests
from gateway.service.closing import clear_up
from gateway.service.context import Context
from gateway.service.erasure import destroy_due, destroy_returned
from gateway.service.holds import expire
from gateway.service.limiting import forget_uses
from gateway.service.probes import forget
from gateway.service.review_queue import watch
from gateway.service.signins import log_denials
from gateway.service.successions import end_overlaps
from gateway.service.watching import Limits

logger = logging.getLogger(__name__)

VERSION: Final = "flagstone-1"
"""Raised when the shape of a workflow changes; until then a newer release recovers an older one's work."""
_SWEEP = "0 * * * * *"  # every minute, on the minute
_LEFTOVER_AGE = timedelta(hours=1)
_PASSING = (LogUnavailableError, PartnerError, StoreUnavailableError)


class Workflows:
    """The process's one DBOS instance.

    `url` is the worker's, `schema` DBOS' own there; `executor` is unique to this installation.
    """

    def __init__(
        self,
        ctx: Context,
        *,
        url: str,
        schema: str,
        executor: str,
        moved: Callable[[Status], None],
        limits: Limits,
    ) -> None:
        """`moved` is told of every status that a step leaves behind, for the metrics.

        `limits`: where the rules of the review queue begin to speak.
        """
        self._ctx = ctx
        self._moved = moved
        config: DBOSConfig = {
            "name": "flagstone",
            "system_database_url": url,
            "dbos_system_schema": schema,
            "serializer": DBOSPortableJSONSerializer(),
            "executor_id": executor,
            "application_version": VERSION,
            "run_migrations": False,
            "log_level": "WARNING",
            "max_executor_threads": 8,
            "scheduler_polling_interval_sec": 5.0,
        }
        DBOS(config=config)
        self._register(limits)

    def _register(self, limits: Limits) -> None:
        # DBOS takes functions, not methods
        @DBOS.step(
            name="advance",
            retries_allowed=True,
            max_attempts=8,
            should_retry=lambda error: isinstance(error, _PASSING),
        )
        def step(exchange: str) -> str:
            return self._advance(exchange)

        @DBOS.workflow(name="drive")
        def drive(exchange: str) -> str:
            status = ""
            while (now := step(exchange)) != status:
                status = now
                self._moved(Status(now))
            return status

        @DBOS.workflow(name="sweep")
        def sweep(scheduled: datetime, context: Any) -> None:
            del context
            self._start_all("sweep-" + scheduled.isoformat())
            self.each_of(
                lambda: clear_up(self._ctx, before=self._ctx.clock() - _LEFTOVER_AGE),
                lambda: forget(self._ctx, self._ctx.clock()),
                lambda: expire(self._ctx),
                lambda: destroy_due(self._ctx),
                lambda: log_denials(self._ctx),
                lambda: watch(self._ctx, limits),
                lambda: forget_uses(self._ctx),
                lambda: end_overlaps(self._ctx),
            )

        self._drive, self._sweep = drive, sweep

    @staticmethod
    def each_of(*steps: Callable[[], None]) -> None:
        """One step that fails does not keep the others from their turn; what failed is told by its class."""
        failed: set[str] = set()
        for step in steps:
            try:
                step()
            except (LogUnavailableError, StoreUnavailableError):
                raise
            except Exception as error:
                logger.exception("sweep step failed")
                failed.add(type(error).__name__)
        if failed:
            raise FlagstoneError(f"steps of the sweep failed ({', '.join(sorted(failed))})", place="sweep")

    def launch(self) -> None:
        """Destroy anew what a backup brought back, recover what a crash left, sweep now and every minute."""
        destroy_returned(self._ctx)
        DBOS.launch()
        DBOS.apply_schedules(
            [{"schedule_name": "sweep", "workflow_fn": self._sweep, "schedule": _SWEEP, "context": None}]
        )
        now = self._ctx.clock()
        with SetWorkflowID(f"launch-{now.isoformat()}"):
            DBOS.start_workflow(self._sweep, now, None)

    def stop(self) -> None:
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=5)

    def submitted(self, exchange: ExchangeId) -> None:
        self._start(exchange, "submitted")

    def answered(self, exchange: ExchangeId) -> None:
        self._start(exchange, "answered")

    def _start(self, exchange: ExchangeId, why: str) -> None:
        # the same id again is the same workflow: a repeated start does nothing
        with SetWorkflowID(f"{exchange}:{why}"):
            DBOS.start_workflow(self._drive, str(exchange))

    def _advance(self, exchange: str) -> str:
        try:
            return advance(self._ctx, ExchangeId(UUID(exchange))).status.value
        except FlagstoneError:
            raise
        except Exception as error:
            # DBOS stores what a step raises: a text of unknown origin could carry a person's data
            logger.exception("exchange step failed", extra={"exchange": exchange})
            raise FlagstoneError(f"unexpected {type(error).__name__}", place="exchange step") from None

    def _start_all(self, why: str) -> None:
        now = self._ctx.clock()
        with self._ctx.store.begin() as uow:
            moving = [exchange for exchange in uow.exchanges.unfinished() if not rests(exchange, now)]
        for exchange in moving:
            self._start(exchange.id, why)
