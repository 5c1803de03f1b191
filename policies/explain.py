"""A decision in plain English, one line a fact; the same words on every screen."""

from collections.abc import Iterator

from policies.verdict import Decision, Ground, Unmet


def explain(decision: Decision) -> tuple[str, ...]:
    """The lines that tell a reader what was decided, by which law, and what would have to change."""
    return tuple(_lines(decision))


def _lines(decision: Decision) -> Iterator[str]:
    verdict = "Permitted" if decision.permitted else "Refused"
    yield (
        f"{verdict}: dataset {decision.dataset}, purpose {decision.purpose}, "
        f"framework {decision.framework}, regime {decision.regime}"
    )
    for unmet in decision.unmet:
        yield from _unmet(unmet)
    for ground in decision.basis.grounds if decision.basis else ():
        yield from _ground(ground)
    if decision.unconfirmed:
        yield (
            "Unconfirmed: the text of these was not read at its source, so a lawyer must check them: "
            + "; ".join(decision.unconfirmed)
        )


def _unmet(unmet: Unmet) -> Iterator[str]:
    yield f"- {unmet.requirement} [{unmet.code}]: not met{', and it can not be' if unmet.forbidden else ''}"
    yield f"  {unmet.citation}: {unmet.clause}"
    yield f"  What would meet it: {unmet.remedy}"


def _ground(ground: Ground) -> Iterator[str]:
    yield f"- {ground.role}: {ground.citation} ({ground.title})"
    yield f"  {ground.clause}"
    yield from (f"  Limit: {limit}" for limit in ground.limits)
