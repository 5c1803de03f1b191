"""Which datasets need a person's look before a data subject is told of them (DOMAIN.md §7, need 9)."""

from collections.abc import Collection, Iterator
from typing import Final

from policies.model import PolicySet

_KINDS: Final = {
    "domestic-violence": "the source is a domestic abuse service",
}
_TOPICS: Final = {
    "domestic-abuse": "it was about domestic abuse: who abuses may read this, or make the other ask for it",
    "exploitation": "it was about exploitation: who exploits may read this",
    "child-welfare": "it was about a child's welfare: telling may put the child at risk",
    "missing": "it was about missing children: telling may put a child at risk",
}
UNKNOWN: Final = "the policy that it was asked under is not here any more"


def checks(policies: PolicySet, dataset: str, framework: str, codes: Collection[str]) -> tuple[str, ...]:
    """Why somebody must check before a data subject is told that this was asked; () where nobody need.

    Default: what the policies no longer know is checked.
    """
    return tuple(dict.fromkeys(_checks(policies, dataset, framework, codes)))


def _checks(policies: PolicySet, dataset: str, framework: str, codes: Collection[str]) -> Iterator[str]:
    policy, known = policies.datasets.get(dataset), policies.frameworks.get(framework)
    if policy is None or known is None:
        yield UNKNOWN
        return
    if policy.partner_kind in _KINDS:
        yield _KINDS[policy.partner_kind]
    for code in codes:
        indicator = known.find(code)
        if indicator is None:
            yield UNKNOWN
            continue
        yield from (_TOPICS[topic] for topic in indicator.topics if topic in _TOPICS)
