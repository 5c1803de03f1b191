"""One TOML table to one value of the model. What a table says alone is checked here, the rest in `checks`."""

from typing import Final

from gateway.domain.exchange import Granularity, Release
from gateway.domain.people import IDENTIFYING
from policies.model import (
    Category,
    Conditions,
    Confirmation,
    ConsentRule,
    CosignedBy,
    Counted,
    DatasetPolicy,
    Family,
    Framework,
    Gateways,
    Indicator,
    LawEntry,
    Onward,
    Purpose,
    Regime,
    RowRules,
    Serves,
    Threshold,
)
from policies.reading import Table, whole
from policies.vocabulary import ANY, COUNCIL, PARTNER_KINDS, TOPICS

PARTIES: Final = PARTNER_KINDS | {COUNCIL, ANY}
_STATUS: Final = {"confirmed", "unconfirmed"}


def _confirmed(table: Table) -> bool:
    status = table.text("status")
    if status not in _STATUS:
        raise table.fault("status", "must be confirmed or unconfirmed")
    return status == "confirmed"


def regime(table: Table) -> Regime:
    return Regime(
        id=table.id(),
        title=table.text("title"),
        instrument=table.text("instrument"),
        family=table.choice("family", Family),
        span=table.span(),
        part3=table.flag("part3"),
        confirmed=_confirmed(table) if "status" in table.values else True,
    )


def purpose(table: Table) -> Purpose:
    return Purpose(id=table.id(), title=table.text("title"))


def law(table: Table) -> LawEntry:
    """Parties and purposes default to nobody and nothing: an entry grants what it names."""
    serves = table.choices("serves", Serves)
    return LawEntry(
        id=table.id(),
        serves=serves,
        title=table.text("title"),
        citation=table.text("citation"),
        clause=table.text("clause"),
        span=table.span(),
        disclosers=table.among("disclosers", PARTIES),
        recipients=table.among("recipients", PARTIES),
        purposes=table.ids("purposes"),
        limits=table.texts("limits", default=[]),
        needs=table.ids("needs", default=[]),
        needs_any=table.ids("needs_any", default=[]),
        needs_consent=table.flag("needs_consent", default=False),
        confirmed=_confirmed(table),
        # a gateway says what it may be asked about; a condition goes with any
        topics=table.among("topics", TOPICS | {ANY}, default=None if Serves.GATEWAY in serves else [ANY]),
        commenced=table.flag("commenced", default=True),
    )


def confirmation(table: Table) -> Confirmation:
    return Confirmation(law=table.id("law"), by=table.text("by"), on=table.day("on"))


def framework(table: Table) -> Framework:
    return Framework(
        id=table.id(),
        title=table.text("title"),
        span=table.span(),
        expectant_parents=table.flag("expectant_parents", default=False),
        threshold=whole(table.table("threshold"), _threshold),
        indicators=tuple(whole(item, _indicator) for item in table.tables("indicator")),
    )


def _threshold(table: Table) -> Threshold:
    return Threshold(table.choice("counted", Counted), table.integer("least", 1, 50))


def _indicator(table: Table) -> Indicator:
    return Indicator(
        code=table.id("code"),
        headline=table.text("headline"),
        label=table.text("label"),
        topics=table.among("topics", TOPICS),
        categories=table.choices("categories", Category, default=[]),
        evidenced_by=table.among("evidenced_by", PARTNER_KINDS),
        confirmed=_confirmed(table) if "status" in table.values else True,
    )


def dataset(table: Table) -> DatasetPolicy:
    kind = table.text("partner_kind")
    if kind not in PARTNER_KINDS:
        raise table.fault("partner_kind", f"must be one of {', '.join(sorted(PARTNER_KINDS))}")
    limits, retention = table.table("limits"), table.table("retention")
    policy = DatasetPolicy(
        id=table.id(),
        title=table.text("title"),
        partner_kind=kind,
        controller=table.text("controller"),
        recipient=table.text("recipient"),
        span=table.span(),
        purposes=table.ids("purposes"),
        frameworks=table.ids("frameworks"),
        indicators=table.ids("indicators"),
        identifiers=table.among("identifiers", IDENTIFYING),
        gateways=whole(table.table("gateways"), _gateways),
        conditions=tuple(whole(item, _conditions) for item in table.tables("conditions")),
        confidentiality=table.ids("confidentiality", default=[]),
        granularity=table.choice("granularity", Granularity),
        release=table.choice("release", Release),
        onward=table.choice("onward", Onward),
        row_rules=whole(table.table("row_rules"), _row_rules),
        expected_overlap_permille=table.integer("expected_overlap_permille", 1, 1000),
        any_postcode=table.flag("any_postcode", default=False),
        min_people=limits.integer("min_people", 1, 1_000_000),
        max_people=limits.integer("max_people", 1, 1_000_000),
        min_households=limits.integer("min_households", 1, 1_000_000),
        max_households=limits.integer("max_households", 1, 1_000_000),
        repeat_days=limits.integer("repeat_days", 0, 366),
        answer_days=retention.integer("answer_days", 1, 90),
        results_days=retention.integer("results_days", 1, 366),
        accounting_days=retention.integer("accounting_days", 1, 36_525),
        cosigned_by=whole(table.table("release_when"), _cosigned_by)
        if "release_when" in table.values
        else None,
    )
    limits.done()
    retention.done()
    return policy


def _cosigned_by(table: Table) -> tuple[CosignedBy, ...]:
    return table.choices("cosigned_by", CosignedBy)


def _gateways(table: Table) -> Gateways:
    return Gateways(request=table.ids("request"), answer=table.ids("answer"))


def _conditions(table: Table) -> Conditions:
    return Conditions(
        regimes=table.ids("regimes"),
        request=table.ids("request"),
        lawful_basis=table.ids("lawful_basis"),
        special_category=table.ids("special_category", default=[]),
        offence=table.ids("offence", default=[]),
        export=table.ids("export", default=[]),
    )


def _row_rules(table: Table) -> RowRules:
    """Every rule must be stated: a rule left out would be a rule turned off unseen."""
    return RowRules(
        consent=table.choice("consent", ConsentRule),
        indicator_met=table.flag("indicator_met"),
        dependent_child=table.flag("dependent_child"),
        min_household=table.integer("min_household", 1, 20),
        max_household=table.integer("max_household", 1, 1000),
        areas=table.texts("areas", default=[]),
    )
