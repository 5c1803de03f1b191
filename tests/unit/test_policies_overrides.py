"""A council's own folder: what it may replace, confirm and cite."""

from datetime import date
from pathlib import Path

import pytest

from policies.loader import builtin, load
from policies.reading import PolicyFileError

TODAY = date(2026, 11, 22)


def _own(folder: Path, room: str, name: str, *changes: tuple[str, str]) -> Path:
    """A copy of a shipped file, changed, in a folder of its own."""
    text = (builtin() / room / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / room).mkdir(exist_ok=True)
    (folder / room / name).write_text(text)
    return folder


def _refused(*folders: Path) -> str:
    with pytest.raises(PolicyFileError) as caught:
        load(builtin(), *folders, on=TODAY)
    return str(caught.value)


def test_an_own_dataset_takes_the_place_of_the_shipped_one(tmp_path):
    """A council changes a policy by its own file; ours stays as it is."""
    own = _own(tmp_path, "datasets", "police-force.toml", ("max_people = 50_000", "max_people = 90"))
    assert load(builtin(), own, on=TODAY).datasets["police-force"].max_people == 90
    assert load(builtin()).datasets["police-force"].max_people == 50_000


def test_an_own_framework_may_count_headlines(tmp_path):
    """The threshold of Supporting Families is by needs or by headlines, as the council reads it."""
    change = ('counted = "indicators"', 'counted = "headlines"')
    own = _own(tmp_path, "frameworks", "supporting-families.toml", change)
    met = ["sf3.adult_mental_health", "sf3.child_mental_health", "sf10.neet"]
    assert load(builtin()).frameworks["supporting-families"].reached_by(met)
    assert not load(builtin(), own, on=TODAY).frameworks["supporting-families"].reached_by(met)


def test_two_own_files_of_one_id_are_refused(tmp_path):
    """Of two own files for one dataset neither wins."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = (_own(tmp_path / name, "datasets", "prison.toml") for name in ("a", "b"))
    assert "dataset prison stands in" in _refused(one, two)


def test_shipped_law_is_never_replaced(tmp_path):
    """An own law file may add entries; one with the id of a shipped entry would be two versions of a day."""
    assert "two versions are in force on one day" in _refused(_own(tmp_path, "law", "gateways.toml"))


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('answer = ["oma2007.s14"]', 'answer = ["oma2007.s14", "ca2004.s16la"]', "gateways.answer"),
        ('answer = ["oma2007.s14"]', 'answer = ["oma2007.s14", "old.act"]', "gateways.answer"),
        ('lawful_basis = ["ukgdpr.6-1-e"]', 'lawful_basis = ["ukgdpr.6-1-e", "old.act"]', "conditions"),
    ],
    ids=["not commenced", "repealed", "repealed condition"],
)
def test_an_own_dataset_cites_law_that_is_in_force(tmp_path, old, new, place):
    """An override that rests on repealed or uncommenced law is refused by file, key and reason."""
    own = _own(tmp_path, "datasets", "prison.toml", (old, new))
    (own / "law").mkdir()
    (own / "law" / "old.toml").write_text(
        '[[law]]\nid = "old.act"\nserves = ["gateway", "lawful-basis"]\ntitle = "O"\n'
        'citation = "Old Act s.1"\n'
        'clause = "It might be told"\nstatus = "confirmed"\nvalid_from = 2001-01-01\nvalid_to = 2010-01-01\n'
        'disclosers = ["any"]\nrecipients = ["any"]\npurposes = ["any"]\ntopics = ["any"]\n'
    )
    text = _refused(own)
    assert "datasets/prison.toml: " + place in text
    assert "which is not in force" in text


def test_a_confirmation_is_the_councils_own_word(tmp_path):
    """An entry that ships unconfirmed is confirmed by an own file that says who read it and when."""
    (tmp_path / "law").mkdir()
    file = tmp_path / "law" / "confirmed.toml"
    file.write_text('[[confirmation]]\nlaw = "ca2004.s10"\nby = "Data protection officer"\non = 2026-10-01\n')
    assert not load(builtin()).law["ca2004.s10"][0].confirmed
    assert load(builtin(), tmp_path).law["ca2004.s10"][0].confirmed
    file.write_text('[[confirmation]]\nlaw = "ca1904.s1"\nby = "Data protection officer"\non = 2026-10-01\n')
    assert "law/confirmed.toml: confirmation[ca1904.s1].law: confirms an entry" in _refused(tmp_path)
