"""The limit on searches by subject, held against the fake and PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from jobworld import a_job

from audit.entry import Entry
from gateway.domain.errors import TooManyError
from gateway.service import subjects
from gateway.service.search_context import SearchContext
from gateway.service.subjects import Reason

PERSON = {"forename": "Zed", "surname": "Nowhere", "dob": "1970-07-07"}


def test_searches_at_once_share_the_day_s_limit(store):
    """Of eight searches at the same time, three go through where three are allowed; every one is logged."""
    job = a_job()
    review = SearchContext(replace(job.context, store=store), job.context.search_seal, per_day=3)

    def search(_: int) -> bool:
        try:
            subjects.search(review, job.reviewer, PERSON, Reason.AUDIT)
        except TooManyError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        went_through = sum(pool.map(search, range(8)))
    assert went_through == 3
    with store.begin() as unit:
        kinds = sorted(Entry.parse(leaf).kind for leaf in unit.log.leaves(0, unit.log.size()))
    assert kinds == ["log.search-refused"] * 5 + ["log.searched"] * 3
