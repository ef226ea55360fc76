"""Passengers through John F. Kennedy International Airport by month.

Source: Port Authority of New York and New Jersey, airport traffic statistics, in the layout
Activity Period, Revenue Passenger Volume, Freight Volume, Mail Volume, Total Flights. Licence:
public figures of the authority. Cadence: monthly, about six weeks after the month.

Quirks:
- The file does not name the airport; the layout is JFK's.
- Months are given by their first day.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import day, whole_number

TABLE = raw.AIRPORT_PASSENGERS
AIRPORT = "JFK"
MOST_PASSENGERS = 20_000_000  # a month; the airport's highest was some 6 million


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["airport_passengers"]`.
    facts : FileFacts
        Day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `raw.airport_passengers`, and the rules.
    """
    typed = rows.with_columns(
        pl.lit(AIRPORT).alias("airport"),
        day("ACTIVITY_PERIOD").dt.month_start().alias("month_on"),
        whole_number("REVENUE_PASSENGER_VOLUME", pl.Int64).alias("passengers_count"),
    )
    count = pl.col("passengers_count")
    rules = (
        *day_rules("period", "ACTIVITY_PERIOD", "month_on", facts),
        Rule("count_unreadable", "REVENUE_PASSENGER_VOLUME", count.is_null() | (count < 0),
             "Passengers must be a whole number, zero or more."),
        Rule("count_too_large", "REVENUE_PASSENGER_VOLUME", count > MOST_PASSENGERS,
             f"No month had {MOST_PASSENGERS:,} passengers."),
    )  # fmt: skip
    return Parsed(typed, rules)
