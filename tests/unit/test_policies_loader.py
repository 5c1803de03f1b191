"""The loader refuses what can't be right, naming file, key and reason."""

import pytest
from policy_folder import HEALTH, POLICE, copied, problems, spoil

GATEWAYS = "law/gateways.toml"


@pytest.fixture
def folder(tmp_path):
    return copied(tmp_path)


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
    spoil(folder, file, old, new)
    assert any((file, key) == problem[:2] and reason in problem[2] for problem in problems(folder)), problems(
        folder
    )


def test_every_fault_is_named_at_once(folder):
    """Two faults in two files are both named by one run."""
    spoil(folder, HEALTH, "controller =", "kontroller =")
    spoil(folder, POLICE, "partner_kind =", "partnerkind =")
    assert {problem[0] for problem in problems(folder)} == {HEALTH, POLICE}
