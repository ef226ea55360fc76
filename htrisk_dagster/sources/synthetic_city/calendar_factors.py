"""What time alone does: weekday, month, holidays, first days, years, and the shock of a day.

Belongs here: factors by family and day. Does not: what differs between places (`intensity`).

Weekdays, months, first days of a month and the year's first are those of NYPD felonies of 2014-15,
each family's own where it has one of the four, else those of all four together. Years are those of
all complaints by week of occurrence, 2015-2024. A shock multiplies a day and nobody can forecast
it: one that all families share and one of each family's own. With both, the daily counts of the
four felonies vary as they did in 2014-15.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.offences import FAMILIES
from htrisk_dagster.sources.synthetic_city.presets import Preset

# Monday to Sunday, in thousandths of the mean.
WEEKDAYS: dict[str, tuple[int, ...]] = {
    "all": (1006, 982, 988, 974, 1087, 1021, 943),
    "larceny": (1027, 1004, 1004, 1010, 1109, 989, 856),
    "burglary": (1033, 1015, 1054, 1021, 1267, 884, 723),
    "robbery": (1031, 998, 969, 959, 1020, 1022, 1001),
    "violence": (918, 895, 916, 870, 955, 1195, 1253),
}
# January to December, a day, in thousandths of the mean.
MONTHS: dict[str, tuple[int, ...]] = {
    "all": (932, 866, 887, 931, 1019, 1045, 1094, 1106, 1070, 1076, 996, 967),
    "larceny": (908, 854, 897, 959, 1006, 1066, 1091, 1092, 1071, 1097, 989, 960),
    "burglary": (986, 900, 855, 895, 992, 1006, 1086, 1075, 1100, 1094, 1010, 993),
    "robbery": (1028, 885, 840, 857, 996, 943, 1048, 1103, 1066, 1094, 1046, 1079),
    "violence": (861, 848, 929, 960, 1088, 1114, 1143, 1165, 1048, 1004, 958, 868),
}
# First day of a month, and what 1 January has on top.
FIRST_DAYS: dict[str, tuple[float, float]] = {
    "all": (1.17, 1.2),
    "larceny": (1.32, 1.15),
    "burglary": (1.0, 1.0),
    "robbery": (1.05, 1.1),
    "violence": (1.1, 2.1),
}
HOLIDAY_FACTOR = 0.90
# Complaints a day by year of occurrence.
YEARLY: dict[int, int] = {
    **{2015: 1_312, 2016: 1_309, 2017: 1_281, 2018: 1_269, 2019: 1_260},
    **{2020: 1_132, 2021: 1_235, 2022: 1_456, 2023: 1_516, 2024: 1_570},
}
SHARED_SHOCK_VARIANCE = 0.0013
OWN_SHOCK_VARIANCE: dict[str, float] = {
    "all": 0.0033,
    "larceny": 0.0026,
    "burglary": 0.0280,
    "robbery": 0.0059,
    "violence": 0.0110,
}

_T = TypeVar("_T")


def calendar_factor(preset: Preset, family: str) -> NDArray[np.float64]:
    """Weekday, month, year, holidays and first days; mean 1, shape (D,)."""
    import holidays

    days = preset.days
    month = days.astype("datetime64[M]")
    year = days.astype("datetime64[Y]")
    factor = np.array(_of(WEEKDAYS, family))[(days.astype(np.int64) + 3) % 7] / 1000
    factor = factor * np.array(_of(MONTHS, family))[month.astype(np.int64) % 12] / 1000
    known = holidays.country_holidays(
        "US", subdiv="NY", years=range(preset.first_day.year, preset.last_day.year + 1)
    )
    is_holiday = np.isin(days, np.array(sorted(known), dtype="datetime64[D]"))
    first_of_month, first_of_year = _of(FIRST_DAYS, family)
    factor = factor * np.where(is_holiday, HOLIDAY_FACTOR, 1.0)
    factor = factor * np.where(days == month, first_of_month, 1.0)
    factor = factor * np.where(days == year, first_of_year, 1.0)
    # Years before and after the table are as its first and last.
    factor = factor * np.interp(year.astype(np.int64) + 1970, list(YEARLY), list(YEARLY.values()))
    scaled: NDArray[np.float64] = np.round(factor / factor.mean(), 6)
    return scaled


def day_shocks(preset: Preset, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Gamma factors of each family with mean 1, shape (D,); the shared one is in each."""
    shared = _shock(SHARED_SHOCK_VARIANCE, len(preset.days), rng)
    return {
        family.name: np.round(
            shared * _shock(_of(OWN_SHOCK_VARIANCE, family.name), len(preset.days), rng), 6
        )
        for family in FAMILIES
    }


def _shock(variance: float, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gamma factors, scaled so that the days at hand have the mean and variance, not only all days."""
    drawn = rng.gamma(1 / variance, variance, count)
    centred = (drawn - drawn.mean()) / drawn.std()
    shock: NDArray[np.float64] = np.round(1 + np.sqrt(variance) * centred, 6)
    return shock


def _of(table: dict[str, _T], family: str) -> _T:
    return table.get(family, table["all"])
