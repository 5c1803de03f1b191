"""A council's own folder: what it may replace, confirm and cite."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from sound_terms import sound_terms

from policies.decision import Question, decide
from policies.loader import builtin, load
from policies.page import page
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
    """An own law file may add entries of ids of their own, and no version of a shipped one."""
    assert "is shipped law: add an entry of another id" in _refused(_own(tmp_path, "law", "gateways.toml"))


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


def test_a_misplaced_file_is_refused(tmp_path):
    """A file that looks like a policy and lies where none is read is named: it would override nothing."""
    (tmp_path / "datasets" / "deep" / "er").mkdir(parents=True)
    for name in ("datasets/deep/er/prison.toml", "datasets/PRISON.TOML", "prison.toml"):
        (tmp_path / name).write_text("x = 1")
        assert f"{name}: (file): must be NAME.toml in one of the folders" in _refused(tmp_path)


def test_a_new_dataset_cites_law_that_is_in_force_too(tmp_path):
    """Not only those that take a shipped one's place."""
    own = _own(tmp_path, "datasets", "prison.toml", ('id = "prison"', 'id = "prison-two"'))
    dataset = own / "datasets" / "prison.toml"
    dataset.rename(dataset.with_stem("prison-two"))
    load(builtin(), own, on=TODAY)
    text = (dataset.with_stem("prison-two")).read_text()
    dataset.with_stem("prison-two").write_text(text.replace('["oma2007.s14"]', '["ca2004.s16la"]'))
    assert "cites ca2004.s16la, which is not in force" in _refused(own)


def test_an_own_framework_keeps_what_makes_a_code_sensitive(tmp_path):
    """Dropping a category would drop a legal requirement with it."""
    text = (builtin() / "frameworks" / "supporting-families.toml").read_text()
    (tmp_path / "frameworks").mkdir()
    bare = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("categories"))
    (tmp_path / "frameworks" / "supporting-families.toml").write_text(bare)
    assert "indicator[sf3.adult_mental_health].categories: differ" in _refused(tmp_path)


def test_what_a_code_means_is_part_of_what_was_agreed(tmp_path):
    """Another wording of an indicator makes another policy, so that agreements must be signed anew."""
    change = ('label = "Parent with a mental health problem"', 'label = "Anything at all"')
    own = _own(tmp_path, "frameworks", "local.toml", change)
    before, after = load(builtin()).datasets, load(builtin(), own, on=TODAY).datasets
    changed = {name for name in before if before[name].digest != after[name].digest}
    assert changed == {"health-trust", "health-gp"}


def test_a_confirmation_of_tomorrow_is_refused(tmp_path):
    """Nobody has read anything on a day that has not come."""
    (tmp_path / "law").mkdir()
    text = '[[confirmation]]\nlaw = "ca2004.s10"\nby = "Officer"\non = {}\n'
    file = tmp_path / "law" / "read.toml"
    file.write_text(text.format((TODAY + timedelta(days=1)).isoformat()))
    assert "confirmation[ca2004.s10].on: lies in the future" in _refused(tmp_path)
    file.write_text(text.format(TODAY.isoformat()))
    policies = load(builtin(), tmp_path, on=TODAY)
    told = "\n".join(line for each in page(_decided(policies), policies) for line in each.lines)
    assert f"Read at its source by Officer on {TODAY.isoformat()}." in told


def _decided(policies):
    policy = policies.datasets["health-trust"]
    end = date(2035, 1, 1)
    terms = sound_terms(policy.id, policy.digest, since=TODAY, until=end)
    at = datetime.combine(TODAY, time(12), UTC)
    return decide(Question(policy.id, "identify", "local", terms, 10, 40), policies, at)
