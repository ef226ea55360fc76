"""Invented files in CTDC's three headers; nothing in them is of a real person.

Written by hand from the published headers, not from the reader's own lists.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path


def _names(text: str) -> list[str]:
    return text.split()


K_ANONYMISED = _names(
    """
    yearOfRegistration Datasource gender ageBroad majorityStatus majorityStatusAtExploit
    majorityEntry citizenship meansOfControlDebtBondage meansOfControlTakesEarnings
    meansOfControlRestrictsFinancialAccess meansOfControlThreats
    meansOfControlPsychologicalAbuse meansOfControlPhysicalAbuse meansOfControlSexualAbuse
    meansOfControlFalsePromises meansOfControlPsychoactiveSubstances
    meansOfControlRestrictsMovement meansOfControlRestrictsMedicalCare
    meansOfControlExcessiveWorkingHours meansOfControlUsesChildren
    meansOfControlThreatOfLawEnforcement meansOfControlWithholdsNecessities
    meansOfControlWithholdsDocuments meansOfControlOther meansOfControlNotSpecified
    isForcedLabour isSexualExploit isOtherExploit isSexAndLabour isForcedMarriage
    isForcedMilitary isOrganRemoval typeOfLabourAgriculture typeOfLabourAquafarming
    typeOfLabourBegging typeOfLabourConstruction typeOfLabourDomesticWork
    typeOfLabourHospitality typeOfLabourIllicitActivities typeOfLabourManufacturing
    typeOfLabourMiningOrDrilling typeOfLabourPeddling typeOfLabourTransportation
    typeOfLabourOther typeOfLabourNotSpecified typeOfSexProstitution typeOfSexPornography
    typeOfSexRemoteInteractiveServices typeOfSexPrivateSexualServices isAbduction
    RecruiterRelationship CountryOfExploitation recruiterRelationIntimatePartner
    recruiterRelationFriend recruiterRelationFamily recruiterRelationOther
    recruiterRelationUnknown
    """
)
FIRST_SYNTHETIC = _names(
    """
    yearOfRegistration gender ageBroad majorityStatusAtExploit traffickMonths citizenship
    CountryOfExploitation meansOfControlDebtBondage meansOfControlTakesEarnings
    meansOfControlThreats meansOfControlPsychologicalAbuse meansOfControlPhysicalAbuse
    meansOfControlSexualAbuse meansOfControlFalsePromises meansOfControlPsychoactiveSubsta
    meansOfControlRestrictsMovement meansOfControlRestrictsMedicalCa
    meansOfControlExcessiveWorkingHo meansOfControlThreatOfLawEnforce
    meansOfControlWithholdsNecessiti meansOfControlWithholdsDocuments meansOfControlOther
    isForcedLabour isSexualExploit isOtherExploit typeOfLabourAgriculture
    typeOfLabourConstruction typeOfLabourDomesticWork typeOfLabourHospitality typeOfLabourOther
    typeOfSexProstitution typeOfSexPornography typeOfSexOther recruiterRelationIntimatePartner
    recruiterRelationFriend recruiterRelationFamily recruiterRelationOther
    """
)
LATER_SYNTHETIC = _names(
    """
    yearOfRegistration gender ageBroad citizenship CountryOfExploitation traffickMonths
    meansDebtBondageEarnings meansThreats meansAbusePsyPhySex meansFalsePromises
    meansDrugsAlcohol meansDenyBasicNeeds meansExcessiveWorkHours meansWithholdDocs
    isForcedLabour isSexualExploit isOtherExploit typeOfLabourAgriculture
    typeOfLabourConstruction typeOfLabourDomesticWork typeOfLabourHospitality
    typeOfSexProstitution typeOfSexPornography recruiterRelationIntimatePartner
    recruiterRelationFriend recruiterRelationFamily recruiterRelationOther
    """
)
AGE_BANDS = ("0--8", "9--17", "18--20", "21--23", "24--26", "27--29", "30--38", "39--47", "48+")
MONTHS = ("0--12 (0-1 yr)", "13--24 (1-2 yrs)", "25+ (2+ yrs)")

Row = dict[str, str]


def write_csv(path: Path, header: list[str], rows: list[Row]) -> Path:
    """Write rows under a header, blank where a row has no such column; gzipped for `.gz`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def k_anonymised_rows(n: int, seed: int) -> list[Row]:
    """Codes of two letters, blanks and `Unknown`, the data source given."""
    draw = random.Random(seed)
    return [
        {
            "yearOfRegistration": str(draw.randint(2002, 2017)),
            "Datasource": draw.choice(("Case Management", "Hotline")),
            "gender": draw.choice(("Female", "Male", "Unknown")),
            "ageBroad": draw.choice((*AGE_BANDS, "Unknown", "")),
            "majorityStatusAtExploit": draw.choice(("Adult", "Minor", "Unknown", "")),
            "citizenship": draw.choice(("UA", "PH", "NA", "ZZ", "Missing")),
            "CountryOfExploitation": draw.choice(("US", "PH", "Unknown")),
            "meansOfControlThreats": draw.choice(("1", "")),
            "meansOfControlFalsePromises": draw.choice(("1", "")),
            "isSexualExploit": draw.choice(("1", "0", "")),
            "recruiterRelationFriend": draw.choice(("1", "0", "")),
            "recruiterRelationUnknown": draw.choice(("1", "0")),
        }
        for _ in range(n)
    ]


def synthetic_rows(n: int, seed: int, header: list[str]) -> list[Row]:
    """Codes of three letters and names, -99 for unknown, no data source."""
    draw = random.Random(seed)
    words = {
        "yearOfRegistration": tuple(str(year) for year in range(2002, 2022)),
        "gender": ("Woman", "Man", "Trans/Transgender/NonConforming", "-99"),
        "ageBroad": (*AGE_BANDS, "-99"),
        "majorityStatusAtExploit": ("Adult", "Minor", "-99"),
        "traffickMonths": (*MONTHS, "-99"),
        "citizenship": ("UKR", "Philippines", "Ivory Coast", "ZZ", "-99"),
        "CountryOfExploitation": ("USA", "Russia", "Korea, Republic of", "NA"),
    }
    return [
        {name: draw.choice(words.get(name, ("1", "0", "-99"))) for name in header} for _ in range(n)
    ]
