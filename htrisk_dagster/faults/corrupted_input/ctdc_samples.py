"""Good records in CTDC's three headers; nothing in them is of a real person.

Belongs here: that. Does not: how a release is read (`sample_reading`).
"""

from __future__ import annotations

from htrisk_dagster.faults.corrupted_input.sample import N_ROWS, Row, Sample
from htrisk_dagster.schemas.victim_population import GROUPED, INDICATORS

_CUT_AFTER = 32  # characters that the first synthetic release keeps of a name
_COUNTRIES = ("KZ", "UA", "PH", "MD", "US", "ID")
_BANDS = ("0--8", "9--17", "18--20", "21--23", "30--38", "48+")
_MONTHS = ("0--12 (0-1 yr)", "13--24 (1-2 yrs)", "25+ (2+ yrs)")
_KINDS = {
    "yearOfRegistration": "case_year", "Datasource": "case_label", "gender": "case_label",
    "ageBroad": "age_band", "majorityStatus": "majority", "majorityStatusAtExploit": "majority",
    "citizenship": "country", "CountryOfExploitation": "country", "traffickMonths": "months_band",
}  # fmt: skip
_FIRST = tuple(
    name for name in INDICATORS
    if not name.endswith(("NotSpecified", "Unknown", "Marriage", "Military", "Removal", "SexAndLabour"))
    and not name.startswith(("isAbduction", "typeOfSexRemote", "typeOfSexPrivate"))
)  # fmt: skip
_LATER = (
    "meansThreats", "meansFalsePromises", "meansDrugsAlcohol", "meansExcessiveWorkHours",
    "meansWithholdDocs", *GROUPED, "isForcedLabour", "isSexualExploit", "isOtherExploit",
    "typeOfLabourAgriculture", "typeOfLabourConstruction", "typeOfSexProstitution",
    "recruiterRelationFriend", "recruiterRelationOther",
)  # fmt: skip


def _answers(names: tuple[str, ...], i: int, unknown: str) -> Row:
    return {name: ("1", "0", unknown)[(i + k) % 3] for k, name in enumerate(names)}


def _k_anonymised(i: int) -> Row:
    return {
        "yearOfRegistration": str(2010 + i), "Datasource": ("Hotline", "Case Management")[i % 2],
        "gender": ("Female", "Male")[i % 2], "ageBroad": _BANDS[i],
        "majorityStatus": ("Minor", "Adult")[i % 2], "majorityStatusAtExploit": ("Minor", "Adult")[i % 2],
        "majorityEntry": "", "citizenship": _COUNTRIES[i], **_answers(INDICATORS, i, ""),
        "RecruiterRelationship": "Unknown", "CountryOfExploitation": _COUNTRIES[-1 - i],
    }  # fmt: skip


def _synthetic(i: int, names: tuple[str, ...]) -> Row:
    return {
        "yearOfRegistration": str(2015 + i), "gender": ("Woman", "Man")[i % 2], "ageBroad": _BANDS[i],
        "citizenship": _COUNTRIES[i], "CountryOfExploitation": _COUNTRIES[-1 - i],
        "traffickMonths": _MONTHS[i % 3], **_answers(names, i, "-99"),
    }  # fmt: skip


def _sample(name: str, file_name: str, rows: list[Row]) -> Sample:
    kinds = {
        column: _KINDS.get(column, "answer")
        for column in rows[0]
        if column not in ("majorityEntry", "RecruiterRelationship")
    }
    return Sample(
        name, "records", file_name, kinds, tuple(rows), "release", needed="yearOfRegistration",
        repeats_mean_more=True,
    )  # fmt: skip


def ctdc_samples() -> tuple[Sample, ...]:
    """One good release in each of the three headers."""
    first = [_synthetic(i, _FIRST) for i in range(N_ROWS)]
    cut = [{name[:_CUT_AFTER]: value for name, value in row.items()} for row in first]
    return (
        _sample("CTDC, k-anonymised", "k.csv.gz", [_k_anonymised(i) for i in range(N_ROWS)]),
        _sample("CTDC, first synthetic", "f.csv", cut),
        _sample("CTDC, later synthetic", "s.csv", [_synthetic(i, _LATER) for i in range(N_ROWS)]),
    )
