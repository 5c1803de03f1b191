"""The loader refuses what can't be right, naming file, key and reason."""

import shutil
from pathlib import Path

import pytest

from gateway.domain.errors import ConfigurationError
from policies.loader import builtin, load
from policies.reading import PolicyFileError
from policies.vocabulary import PARTNER_KINDS

HEALTH = "datasets/health-trust.toml"
POLICE = "datasets/police-force.toml"
GATEWAYS = "law/gateways.toml"

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
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped policies, to be spoilt."""
    for room in ("law", "frameworks", "datasets"):
        shutil.copytree(builtin() / room, tmp_path / room)
    return tmp_path


def _spoil(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))


def _problems(*folders: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(PolicyFileError) as caught:
        load(*folders)
    return [(problem.file, problem.key, problem.reason) for problem in caught.value.problems]


REFUSALS = {
    "unknown key": (HEALTH, 'release = "', 'relaese = 1\nrelease = "', "relaese", "unknown key"),
    "unknown key in a table": (
        HEALTH,
        "max_people",
        "max_peeple = 3\nmax_people",
        "limits.max_peeple",
        "unknown",
    ),
    "unknown table in a law file": (GATEWAYS, "[[law]]", "[[lwa]]\n[[law]]", "lwa", "unknown key"),
    "missing key": (HEALTH, "controller =", "# controller =", "controller", "is missing"),
    "row rule left out": (HEALTH, "dependent_child = true", "", "row_rules.dependent_child", "is missing"),
    "wrong type": (HEALTH, "max_people = 50_000", 'max_people = "9"', "limits.max_people", "whole number"),
    "bool for a number": (
        HEALTH,
        "max_people = 50_000",
        "max_people = true",
        "limits.max_people",
        "whole number",
    ),
    "number out of range": (
        HEALTH,
        "permille = 850",
        "permille = 1001",
        "expected_overlap_permille",
        "between",
    ),
    "date in quotes": (HEALTH, "2015-04-01", '"2015-04-01"', "valid_from", "a date without quotes"),
    "moment for a date": (
        HEALTH,
        "2015-04-01",
        "2015-04-01T00:00:00Z",
        "valid_from",
        "a date without quotes",
    ),
    "unknown partner kind": (HEALTH, 'kind = "health"', 'kind = "helth"', "partner_kind", "must be one of"),
    "unknown granularity": (HEALTH, "household-any", "everything", "granularity", "must be one of"),
    "unknown identifier": (HEALTH, '"dob", ', '"dob", "shoe", ', "identifiers", "item 4 must be one of"),
    "empty list": (HEALTH, 'purposes = ["identify"]', "purposes = []", "purposes", "must not be empty"),
    "item twice": (HEALTH, '["identify"]', '["identify", "identify"]', "purposes", "twice"),
    "item not text": (HEALTH, '["identify"]', "[1]", "purposes", "printable text"),
    "id not an id": (HEALTH, 'id = "health-trust"', 'id = "Health Trust"', "id", "must be a-z"),
    "unknown witness": (
        HEALTH,
        "[retention]",
        '[release_when]\ncosigned_by = ["everybody"]\n\n[retention]',
        "release_when.cosigned_by",
        "must be one of",
    ),
    "no witness": (
        HEALTH,
        "[retention]",
        "[release_when]\ncosigned_by = []\n\n[retention]",
        "release_when.cosigned_by",
        "must not be empty",
    ),
    "unknown reason to wait": (
        HEALTH,
        "[retention]",
        '[release_when]\ncosigned_by = ["partner"]\nmoon = "full"\n\n[retention]',
        "release_when.moon",
        "unknown key",
    ),
    "empty text": (
        HEALTH,
        'title = "Health indicators of an NHS trust"',
        'title = " "',
        "title",
        "printable",
    ),
    "id unlike its file": (
        HEALTH,
        'id = "health-trust"',
        'id = "trust"',
        "id",
        "differs from the file's name",
    ),
    "not TOML": (HEALTH, "[gateways]", "[gateways", "(file)", "not TOML: at line"),
    "dangling gateway": (
        HEALTH,
        'answer = ["ca',
        'answer = ["ca1904.s1", "ca',
        "gateways.answer",
        "no law entry",
    ),
    "dangling condition": (
        HEALTH,
        '["ukgdpr.6-1-e"]',
        '["ukgdpr.6-1-z"]',
        "conditions[uk-gdpr].lawful_basis",
        "no law entry",
    ),
    "dangling regime": (HEALTH, '"eu-gdpr"', '"gdpr"', "conditions.regimes", "no regime"),
    "dangling purpose": (HEALTH, 'purposes = ["identify"]', 'purposes = ["whim"]', "purposes", "no purpose"),
    "dangling framework": (HEALTH, '["local", ', '["locale", ', "frameworks", "no framework"),
    "dangling need": (
        "law/uk-gdpr.toml",
        '"dpa2018.s11"]',
        '"dpa2018.s99"]',
        "law[ukgdpr.9-2-h].needs",
        "no law",
    ),
    "dangling purpose of a law": (
        GATEWAYS,
        '"monitor"]',
        '"whim"]',
        "law[cda1998.s115].purposes",
        "no purpose",
    ),
    "law of an unknown party": (
        GATEWAYS,
        '["council", "health"',
        '["town"',
        "law[ca2004.s10].disclosers",
        "item 1",
    ),
    "law without a status": (
        GATEWAYS,
        '"unconfirmed"',
        '"sure"',
        "law[cda1998.s17].status",
        "confirmed",
    ),
    "dates reversed": (
        "law/eu-gdpr.toml",
        "valid_to = 2020-12-30",
        "valid_to = 2018-05-24",
        "law[eugdpr.6-1-a].valid_to",
        "before valid_from",
    ),
    "regimes overlap": (
        "law/regimes.toml",
        "2018-05-24",
        "2018-05-25",
        "regime[eu-gdpr].valid_from",
        "overlaps regime dpa-1998",
    ),
    "one regime in two conditions": (
        HEALTH,
        '["eu-gdpr"]',
        '["eu-gdpr", "uk-gdpr"]',
        "conditions.regimes",
        "overlap",
    ),
    "limits reversed": (
        HEALTH,
        "min_people = 2",
        "min_people = 50_001",
        "limits.min_people",
        "exceeds max_people",
    ),
    "households reversed": (
        HEALTH,
        "min_households = 1",
        "min_households = 15_001",
        "limits.min_households",
        "exceeds max_households",
    ),
    "clocks reversed": (
        HEALTH,
        "accounting_days = 2_192",
        "accounting_days = 30",
        "retention.results_days",
        "exceeds",
    ),
    "indicator of nobody": (
        HEALTH,
        '"health.adult_sub',
        '"health.adult_flu',
        "indicators",
        "in no framework of the dataset",
    ),
    "indicator of another source": (
        HEALTH,
        '"health.adult_substance"',
        '"crime.licence_supervision"',
        "indicators",
        "can't be evidenced by a source of kind health",
    ),
    "no lawful basis": (
        HEALTH,
        'lawful_basis = ["ukgdpr.6-1-e"]',
        'lawful_basis = ["ukgdpr.9-2-h"]',
        "conditions[uk-gdpr].lawful_basis",
        "no cited entry",
    ),
    "lawful basis of another regime": (
        HEALTH,
        'lawful_basis = ["ukgdpr.6-1-e"]',
        'lawful_basis = ["eugdpr.6-1-e"]',
        "conditions[uk-gdpr].lawful_basis",
        "no cited entry",
    ),
    "no Article 9 condition": (
        HEALTH,
        'special_category = ["ukgdpr.9-2-h", "dpa2018.sch1.p2", "dpa2018.s11"]',
        "",
        "conditions[uk-gdpr].special_category",
        "need an Article 9 or Schedule 3",
    ),
    "Article 9 without its schedule paragraph": (
        HEALTH,
        '"ukgdpr.9-2-h", "dpa2018.sch1.p2", "dpa2018.s11"',
        '"ukgdpr.9-2-h", "dpa2018.s11"',
        "conditions[uk-gdpr].special_category",
        "need an Article 9 or Schedule 3",
    ),
    "no Article 10 basis": (
        POLICE,
        'offence = ["ukgdpr.10", "dpa2018.s10-5", "dpa2018.sch1.p6", "dpa2018.sch1.p10"]',
        "",
        "conditions[uk-gdpr].offence",
        "need an Article 10 or Schedule 3",
    ),
    "Article 10 without a schedule condition": (
        POLICE,
        'offence = ["ukgdpr.10", "dpa2018.s10-5", "dpa2018.sch1.p6", "dpa2018.sch1.p10"]',
        'offence = ["ukgdpr.10", "dpa2018.s10-5"]',
        "conditions[uk-gdpr].offence",
        "need an Article 10 or Schedule 3",
    ),
    "police without export": (
        POLICE,
        'export = ["dpa2018.s36-4"]',
        "",
        "conditions[eu-gdpr].export",
        "s.36(4)",
    ),
    "health without confidentiality": (
        HEALTH,
        'confidentiality = ["confidentiality.explicit-consent"]',
        "",
        "confidentiality",
        "needs a confidentiality route",
    ),
    "consent route without the consent rule": (
        HEALTH,
        'consent = "explicit"',
        'consent = "off"',
        "row_rules.consent",
        "must be explicit",
    ),
    "gateway of other parties": (
        HEALTH,
        'answer = ["ca2004.s10"]',
        'answer = ["common-law.police"]',
        "gateways.answer",
        "no cited gateway lets a source of kind health",
    ),
    "a condition for a gateway": (
        HEALTH,
        'request = ["ca2004.s10"]',
        'request = ["ukgdpr.6-1-e"]',
        "gateways.request",
        "no cited gateway",
    ),
    "indicator twice": (
        "frameworks/local.toml",
        'code = "crime.asb_intervention_12m"',
        'code = "crime.proven_offence_12m"',
        "indicator[crime.proven_offence_12m].code",
        "stands twice",
    ),
}


@pytest.mark.parametrize(("file", "old", "new", "key", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_spoilt_file_is_refused_by_name(folder, file, old, new, key, reason):
    """Each fault is refused, and the refusal names the file, the key and the reason."""
    _spoil(folder, file, old, new)
    assert any((file, key) == problem[:2] and reason in problem[2] for problem in _problems(folder)), (
        _problems(folder)
    )


def test_every_fault_is_named_at_once(folder):
    """Two faults in two files are both named by one run."""
    _spoil(folder, HEALTH, "controller =", "kontroller =")
    _spoil(folder, POLICE, "partner_kind =", "partnerkind =")
    assert {problem[0] for problem in _problems(folder)} == {HEALTH, POLICE}


def test_versions_of_one_law_must_not_overlap(folder):
    """Two versions of one law entry in force on one day are refused; one after the other they load."""
    (folder / "law/a.toml").write_text(LAW.format(id="some.s1", start="2001-01-01\nvalid_to = 2010-01-01"))
    (folder / "law/b.toml").write_text(LAW.format(id="some.s1", start="2010-01-01"))
    assert {problem[1] for problem in _problems(folder)} == {"law[some.s1].valid_from"}
    (folder / "law/b.toml").write_text(LAW.format(id="some.s1", start="2010-01-02"))
    assert len(load(folder).law["some.s1"]) == 2


def test_frameworks_agree_on_what_an_indicator_is(folder):
    """An indicator with other categories in another framework is refused: it could lose a requirement."""
    text = (folder / "frameworks/local.toml").read_text()
    text = text.replace('id = "local"', 'id = "other"').replace('categories = ["special"]\n', "", 1)
    (folder / "frameworks/other.toml").write_text(text)
    assert {problem[2] for problem in _problems(folder)} == {"differ from another framework's"}


def test_files_stand_in_the_three_rooms(folder):
    """A TOML file elsewhere is refused: it would be a policy that nobody reads."""
    shutil.move(folder / HEALTH, folder / "health-trust.toml")
    assert _problems(folder)[0][:2] == ("health-trust.toml", "(file)")


def test_files_must_be_text_of_fair_size(folder):
    """A file of other bytes, and one beyond the limit, are refused before they are parsed."""
    (folder / "law/bytes.toml").write_bytes(b"\xff\xfe")
    (folder / "law/large.toml").write_bytes(b"#" * 1_000_001)
    assert _problems(folder) == [
        ("law/bytes.toml", "(file)", "is not TOML: not UTF-8"),
        ("law/large.toml", "(file)", "is larger than 1000000 bytes"),
    ]


def test_tables_must_be_tables(folder):
    """A value where an array of tables belongs is refused."""
    (folder / "law/odd.toml").write_text("law = [1]")
    assert _problems(folder)[0] == ("law/odd.toml", "law[1]", "must be a table")


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
