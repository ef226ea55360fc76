"""MTA daily ridership (vxuj-8kew): riders, trips or crossings by service and day.

Source: data.ny.gov, Metropolitan Transportation Authority. Licence: Open NY terms, no restriction
on use. Cadence: daily or weekly by period; figures are revised for weeks.

Quirks:
- One row a day with a column a service; not sorted by day.
- The API spells one column `buses_total_estimated_ridersip`.
- A service that had not begun to report is empty: it gives no row for that day.

A row of the file is one day, and is kept or refused as a whole; `by_service` then makes one row a
service of it. Rows are counted in the intake table as the file's own.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import day, is_unreadable, whole_number

TABLE = raw.TRANSIT_RIDERSHIP
MOST_RIDERS = 20_000_000  # a day and service; the subway's highest was some 6 million
SERVICES = {
    "subway": "SUBWAYS_TOTAL_ESTIMATED_RIDERSHIP",
    "bus": "BUSES_TOTAL_ESTIMATED_RIDERSHIP",
    "lirr": "LIRR_TOTAL_ESTIMATED_RIDERSHIP",
    "metro_north": "METRO_NORTH_TOTAL_ESTIMATED_RIDERSHIP",
    "access_a_ride": "ACCESS_A_RIDE_TOTAL_SCHEDULED_TRIPS",
    "bridges_and_tunnels": "BRIDGES_AND_TUNNELS_TOTAL_TRAFFIC",
    "staten_island_railway": "STATEN_ISLAND_RAILWAY_TOTAL_ESTIMATED_RIDERSHIP",
}


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file, one row a day with one column a service.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["transit_ridership"]`.
    facts : FileFacts
        Day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with `ridden_on` and a count a service, and the rules.
    """
    typed = rows.with_columns(
        day("DATE").alias("ridden_on"),
        *(whole_number(column, pl.Int64).alias(name) for name, column in SERVICES.items()),
    )
    rules = (
        *day_rules("travel", "DATE", "ridden_on", facts),
        *(Rule("count_unreadable", column,
               is_unreadable(column, pl.col(name)) | (pl.col(name) < 0),
               "Riders must be a whole number, zero or more.")
          for name, column in SERVICES.items()),
        *(Rule("count_too_large", column, pl.col(name) > MOST_RIDERS,
               f"No service had {MOST_RIDERS:,} riders on a day.")
          for name, column in SERVICES.items()),
    )  # fmt: skip
    return Parsed(typed, rules)


def by_service(days: pl.DataFrame) -> pl.DataFrame:
    """One row a service and day of one row a day; services without a figure are left out."""
    others = [name for name in days.columns if name not in SERVICES]
    long = days.unpivot(
        list(SERVICES), index=others, variable_name="service", value_name="riders_count"
    )
    return long.drop_nulls("riders_count").sort("ridden_on", "service")
