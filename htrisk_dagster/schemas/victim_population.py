"""Tables of the victim-population analysis: CTDC's k-anonymised records and what is made of them.

Belongs here: case tables. Does not: anything about places; the two are never joined and never share
a table, a store or a catalog.
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


def snake_case(name: str) -> str:
    """`isSexualExploit` to `is_sexual_exploit`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


RECORDS = Table(
    LAYER,
    "records",
    "one case record of CTDC, k-anonymised by the publisher",
    "CTDC global data set, k-anonymised (2018, 58 columns) or synthetic layout, as one table.",
    (
        Column("year_of_registration", pl.Int32, "Year the case was registered.", nullable=True, source_name="yearOfRegistration", lower=1900, upper=2100),
        Column("data_source", pl.String, "Hotline or case management: it confounds every rate.", nullable=True, source_name="Datasource", allowed=("case_management", "hotline")),
        Column("gender", pl.String, "Gender as recorded.", nullable=True, source_name="gender", allowed=GENDERS),
        Column("age_band", pl.String, "Age band as published, such as 9--17.", nullable=True, source_name="ageBroad"),
        Column("age_midpoint_years", pl.Float64, "Middle of the age band.", unit="years", nullable=True, lower=0, upper=120),
        Column("majority_status", pl.String, "Adult or minor at registration.", nullable=True, source_name="majorityStatus", allowed=MAJORITIES),
        Column("majority_status_at_exploit", pl.String, "Adult or minor when exploited.", nullable=True, source_name="majorityStatusAtExploit", allowed=MAJORITIES),
        Column("citizenship", pl.String, "ISO 3166-1 alpha-2 of citizenship.", nullable=True, source_name="citizenship"),
        Column("country_of_exploitation", pl.String, "ISO 3166-1 alpha-2 of exploitation.", nullable=True, source_name="CountryOfExploitation"),
        Column("trafficked_months_band", pl.String, "Duration as published, such as 0--12 (0-1 yr).", nullable=True, source_name="traffickMonths"),
        Column("trafficked_months", pl.Int32, "Leading digits of the band.", unit="months", nullable=True, source_name="traffickMonths", lower=0),
        *(
            Column(snake_case(name), pl.Boolean, "Yes, no, or missing where unknown.", nullable=True, source_name=name)
            for name in INDICATORS
        ),
    ),
    warnings=(
        "Identified victims only: not a sample of all victims.",
        "Missing is unknown, not no.",
        "Hotline and case-management records differ in every rate: compare within a source.",
        "Never try to re-identify anyone; nothing below 11 leaves.",
    ),
)
