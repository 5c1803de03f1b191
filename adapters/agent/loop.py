"""The agent's loop: look at the gateway, keep prekeys there, move every exchange on; never give up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from adapters.agent.certificates import collect
from adapters.agent.context import Agent, exchanges_in
from adapters.agent.successions import follow, poll
from adapters.agent.turn import Outcome, take_turn
from adapters.agent.witnessing import witness
from adapters.transports.wire import GatewayUnavailableError
from gateway.bundle.prekey import make_prekey
from gateway.domain.errors import ConfigurationError, FlagstoneError, LogUnavailableError

FEWEST_PREKEYS: Final = 20
_FULL_STOCK: Final = 60
_PREKEY_LIFE: Final = timedelta(days=30)
_LONGEST_WAIT: Final = timedelta(days=90)
"""Of a request for its answer: the most that a policy may grant (`retention.answer_days`)."""
_LONGEST_PAUSE: Final = 300.0
_DOUBLINGS: Final = 16


class StaleClockError(ConfigurationError):
    """This machine's clock and the gateway's are too far apart: every expiry would be judged wrongly."""

    code = "stale-clock"


@dataclass(frozen=True, slots=True)
class Round:
    """What one look at the gateway led to. `failed`: exchanges that could not be moved on for now."""

    outcomes: dict[UUID, Outcome]
    failed: int


def run_once(agent: Agent) -> Round:
    """One round: nothing is answered unless clock and log are in order.

    Raises:
        StaleClockError: the clocks differ too much; nothing was answered.
        PartnerError: the gateway can't be reached, or turned the caller away.
        LogUnavailableError: the own log can't be read or written; nothing was answered.
        UnconfirmedError: the council's keys wait for the custodian; nothing was answered.
        DivergenceError: the council's log is not the one that was seen before; nothing was answered.
    """
    state = poll(agent)
    check_clock(agent, state.time)
    agent.journal.refresh()
    follow(agent, state.keys)
    witness(agent, state.log)
    top_up(agent, state.prekeys)
    waiting = dict.fromkeys(state.waiting)  # oldest first
    held = [*exchanges_in(agent.outbox), *exchanges_in(agent.inbox)]
    outcomes: dict[UUID, Outcome] = {}
    todo = dict.fromkeys([*held, *waiting])
    for exchange in todo:
        outcome = _guarded(agent, exchange, waiting=exchange in waiting)
        if outcome is not None:
            outcomes[exchange] = outcome
    collect(agent, state.certificates)
    return Round(outcomes, failed=len(todo) - len(outcomes))


def run_forever(
    agent: Agent, *, pause: float, wait: Callable[[float], bool], jitter: Callable[[], float]
) -> None:
    """Rounds until `wait(seconds)` says to stop. A round that fails doubles the pause, up to five minutes.

    `jitter`: uniform in [0, 1), so that agents do not all come back to a restarted gateway at once.
    """
    failures = 0
    seconds = 0.0
    while not wait(seconds):
        failures = 0 if _survived(agent) else failures + 1
        backoff = min(_LONGEST_PAUSE, pause * 2 ** min(failures, _DOUBLINGS))
        seconds = backoff * (0.5 + jitter() / 2) if failures else pause


def check_clock(agent: Agent, theirs: datetime) -> None:
    """Compare the clocks.

    Raises:
        StaleClockError: they differ by more than the limit; the text tells the offset.
    """
    offset = agent.clock() - theirs
    if abs(offset) > agent.max_clock_offset:
        seconds = round(abs(offset).total_seconds())
        side = "ahead of" if offset > timedelta(0) else "behind"
        raise StaleClockError(
            f"this machine's clock is {seconds} s {side} the gateway's",
            place="clock",
            way_out="Synchronise it (NTP); nothing is answered until then",
        )


def top_up(agent: Agent, available: int) -> None:
    """Leave new signed prekeys at the gateway before they run out: without one, nobody can ask."""
    if available >= FEWEST_PREKEYS:
        return
    # claimed for a request that never came: its private half must not outlive what it could open
    agent.prekeys.destroy_older(agent.clock() - _PREKEY_LIFE - _LONGEST_WAIT)
    until = agent.clock() + _PREKEY_LIFE
    slug = agent.keys.identity.slug
    made = agent.prekeys.make(_FULL_STOCK - available)
    agent.gateway.publish_prekeys([make_prekey(id_, key, slug, until, agent.keys.sign) for id_, key in made])
    agent.events.info("prekeys-published", count=len(made))


def _guarded(agent: Agent, exchange: UUID, *, waiting: bool) -> Outcome | None:
    """One turn; a failure of this exchange alone is told and leaves the others to go on."""
    try:
        return take_turn(agent, exchange, waiting=waiting)
    except (GatewayUnavailableError, LogUnavailableError):
        raise
    except FlagstoneError as error:
        agent.events.error("exchange-failed", exchange=str(exchange), code=error.code, detail=str(error))
    except Exception as error:  # noqa: BLE001 - one poisoned request must not silence the agent
        # an unforeseen message may quote a row: its type says enough
        agent.events.error("exchange-failed", exchange=str(exchange), code=type(error).__name__)
    return None


def _survived(agent: Agent) -> bool:
    try:
        return run_once(agent).failed == 0
    except FlagstoneError as error:
        agent.events.error("round-failed", code=error.code, detail=str(error))
    except Exception as error:  # noqa: BLE001 - the loop outlives whatever happens in a round
        agent.events.error("round-failed", code=type(error).__name__)
    return False
