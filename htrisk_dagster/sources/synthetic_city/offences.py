"""The offences of the synthetic city: real codes and labels, and rounded volumes.

Belongs here: the catalogue and how its families lie in space. Does not: rates of a preset
(`presets`) or where a family's cells are (`intensity`).

Codes and labels are the publisher's (key code KY_CD, detail code PD_CD). Volumes a year are
rounded from NYPD complaints by offence of 2022-2024. Of the target, prostitution-related offences
are 1.25 times those of 2024 (408 a year for 326), kidnappings as they were (140).
"""

from __future__ import annotations

from dataclasses import dataclass

TARGET = "target"


@dataclass(frozen=True)
class Family:
    """Offences that share one spatial pattern.

    Parameters
    ----------
    name : str
        Name; `TARGET` is the family whose true intensity is written.
    correlation : float
        Correlation of its log field with the field that all families share.
    event_effect : float
        Relative rise per unit of a permitted event's attraction.
    reported : float
        Share of its incidents that is reported where people have no reserve.
    at_station_house : bool
        Whether the publisher places its complaints at the station house (NYPD footnote 10).
    kappa : float
        Mean number of incidents that each incident triggers.
    hub_factor : float
        How many times more there is at a hub, such as a cluster of hotels.
    slope, bend : float
        How log place follows the family's field: `slope * h - bend * h**2`.
    evenness : float
        0: precincts hold their share of all complaints. Towards 1 they hold what their area is, and
        single cells are held back, as fits an offence that does not crowd where everything is.
    """

    name: str
    correlation: float
    event_effect: float = 0.3
    reported: float = 0.5
    at_station_house: bool = False
    kappa: float = 0.0
    hub_factor: float = 1.0
    slope: float = 2.3
    bend: float = 0.55
    evenness: float = 0.0


@dataclass(frozen=True)
class Offence:
    """One pair of codes with its labels; `yearly` is the volume in a year of the real city."""

    family: str
    key_code: int
    label: str
    detail_code: int
    detail: str
    law: str
    yearly: int


FAMILIES: tuple[Family, ...] = (
    Family("larceny", 0.85, 0.5, reported=0.35, hub_factor=1.6),
    Family("burglary", 0.80, 0.1, reported=0.45, kappa=0.2, slope=2.4, bend=0.55, evenness=0.34),
    Family("robbery", 0.90, reported=0.64, slope=3.5, bend=0.65, evenness=0.6),
    Family("violence", 0.95, reported=0.45),
    Family("damage", 0.85, reported=0.35),
    Family("drugs", 0.80, reported=0.50),
    Family("sexual", 0.90, reported=0.38, at_station_house=True),
    Family("other", 0.90, reported=0.60, hub_factor=1.6),
    Family(TARGET, 0.80, 2.0, reported=0.38, kappa=0.3, hub_factor=8.0, slope=1.8, bend=0.4),
)

_F, _M, _V = "FELONY", "MISDEMEANOR", "VIOLATION"
_MISCHIEF = "CRIMINAL MISCHIEF & RELATED OF"
_PROSTITUTION = "PROSTITUTION & RELATED OFFENSES"

OFFENCES: tuple[Offence, ...] = (
    Offence("larceny", 341, "PETIT LARCENY", 333, "LARCENY,PETIT FROM STORE-SHOPL", _M, 56_000),
    Offence("larceny", 341, "PETIT LARCENY", 338, "LARCENY,PETIT FROM BUILDING,UN", _M, 32_000),
    Offence("larceny", 341, "PETIT LARCENY", 321, "LARCENY,PETIT FROM AUTO", _M, 12_000),
    Offence("larceny", 341, "PETIT LARCENY", 339, "LARCENY,PETIT FROM OPEN AREAS,", _M, 12_000),
    Offence(
        *("larceny", 109, "GRAND LARCENY", 438),
        *("LARCENY,GRAND FROM BUILDING (NON-RESIDENCE) UNATTENDED", _F, 25_000),
    ),
    Offence(
        *("larceny", 109, "GRAND LARCENY", 432),
        *("LARCENY,GRAND BY IDENTITY THEFT-UNCLASSIFIED", _F, 13_000),
    ),
    Offence(
        *("larceny", 109, "GRAND LARCENY", 421),
        *("LARCENY,GRAND FROM VEHICLE/MOTORCYCLE", _F, 12_000),
    ),
    Offence(
        *("larceny", 110, "GRAND LARCENY OF MOTOR VEHICLE", 441),
        *("LARCENY,GRAND OF AUTO", _F, 14_600),
    ),
    Offence("burglary", 107, "BURGLARY", 221, "BURGLARY,RESIDENCE,DAY", _F, 6_000),
    Offence("burglary", 107, "BURGLARY", 223, "BURGLARY,RESIDENCE,NIGHT", _F, 4_200),
    Offence("burglary", 107, "BURGLARY", 213, "BURGLARY,COMMERCIAL,NIGHT", _F, 4_000),
    Offence("robbery", 105, "ROBBERY", 397, "ROBBERY,OPEN AREA UNCLASSIFIED", _F, 10_000),
    Offence("robbery", 105, "ROBBERY", 386, "ROBBERY,PERSONAL ELECTRONIC DEVICE", _F, 4_500),
    Offence("robbery", 105, "ROBBERY", 388, "ROBBERY,RESIDENTIAL COMMON AREA", _F, 2_500),
    Offence("violence", 106, "FELONY ASSAULT", 109, "ASSAULT 2,1,UNCLASSIFIED", _F, 22_000),
    Offence("violence", 106, "FELONY ASSAULT", 105, "STRANGULATION 1ST", _F, 6_000),
    Offence("violence", 344, "ASSAULT 3 & RELATED OFFENSES", 101, "ASSAULT 3", _M, 52_000),
    Offence(
        *("violence", 344, "ASSAULT 3 & RELATED OFFENSES", 113),
        *("MENACING,UNCLASSIFIED", _M, 7_000),
    ),
    Offence("violence", 578, "HARRASSMENT 2", 638, "HARASSMENT,SUBD 3,4,5", _V, 62_000),
    Offence("violence", 578, "HARRASSMENT 2", 637, "HARASSMENT,SUBD 1,CIVILIAN", _V, 22_400),
    Offence(
        *("violence", 361, "OFF. AGNST PUB ORD SENSBLTY &", 639),
        *("AGGRAVATED HARASSMENT 2", _M, 18_300),
    ),
    Offence("damage", 351, _MISCHIEF, 254, "MISCHIEF, CRIMINAL 4, OF MOTOR", _M, 10_000),
    Offence("damage", 351, _MISCHIEF, 258, "CRIMINAL MISCHIEF 4TH, GRAFFIT", _M, 8_500),
    Offence("damage", 351, _MISCHIEF, 259, "CRIMINAL MISCHIEF,UNCLASSIFIED 4", _M, 8_500),
    Offence("damage", 121, _MISCHIEF, 267, "MISCHIEF, CRIMINAL 3 & 2, OF M", _F, 7_600),
    Offence("damage", 121, _MISCHIEF, 269, "MISCHIEF,CRIMINAL,    UNCL 2ND", _F, 7_600),
    Offence("drugs", 235, "DANGEROUS DRUGS", 511, "CONTROLLED SUBSTANCE, POSSESSI", _M, 5_700),
    Offence("drugs", 117, "DANGEROUS DRUGS", 503, "CONTROLLED SUBSTANCE,INTENT TO", _F, 6_700),
    Offence("drugs", 118, "DANGEROUS WEAPONS", 793, "WEAPONS POSSESSION 3", _F, 5_300),
    Offence("drugs", 236, "DANGEROUS WEAPONS", 782, "WEAPONS, POSSESSION, ETC", _M, 2_800),
    Offence("sexual", 104, "RAPE", 157, "RAPE 1", _F, 1_430),
    Offence("sexual", 116, "SEX CRIMES", 177, "SEXUAL ABUSE", _F, 1_010),
    Offence("sexual", 233, "SEX CRIMES", 175, "SEXUAL ABUSE 3,2", _M, 7_300),
    Offence(
        *("other", 348, "VEHICLE AND TRAFFIC LAWS", 916),
        *("LEAVING SCENE-ACCIDENT-PERSONA", _M, 20_400),
    ),
    Offence("other", 126, "MISCELLANEOUS PENAL LAW", 198, "CRIMINAL CONTEMPT 1", _F, 16_900),
    Offence(
        *("other", 359, "OFFENSES AGAINST PUBLIC ADMINI", 759),
        *("PUBLIC ADMINISTATION,UNCLASS M", _M, 7_400),
    ),
    Offence("other", 113, "FORGERY", 729, "FORGERY,ETC.,UNCLASSIFIED-FELO", _F, 6_200),
    Offence(
        *("other", 343, "OTHER OFFENSES RELATED TO THEFT", 478),
        *("THEFT OF SERVICES, UNCLASSIFIE", _M, 5_500),
    ),
    Offence("other", 112, "THEFT-FRAUD", 739, "FRAUD,UNCLASSIFIED-FELONY", _F, 3_200),
    Offence(
        *("other", 347, "INTOXICATED & IMPAIRED DRIVING", 905),
        *("INTOXICATED DRIVING,ALCOHOL", _M, 3_200),
    ),
    Offence("other", 352, "CRIMINAL TRESPASS", 205, "TRESPASS 2, CRIMINAL", _M, 2_800),
    Offence("other", 340, "FRAUDS", 718, "FRAUD,UNCLASSIFIED-MISDEMEANOR", _M, 2_300),
    Offence(TARGET, 115, _PROSTITUTION, 586, "SEX TRAFFICKING", _F, 44),
    Offence(TARGET, 115, _PROSTITUTION, 585, "PROSTITUTION 3,PROMOTING BUSIN", _F, 16),
    Offence(TARGET, 115, _PROSTITUTION, 588, "PROSTITUTION 2, UNDER 16", _F, 6),
    Offence(TARGET, 234, _PROSTITUTION, 565, "PROSTITUTION, PATRONIZING 4, 3", _M, 220),
    Offence(TARGET, 234, _PROSTITUTION, 563, "PROSTITUTION", _M, 90),
    Offence(TARGET, 234, _PROSTITUTION, 576, "PROSTITUTION 4,PROMOTING&SECUR", _M, 32),
    Offence(TARGET, 124, "KIDNAPPING & RELATED OFFENSES", 185, "KIDNAPPING 2", _F, 110),
    Offence(TARGET, 124, "KIDNAPPING & RELATED OFFENSES", 193, "CUSTODIAL INTERFERENCE 1", _F, 30),
)


def yearly_by_family() -> dict[str, int]:
    """Volume of each family in a year of the real city."""
    yearly = {f.name: 0 for f in FAMILIES}
    for offence in OFFENCES:
        yearly[offence.family] += offence.yearly
    return yearly


def family_rates(complaints_per_day: float, target_per_day: float) -> dict[str, float]:
    """Mean complaints a day of each family: the target's as given, the others share the rest."""
    yearly = yearly_by_family()
    common = sum(volume for name, volume in yearly.items() if name != TARGET)
    rest = complaints_per_day - target_per_day
    return {
        name: target_per_day if name == TARGET else rest * volume / common
        for name, volume in yearly.items()
    }
