"""What batches of one register leave for the next changes nothing but the time."""

from datetime import date

import polars as pl
import pytest

from gateway.linkage import normalise as module
from gateway.linkage.names import surname_parts
from gateway.linkage.normalise import Known, normalise

PEOPLE = pl.DataFrame(
    {
        "forename": ["Ann", "Bill", None, "Zoë", "Ann", "J"],
        "surname": ["Lee", "O'Neil", "Smith-Jones", None, "Lee", "UNKNOWN"],
        "dob": [
            date(1961, 2, 3),
            None,
            date(1900, 1, 1),
            date(2004, 2, 29),
            date(1961, 2, 3),
            date(1970, 5, 5),
        ],
        "postcode": ["SW1A 1AA", None, "ZZ99 3VZ", "M1 1AE", "sw1a1aa", ""],
    }
)


@pytest.mark.parametrize("limit", [0, 2, 1000])
@pytest.mark.parametrize("size", [1, 2, 6])
def test_parts_are_the_same_with_and_without_what_is_known(limit, size, monkeypatch):
    """However many batches came before, and however many values are kept of them."""
    monkeypatch.setattr(module, "MAX_KNOWN", limit)
    known = Known()
    for _ in range(2):
        batches = [normalise(batch, known=known) for batch in PEOPLE.iter_slices(size)]
        assert pl.concat(batches).equals(normalise(PEOPLE))


def test_a_value_is_worked_out_once():
    """Of a batch, only values that no batch had before are worked on."""
    worked = []

    def make(rows, placeholders):
        worked.extend(rows["surname"])
        return surname_parts(rows, placeholders)

    known = Known()
    for names in (["Lee", "Kaur", "Lee", None], ["Kaur", "Ng"], ["Ng", "Lee"]):
        found = known.of(pl.Series("surname", names, dtype=pl.String), make)
        assert set(found["surname"]) == set(names) - {None}
    assert sorted(worked) == ["Kaur", "Lee", "Ng"]
