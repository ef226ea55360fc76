"""Raw tables of a study area: those it takes incidents from, and what it declares beside them.

Belongs here: which raw tables an area has, and by which day they are cut into months. Does not: the
assets (`assets/raw.py`), reading (`intake.py`).
"""

from __future__ import annotations

from htrisk_dagster.schemas import context_sources, raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

# Table to the day that places a row in a month.
_BY_MONTH = {
    raw.COMPLAINTS: "reported_on",
    raw.FELONIES: "reported_on",
    raw.SHOOTINGS: "reported_on",
    raw.INCIDENT_REPORTS: "reported_on",
    raw.PERMITTED_EVENTS: "starts_on",
    raw.TRANSIT_RIDERSHIP: "ridden_on",
    context_sources.NEWS_SENTIMENT: "published_on",
    context_sources.ADVERT_COUNTS: "counted_on",
}
_WHOLE = (
    raw.AIRPORT_PASSENGERS,
    raw.BOROUGHS,
    raw.PRECINCTS,
    context_sources.NEIGHBOURHOODS,
    context_sources.TAX_LOTS,
    context_sources.CENSUS_AREAS,
    context_sources.HOTELS,
    context_sources.SUBWAY_STATIONS,
    context_sources.PLACES_OF_INTEREST,
)
DECLARED = (raw.HOLIDAYS, raw.OFFENCE_GROUPS)
"""Tables made from the study area's file."""


def monthly_tables(area: StudyArea) -> dict[Table, str]:
    """Tables of the area that are cut into months, each with the day that does it."""
    named = _named(area)
    return {table: day for table, day in _BY_MONTH.items() if table.name in named}


def whole_tables(area: StudyArea) -> tuple[Table, ...]:
    """Tables of the area that are replaced as a whole; those of the restricted store are apart."""
    named = _named(area)
    return tuple(table for table in _WHOLE if table.name in named)


def raw_table_names(area: StudyArea) -> frozenset[str]:
    """Names of all raw tables of the area, restricted ones left out."""
    tables = (*monthly_tables(area), *whole_tables(area), *DECLARED)
    return frozenset(table.name for table in tables)


def _named(area: StudyArea) -> set[str]:
    context = area.context
    by_part = (
        (context.census, ("neighbourhoods", "tax_lots", "census_areas")),
        (context.hotels, ("hotels",)),
        (context.subway_stations, ("subway_stations",)),
        (context.places, ("places_of_interest",)),
        (context.news_sentiment, ("news_sentiment",)),
        (context.advert_counts, ("advert_counts",)),
    )
    declared = {name for part, names in by_part if part for name in names}
    return {*area.incident_sources, *area.covariates, "boroughs", "precincts", *declared}
