"""Records of the victim-population analysis: CTDC's cases, k-anonymised by the publisher.

Belongs here: the table of records and the publisher's column names. Does not: what is made of them
(`victim_results`), anything about places.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "victim_population"
GENDERS = ("female", "male", "other")
MAJORITIES = ("adult", "minor")

# The publisher's indicator columns, in file order; ours are the same words in snake_case.
INDICATORS = (
    "meansOfControlDebtBondage",
    "meansOfControlTakesEarnings",
    "meansOfControlRestrictsFinancialAccess",
    "meansOfControlThreats",
    "meansOfControlPsychologicalAbuse",
    "meansOfControlPhysicalAbuse",
    "meansOfControlSexualAbuse",
    "meansOfControlFalsePromises",
    "meansOfControlPsychoactiveSubstances",
    "meansOfControlRestrictsMovement",
    "meansOfControlRestrictsMedicalCare",
    "meansOfControlExcessiveWorkingHours",
    "meansOfControlUsesChildren",
    "meansOfControlThreatOfLawEnforcement",
    "meansOfControlWithholdsNecessities",
    "meansOfControlWithholdsDocuments",
    "meansOfControlOther",
    "meansOfControlNotSpecified",
    "isForcedLabour",
    "isSexualExploit",
    "isOtherExploit",
    "isSexAndLabour",
    "isForcedMarriage",
    "isForcedMilitary",
    "isOrganRemoval",
    "typeOfLabourAgriculture",
    "typeOfLabourAquafarming",
    "typeOfLabourBegging",
    "typeOfLabourConstruction",
    "typeOfLabourDomesticWork",
    "typeOfLabourHospitality",
    "typeOfLabourIllicitActivities",
    "typeOfLabourManufacturing",
    "typeOfLabourMiningOrDrilling",
    "typeOfLabourPeddling",
    "typeOfLabourTransportation",
    "typeOfLabourOther",
    "typeOfLabourNotSpecified",
    "typeOfSexProstitution",
    "typeOfSexPornography",
    "typeOfSexRemoteInteractiveServices",
    "typeOfSexPrivateSexualServices",
    "isAbduction",
    "recruiterRelationIntimatePartner",
    "recruiterRelationFriend",
    "recruiterRelationFamily",
    "recruiterRelationOther",
    "recruiterRelationUnknown",
)
# Later releases: one column for several indicators. "No" is a no to each, "yes" does not say which.
GROUPED = {
    "meansDebtBondageEarnings": ("meansOfControlDebtBondage", "meansOfControlTakesEarnings"),
    "meansAbusePsyPhySex": (
        "meansOfControlPsychologicalAbuse",
        "meansOfControlPhysicalAbuse",
        "meansOfControlSexualAbuse",
    ),
    "meansDenyBasicNeeds": (
        "meansOfControlRestrictsFinancialAccess",
        "meansOfControlRestrictsMovement",
        "meansOfControlRestrictsMedicalCare",
        "meansOfControlWithholdsNecessities",
    ),
}


def snake_case(name: str) -> str:
    """`isSexualExploit` to `is_sexual_exploit`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


RECORDS = Table(
    LAYER,
    "records",
    "one case record of CTDC, k-anonymised by the publisher",
    "CTDC global data set, k-anonymised (2018, 58 columns) or synthetic layout, as one table.",
    (
        Column(
            "year_of_registration",
            pl.Int32,
            "Year the case was registered.",
            nullable=True,
            source_name="yearOfRegistration",
            lower=1900,
            upper=2100,
        ),
        Column(
            "data_source",
            pl.String,
            "Hotline or case management: it confounds every rate.",
            nullable=True,
            source_name="Datasource",
            allowed=("case_management", "hotline"),
        ),
        Column(
            "gender",
            pl.String,
            "Gender as recorded.",
            nullable=True,
            source_name="gender",
            allowed=GENDERS,
        ),
        Column(
            "age_band",
            pl.String,
            "Age band as published, such as 9--17.",
            nullable=True,
            source_name="ageBroad",
        ),
        Column(
            "age_midpoint_years",
            pl.Float64,
            "Middle of the age band.",
            unit="years",
            nullable=True,
            lower=0,
            upper=120,
        ),
        Column(
            "majority_status",
            pl.String,
            "Adult or minor at registration.",
            nullable=True,
            source_name="majorityStatus",
            allowed=MAJORITIES,
        ),
        Column(
            "majority_status_at_exploit",
            pl.String,
            "Adult or minor when exploited.",
            nullable=True,
            source_name="majorityStatusAtExploit",
            allowed=MAJORITIES,
        ),
        Column(
            "citizenship",
            pl.String,
            "ISO 3166-1 alpha-2 of citizenship.",
            nullable=True,
            source_name="citizenship",
        ),
        Column(
            "country_of_exploitation",
            pl.String,
            "ISO 3166-1 alpha-2 of exploitation.",
            nullable=True,
            source_name="CountryOfExploitation",
        ),
        Column(
            "trafficked_months_band",
            pl.String,
            "Duration as published, such as 0--12 (0-1 yr).",
            nullable=True,
            source_name="traffickMonths",
        ),
        Column(
            "trafficked_months",
            pl.Int32,
            "Leading digits of the band.",
            unit="months",
            nullable=True,
            source_name="traffickMonths",
            lower=0,
        ),
        *(
            Column(
                snake_case(name),
                pl.Boolean,
                "Yes, no, or missing where unknown.",
                nullable=True,
                source_name=name,
            )
            for name in INDICATORS
        ),
        *(
            Column(
                snake_case(group),
                pl.Boolean,
                f"Yes to any of {', '.join(parts)}, no to all of them, or missing where unknown.",
                nullable=True,
                source_name=group,
            )
            for group, parts in GROUPED.items()
        ),
    ),
    warnings=(
        "Identified victims only: not a sample of all victims.",
        "Missing is unknown, not no.",
        "Hotline and case-management records differ in every rate: compare within a source.",
        "Never try to re-identify anyone; nothing below 11 leaves.",
    ),
)

# How a value became ours. "value": read; "unknown": the publisher says so, or left it blank;
# "unresolved": no ISO country; "part_unknown": yes to a group of indicators, so to an unknown part
# of it; "from_parts": a group of indicators, by what its parts say; "not_in_file": the release has
# no such column.
