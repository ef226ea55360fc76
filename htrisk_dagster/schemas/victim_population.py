"""Tables of the victim-population analysis, as one list.

Belongs here: the list, and the names of `victim_records` and `victim_results`, which are handed on.
Does not: anything about places; the two are never joined and never share a table, a store or a
catalog.
"""

from htrisk_dagster.schemas.victim_records import (
    GENDERS,
    GROUPED,
    INDICATORS,
    LAYER,
    MAJORITIES,
    RECORDS,
    snake_case,
)
from htrisk_dagster.schemas.victim_results import (
    ALL_SOURCES,
    COUNTRY_PROFILES,
    DIMENSIONS,
    FLOWS,
    INDEPENDENT,
    LOGIT_COEFFICIENTS,
    RECODE_COUNTS,
    RECODE_RULES,
    SMALL_COUNTS,
    SOURCE_CONTRAST,
    TACTICS,
    TOLD_AS_ONE,
    YEARLY_COUNTS,
    YEARLY_FORECASTS,
)

TABLES = (
    RECORDS,
    RECODE_COUNTS,
    YEARLY_COUNTS,
    SOURCE_CONTRAST,
    TACTICS,
    YEARLY_FORECASTS,
    FLOWS,
    COUNTRY_PROFILES,
    LOGIT_COEFFICIENTS,
)

__all__ = [
    "ALL_SOURCES",
    "COUNTRY_PROFILES",
    "DIMENSIONS",
    "FLOWS",
    "GENDERS",
    "GROUPED",
    "INDEPENDENT",
    "INDICATORS",
    "LAYER",
    "LOGIT_COEFFICIENTS",
    "MAJORITIES",
    "RECODE_COUNTS",
    "RECODE_RULES",
    "RECORDS",
    "SMALL_COUNTS",
    "SOURCE_CONTRAST",
    "TABLES",
    "TACTICS",
    "TOLD_AS_ONE",
    "YEARLY_COUNTS",
    "YEARLY_FORECASTS",
    "snake_case",
]
