"""The public data sets that the live origin of New York reads, and where each is published.

Belongs here: sites, identifiers, the date column of each data set. Does not: requests (`socrata`),
what becomes of a column (the readers).

Identifiers were valid in 2026. A publisher may withdraw one: the client's 404 says so.
"""

from __future__ import annotations

from dataclasses import dataclass

NYC_OPEN_DATA = "https://data.cityofnewyork.us"
NEW_YORK_STATE = "https://data.ny.gov"


@dataclass(frozen=True)
class OpenDataSet:
    """A table on a Socrata site.

    Parameters
    ----------
    title : str
        Title on the publisher's site, to look it up by.
    base_url : str
        The publisher's site.
    dataset_id : str
        Four-by-four identifier; `<base_url>/d/<dataset_id>` is its page for readers.
    """

    title: str
    base_url: str
    dataset_id: str


@dataclass(frozen=True)
class DatedDataSet(OpenDataSet):
    """A table fetched by windows of a date column.

    Parameters
    ----------
    title, base_url, dataset_id : str
        As for `OpenDataSet`.
    date_column : str
        API name of the column whose windows partition the table.
    """

    date_column: str


# By raw table. Where a table has two data sets they overlap; staging keeps one row a number.
DATED: dict[str, tuple[DatedDataSet, ...]] = {
    # By day of report, as NYPD releases it: a month that is out gains few rows. By day of occurrence
    # every month gains rows for years, and mistyped years such as 1018 lie in no window.
    "complaints": (
        DatedDataSet("NYPD Complaint Data Historic", NYC_OPEN_DATA, "qgea-i56i", "rpt_dt"),
        DatedDataSet(
            "NYPD Complaint Data Current (Year To Date)", NYC_OPEN_DATA, "5uac-w243", "rpt_dt"
        ),
    ),
    "shootings": (
        DatedDataSet(
            "NYPD Shooting Incident Data (Historic)", NYC_OPEN_DATA, "833y-fsy8", "occur_date"
        ),
    ),
    "permitted_events": (
        DatedDataSet(
            "NYC Permitted Event Information - Historical",
            NYC_OPEN_DATA,
            "bkfu-528j",
            "start_date_time",
        ),
        DatedDataSet(
            "NYC Permitted Event Information", NYC_OPEN_DATA, "tvpp-9vvx", "start_date_time"
        ),
    ),
    "transit_ridership": (
        DatedDataSet(
            "MTA Daily Ridership Data: Beginning 2020", NEW_YORK_STATE, "vxuj-8kew", "date"
        ),
    ),
}

# By raw table, fetched whole as GeoJSON; both are clipped to the shore line.
BOUNDARIES: dict[str, OpenDataSet] = {
    "boroughs": OpenDataSet("Borough Boundaries", NYC_OPEN_DATA, "gthc-hcne"),
    "precincts": OpenDataSet("Police Precincts", NYC_OPEN_DATA, "y76i-bdw7"),
}
