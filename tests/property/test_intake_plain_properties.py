"""Rows that are not judged: nothing tells them from judged ones."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.people import PERSON_SCHEMA
from gateway.intake import judge as judging
from gateway.intake.columns import Header
from gateway.intake.plain import PlainRows, plain_rows
from gateway.intake.raw import RawTable

TODAY = date(2026, 11, 22)
CELLS = {
    "person_id": ["a1", "a2", "A/3", "a1", "=1", "é", None, " b ", "x" * 65],
    "forename": ["Ann", "Zoë", "O'Neil", "-", "J.", " Ann", "", None, "A\tB", "a" * 101],
    "surname": ["Lee", "van den Berg", "+Lee", None, "Lee-", "Lee "],
    "dob": [
        "1961-02-03",
        "2004-02-30",
        "03/02/1961",
        "13/02/1961",
        "02/13/1961",
        "3000-01-01",
        "1899-12-31",
        None,
    ],
    "sex": ["M", "F", "male", "u", "q", None],
    "postcode": ["SW1A 1AA", "sw1a1aa", "ZZ99 3VZ", "M1 1AE", "M11AE", "0", "A1 1CC", None],
    "nhs_number": ["9990000018", "999 000 0018", "9990000019", "1111111111", " " * 65 + "9990000018", None],
    "nino": ["AA123456C", "aa 12 34 56 c", "BG123456A", None],
    "upn": ["H801200001001", "B801200001001", None],
    "pnc_id": ["2003/0062845E", "2003/62845e", "2003/0062845F", None],
    "uprn": ["000000000000", "100012345678", "12345", None],
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in CELLS.items()}), max_size=8
)


def raw(rows, columns):
    schema = dict.fromkeys(columns, pl.String)
    cells = pl.DataFrame(rows, schema=schema).with_row_index("line", 2)
    return RawTable(cells, Header({}, {}, 0), pl.Series("line", [], pl.UInt32))


def none_plain(cells, *_, **__):
    rows = cells.clear().cast({"dob": pl.Date} if "dob" in cells.columns else {})
    return PlainRows(pl.repeat(False, cells.height, eager=True), rows)


@pytest.mark.parametrize("postcode_check", [True, False])
@given(rows=ROWS, columns=st.sets(st.sampled_from(sorted(set(CELLS) - {"person_id", "forename"}))))
def test_judging_plain_rows_makes_no_difference(rows, columns, postcode_check):
    """With every row judged, the frame and the errors are those with only the others judged."""
    table = raw(rows, ["person_id", "forename", *sorted(columns)])

    def judged():
        return judging.judge(
            table,
            PERSON_SCHEMA.names(),
            ("person_id",),
            today=TODAY,
            max_cell=2000,
            postcode_check=postcode_check,
        )

    quick = judged()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "plain_rows", none_plain)
        whole = judged()
    assert quick.frame.equals(whole.frame)
    assert quick.errors.equals(whole.errors)


def test_rows_of_a_clean_register_are_plain():
    """What a register holds in canonical form, gaps included, is not judged."""
    rows = [
        {"person_id": "p1", "forename": "Mary-Ann", "surname": "O'Brien", "dob": "1961-02-03", "sex": "F",
         "postcode": "SW1A 1AA", "nhs_number": "999 000 0018"},
        {"person_id": "p2", "forename": "Lee", "surname": None, "dob": None, "sex": None, "postcode": None,
         "nhs_number": None},
    ]  # fmt: skip
    cells = raw(rows, list(rows[0])).cells
    for postcode_check in (True, False):
        found = plain_rows(
            cells,
            ["person_id"],
            ["surname", "forename"],
            today=TODAY,
            max_cell=2000,
            postcode_check=postcode_check,
        )
        assert found.mask.all()
