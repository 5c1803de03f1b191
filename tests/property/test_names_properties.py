"""Folding names holds for any text: letters only, once is enough, and no spelling looks at its neighbours."""

import tomllib

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gateway.linkage.names import NICKNAMES, SURNAMES, forename_parts, surname_parts
from gateway.linkage.phonetic import sound
from gateway.linkage.scheme import V1, package_text

SOUNDS = tomllib.loads(package_text("sounds.toml"))["sounds"]
TELLING = """
Mohammed Md. Abdul Abd al Rahman Oluwa OluwaOlu Chukwu Xiao Ming Na Me Mr Jr née AKA ( ) Mac MacMac O' 0 1 van
der de la Kaur Singh Kowalska Ivanova Ivanovaova Petrovich Saint El Ibn Baby Test Testt Clarke Dunne LLE DD X
ZZ - ß İ Ã© Łó 王 小明
"""
words = st.sampled_from(
    [*TELLING.split(), "\u200b", "\u02bc", "\u2019", " ", *list(NICKNAMES)[::400], *list(SURNAMES)[::90]]
)
names = (
    st.text(max_size=25)
    | st.lists(words, max_size=5).map("".join)
    | st.lists(words, max_size=5).map(" ".join)
)
capitals = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=12)


def parts(texts):
    """Rows by spelling: the forename's parts and the surname's."""
    rows = pl.DataFrame(
        {"forename": texts, "surname": texts}, schema=dict.fromkeys(("forename", "surname"), pl.String)
    )
    fore, sur = forename_parts(rows, V1.placeholders), surname_parts(rows, V1.placeholders)
    both = fore.join(sur, left_on="forename", right_on="surname", validate="1:1")
    return {row.pop("forename"): row for row in both.to_dicts()}


@given(names)
def test_a_part_is_null_or_letters(text):
    """Whatever was typed, a part is null or capital letters alone; codes add digits."""
    for part, found in parts([text])[text].items():
        if found is not None:
            assert found.isalnum() if part in ("gS", "sS") else found.isalpha()
            assert found == found.upper()


@given(names)
def test_folding_twice_changes_nothing(text):
    """The canonical forename, the folded surname and its last barrel are their own parts."""
    once = parts([text])[text]
    for part in ("gk", "s", "sl"):
        if once[part] is not None:
            again = parts([once[part]])[once[part]]
            assert again["gk" if part == "gk" else "s"] == once[part]
    if once["s"] is not None:
        again = parts([once["s"]])[once["s"]]
        same = ("s", "s3", "sS", "sE", "sk", "sk3")
        assert [again[part] for part in same] == [once[part] for part in same]


@given(st.lists(names, min_size=1, max_size=8, unique=True))
def test_a_spelling_does_not_depend_on_the_others(texts):
    """Each distinct spelling gives the same parts alone and among others."""
    assert parts(texts) == {text: parts([text])[text] for text in texts}


@given(names)
def test_parts_hang_together(text):
    """The last barrel is there when the surname is; without a full forename nothing but an initial is."""
    found = parts([text])[text]
    assert (found["s"] is None) == (found["sl"] is None)
    assert (found["gk"] is None) == (found["g3"] is None)
    assert found["g1"] is not None or found["gk"] is None


@given(st.sampled_from([*NICKNAMES, *SURNAMES]) | capitals)
def test_how_a_plain_name_is_typed_does_not_matter(name):
    """Case, spaces, zero-width marks and stops around a name change no part."""
    spellings = [name, name.lower(), name.title(), f" {name}", f"{name}.", f"\u200e{name}\u200b"]
    found = list(parts(spellings).values())
    assert all(one == found[0] for one in found)


def _sound(name):
    """The code letter by letter, from the table as docs/normalisation.md tells it."""
    rest, codes = f"^{name}$", ""
    while rest:
        fits = next((entry for entry in SOUNDS if rest.startswith(entry)), None)
        codes += rest[0] if fits is None else SOUNDS[fits]
        rest = rest[1 if fits is None else len(fits) :]
    kept = [code for at, code in enumerate(codes) if at == 0 or code != codes[at - 1]]
    digits = "".join(kept[2:]).replace("0", "")
    return kept[0] + digits[:3].ljust(3, "0")


@given(st.lists(capitals, max_size=20, unique=True))
def test_the_code_is_what_the_rules_give(texts):
    """The expression gives what the rules give letter by letter."""
    frame = pl.DataFrame({"name": texts}, schema={"name": pl.String})
    assert frame.select(sound(pl.col("name")).alias("code"))["code"].to_list() == [
        _sound(text) for text in texts
    ]
