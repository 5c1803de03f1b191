"""What the loader asks of a folder of policies as a whole: its rooms, its files, and how they fit."""

import shutil

import pytest
from policy_folder import HEALTH, POLICE, copied, problems

from gateway.domain.errors import ConfigurationError
from policies.loader import builtin, load
from policies.reading import PolicyFileError
from policies.vocabulary import PARTNER_KINDS

LAW = """
[[law]]
id = "{id}"
serves = ["gateway"]
title = "A power"
citation = "Some Act s.1"
clause = "It may be disclosed"
status = "confirmed"
valid_from = {start}
disclosers = ["any"]
recipients = ["any"]
purposes = ["identify"]
topics = ["any"]
"""


@pytest.fixture
def folder(tmp_path):
    return copied(tmp_path)


def test_versions_of_one_law_must_not_overlap(folder):
    """Two versions of one law entry in force on one day are refused; one after the other they load."""
    (folder / "law/a.toml").write_text(LAW.format(id="some.s1", start="2001-01-01\nvalid_to = 2010-01-01"))
    (folder / "law/b.toml").write_text(LAW.format(id="some.s1", start="2010-01-01"))
    assert {problem[1] for problem in problems(folder)} == {"law[some.s1].valid_from"}
    (folder / "law/b.toml").write_text(LAW.format(id="some.s1", start="2010-01-02"))
    assert len(load(folder).law["some.s1"]) == 2


def test_frameworks_agree_on_what_an_indicator_is(folder):
    """An indicator with other categories in another framework is refused: it could lose a requirement."""
    text = (folder / "frameworks/local.toml").read_text()
    text = text.replace('id = "local"', 'id = "other"').replace('categories = ["special"]\n', "", 1)
    (folder / "frameworks/other.toml").write_text(text)
    assert {problem[2] for problem in problems(folder)} == {"differ from another framework's"}


def test_files_stand_in_the_three_rooms(folder):
    """A TOML file elsewhere is refused: it would be a policy that nobody reads."""
    shutil.move(folder / HEALTH, folder / "health-trust.toml")
    assert problems(folder)[0][:2] == ("health-trust.toml", "(file)")


def test_files_must_be_text_of_fair_size(folder):
    """A file of other bytes, and one beyond the limit, are refused before they are parsed."""
    (folder / "law/bytes.toml").write_bytes(b"\xff\xfe")
    (folder / "law/large.toml").write_bytes(b"#" * 1_000_001)
    assert problems(folder) == [
        ("law/bytes.toml", "(file)", "is not TOML: not UTF-8"),
        ("law/large.toml", "(file)", "is larger than 1000000 bytes"),
    ]


def test_tables_must_be_tables(folder):
    """A value where an array of tables belongs is refused."""
    (folder / "law/odd.toml").write_text("law = [1]")
    assert problems(folder)[0] == ("law/odd.toml", "law[1]", "must be a table")


def test_a_folder_must_exist(tmp_path):
    """A folder that is not there is a configuration error, not an empty policy."""
    with pytest.raises(ConfigurationError, match="policies: the policy folder does not exist"):
        load(tmp_path / "nowhere")


def test_an_empty_folder_loads(tmp_path):
    """An empty folder is a policy set with nothing in it."""
    assert not load(tmp_path).datasets


def test_the_shipped_policies_load():
    """The shipped folder has a dataset for each row of the programme's sources, and all its frameworks."""
    policies = load(builtin())
    assert {policy.partner_kind for policy in policies.datasets.values()} == PARTNER_KINDS - {"hmrc"}
    assert set(policies.frameworks) == {"demo", "local", "phase-1", "phase-2", "supporting-families"}


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        (
            HEALTH,
            '["confidentiality.explicit-consent"]',
            '["confidentiality.court-order"]',
            "confidentiality",
        ),
        (
            HEALTH,
            'special_category = ["ukgdpr.9-2-h", "dpa2018.sch1.p2", "dpa2018.s11"]',
            'special_category = ["ukgdpr.9-2-f"]',
            "conditions[uk-gdpr].special_category",
        ),
        (POLICE, '    "ukgdpr.9-2-g",\n', "", "conditions[uk-gdpr].request"),
        (POLICE, '    "ukgdpr.10",\n', "", "conditions[uk-gdpr].request"),
    ],
    ids=["route for courts", "condition for claims", "list without Article 9", "list without Article 10"],
)
def test_a_condition_that_does_not_fit_is_refused(tmp_path, file, old, new, place):
    """An entry for other parties or purposes carries nothing; the list's own way needs conditions as well."""
    folder = tmp_path / "policies"
    shutil.copytree(builtin(), folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    with pytest.raises(PolicyFileError) as caught:
        load(folder)
    assert {(problem.file, problem.key) for problem in caught.value.problems} >= {(file, place)}
