"""Linkage works on columns: no function of it goes over people one by one."""

import ast
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import polars as pl

import gateway.linkage
from gateway.linkage.normalise import Known
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

PACKAGE = Path(gateway.linkage.__file__).parent
ROW_BY_ROW = {
    "iter_rows", "iterrows", "itertuples", "rows", "rows_by_key", "to_list", "tolist", "to_dicts", "to_dict",
    "map_elements", "map_rows", "map_batches", "map_groups", "apply", "item", "row",
}  # fmt: skip
"""Methods of frames, series and expressions by which values leave Polars, or Python is called for each."""

ALLOWED = {
    # sums over all kinds of agreement
    ("score.py", "fitted", "item"),
    # an expression: from an array to a list within Polars
    ("tokens.py", "_decoded", "to_list"),
}
PEOPLE = 2_000


def uses(path):
    """(file, function, method) of every method of `ROW_BY_ROW` that is called."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and node.attr in ROW_BY_ROW:
                    yield path.name, function.name, node.attr


def test_no_function_turns_people_into_python_objects():
    """Nothing leaves Polars but what is allowed above, and nothing is allowed that is no longer done."""
    found = {use for path in PACKAGE.glob("*.py") for use in uses(path)}
    assert found == ALLOWED


def people(count):
    """People who differ, of the same few kinds whatever their number."""
    letters = [chr(ord("a") + digit) for digit in range(10)]
    names = ["".join(letters[int(digit)] for digit in f"{number:06}") for number in range(count)]
    forenames = ["Ann", "Bill", "Zoë", None]
    return pl.DataFrame(
        {
            "forename": [forenames[number % 4] for number in range(count)],
            "surname": [f"Mc{name}" for name in names],
            "dob": [date(1930, 1, 1) + timedelta(days=number % 20_000) for number in range(count)],
            "postcode": [f"M{number % 90 + 1} {number % 9}AB" for number in range(count)],
            "nhs_number": [None, "9990000018"] * (count // 2),
        }
    )


def python_events(frame):
    """How often Python calls or is called while people are linked to themselves, by function."""
    keys = token_keys(bytes(32), V1)
    events = Counter()

    def count(of, event, _):
        if event in ("call", "c_call"):
            events[of.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        tokens = tokenise(frame, keys, V1, known=Known(V1))
        pairs = candidates(tokens, tokens)
        accepted = resolve(pairs, register_size=frame.height, overlap=1.0)
    finally:
        sys.setprofile(None)
    assert accepted.height > frame.height // 8
    return events


def test_ten_times_the_people_take_no_more_python():
    """The calls that Python sees do not grow with the people, only with the kinds of agreement among them."""
    python_events(people(20))  # what is loaded on first use
    few, many = python_events(people(PEOPLE)), python_events(people(10 * PEOPLE))
    # a few more expressions where a batch is worked on in slices; one call a person would be 18,000 more
    assert sum(many.values()) < sum(few.values()) + 2 * PEOPLE
