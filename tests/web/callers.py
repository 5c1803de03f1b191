"""Everybody who can call the gateway, for the access matrix: who, signed in with what, in what state.

A new caller is one line of `CALLERS`; a new kind of credential is one line of `CREDENTIALS`, and a line of
`CALLERS` for each who uses it. `like` names the caller of the matrix whose statuses it must get, so that the
same person signed in another way needs no lines in the matrix.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from web.calls import Call
from web.webworld import World

from gateway.service import users

Action = Callable[[World, str], None]


def _bearer(world: World, who: str, call: Call) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.tokens[who]}"}


def _bound(world: World, who: str, call: Call) -> dict[str, str]:
    """The token and a proof of its key (RFC 9449)."""
    return world.credentials(who, call.method, call.path)


def _cookie(world: World, who: str, call: Call) -> dict[str, str]:
    """A new session's cookie, as a page of ours sends it."""
    return world.in_browser(world.browse(who))


def _left_alone(world: World, who: str, call: Call) -> dict[str, str]:
    """The cookie of a session that nobody used for too long."""
    secret = world.browse(who)
    world.clock.advance(hours=1)
    return world.in_browser(secret)


def _signed_out(world: World, who: str, call: Call) -> dict[str, str]:
    """The cookie of a session whose user lost the role."""
    secret = world.browse(who)
    _revoke_user(world, who)
    return world.in_browser(secret)


def _nothing(world: World, who: str) -> None:
    """Leave the caller as it is."""


def _revoke_user(world: World, who: str) -> None:
    users.revoke(world.context, who)


def _revoke_partner(world: World, who: str) -> None:
    with world.store.begin() as uow:
        uow.partners.revoke(who.removeprefix("agent "), world.clock())
        uow.commit()


def _grow_old(world: World, who: str) -> None:
    world.clock.advance(seconds=331)  # five minutes, and the leeway


@dataclass(frozen=True)
class Credential:
    """How a kind of credential is shown with a call, and how it comes to lose its force.

    `lost`: state -> what brings it about. In each of them the caller must get what nobody gets.
    """

    show: Callable[[World, str, Call], dict[str, str]]
    lost: Mapping[str, Action] = field(default_factory=lambda: MappingProxyType({}))


CREDENTIALS = {
    "none": Credential(lambda world, who, call: {}),
    "user token": Credential(_bearer, {"revoked": _revoke_user}),  # it has no end of its own
    "session": Credential(_cookie),
    "idle session": Credential(_left_alone),
    "session of somebody revoked": Credential(_signed_out),
    "access token": Credential(_bound, {"expired": _grow_old, "revoked": _revoke_partner}),
}


@dataclass(frozen=True)
class Caller:
    """`who`: the name in the world; `like`: the caller of the matrix whose statuses hold."""

    like: str
    who: str
    credential: str


CALLERS = {
    "nobody": Caller("nobody", "", "none"),
    "a stranger": Caller("nobody", "unknown", "user token"),
    "owner": Caller("owner", "programme", "user token"),
    "other": Caller("other", "other programme", "user token"),
    "reviewer": Caller("reviewer", "reviewer", "user token"),
    "operator": Caller("operator", "operator", "user token"),
    "custodian": Caller("custodian", "custodian health", "user token"),
    "custodian2": Caller("custodian2", "custodian police", "user token"),
    "owner in a browser": Caller("owner", "programme", "session"),
    "other in a browser": Caller("other", "other programme", "session"),
    "reviewer in a browser": Caller("reviewer", "reviewer", "session"),
    "operator in a browser": Caller("operator", "operator", "session"),
    "custodian in a browser": Caller("custodian", "custodian health", "session"),
    "owner gone idle": Caller("nobody", "programme", "idle session"),
    "reviewer gone": Caller("nobody", "reviewer", "session of somebody revoked"),
    "agent": Caller("agent", "agent health", "access token"),
    "agent2": Caller("agent2", "agent police", "access token"),
}


@dataclass(frozen=True)
class Standing:
    """A caller in one state of its credential. `like` as in `Caller`; without force it is nobody."""

    name: str
    like: str
    caller: Caller
    act: Action

    @property
    def in_browser(self) -> bool:
        return self.caller.credential == "session"

    def send(self, world: World, call: Call):
        """Bring the state about, then call."""
        self.act(world, self.caller.who)
        credential = CREDENTIALS[self.caller.credential]
        answer = call.send(world, None, credential.show(world, self.caller.who, call))
        if "use_dpop_nonce" in answer.headers.get("WWW-Authenticate", ""):
            world.holders[self.caller.who].nonce = answer.headers["DPoP-Nonce"]
            return call.send(world, None, credential.show(world, self.caller.who, call))
        return answer


def everybody() -> list[Standing]:
    """Every caller in every state that its credential can be in."""
    standings = []
    for name, caller in CALLERS.items():
        standings.append(Standing(name, caller.like, caller, _nothing))
        if caller.like != "nobody":
            lost = CREDENTIALS[caller.credential].lost
            standings += [Standing(f"{name} {state}", "nobody", caller, act) for state, act in lost.items()]
    return standings
