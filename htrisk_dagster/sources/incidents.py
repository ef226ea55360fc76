"""What the police files of New York have in common: when, where, and the rules for both.

Belongs here: columns and rules shared by complaints, felonies and shootings, and by any file with
a point. Does not: a publisher's column names (each source's module), offence groups (staging).

A row without a point is good: its day and offence count, its place is missing. `(0, 0)` and a
missing half are such rows. A point elsewhere outside the city is an error of geocoding and the row
is refused, since its precinct and borough cannot be trusted either.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.sources.distinct_texts import once_a_text, with_readings
from htrisk_dagster.sources.quarantine import FileFacts, Rule
from htrisk_dagster.sources.text_values import (
    is_unreadable,
    local_instant,
    number,
    seconds_of_day,
    to_utc,
    whole_number,
)  # fmt: skip

NYC_BOROUGHS = ("BRONX", "BROOKLYN", "MANHATTAN", "QUEENS", "STATEN ISLAND")
HIGHEST_PRECINCT = 150  # NYPD's go to 123
_ABSENT = {"offence_code": pl.Int32, "offence_detail_code": pl.Int32, "law_category": pl.String,
           "borough": pl.String, "precinct": pl.Int32}  # fmt: skip


def with_time(rows: pl.DataFrame, on: pl.Expr, clock: pl.Expr, time_zone: str) -> pl.DataFrame:
    """Add `occurred_on`, `occurred_at` (naive UTC) and `clock_unreadable`.

    Parameters
    ----------
    on : Expr
        Local day.
    clock : Expr
        Text of the local time; midnight where it is missing.
    """
    clocks = rows.select(clock).to_series()
    seconds = once_a_text(clocks, seconds_of_day).alias("clock_seconds")
    unreadable = (clocks.is_not_null() & seconds.is_null()).alias("clock_unreadable")
    timed = with_readings(rows.with_columns(seconds, unreadable), on.alias("occurred_on"))
    local = local_instant(pl.col("occurred_on"), pl.col("clock_seconds"))
    return with_readings(timed, to_utc(local, time_zone).alias("occurred_at"))


def with_place(
    rows: pl.DataFrame, *, lat: str = "LATITUDE", lon: str = "LONGITUDE"
) -> pl.DataFrame:
    """Add `lon` and `lat` in degrees from columns of text, both null where missing or 0.

    `lon_unreadable` and `lat_unreadable` say where a text is there that is no number.
    """
    east, north = pl.col("lon"), pl.col("lat")
    has_point = east.is_not_null() & north.is_not_null() & ((east != 0) | (north != 0))
    return with_readings(rows, number(lon).alias("lon"), number(lat).alias("lat")).with_columns(
        pl.when(has_point).then(east).alias("lon"),
        pl.when(has_point).then(north).alias("lat"),
        is_unreadable(lon, east).alias("lon_unreadable"),
        is_unreadable(lat, north).alias("lat_unreadable"),
    )


def with_absent_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """Add, as missing, the columns of an incident that this publisher does not give."""
    absent = {name: dtype for name, dtype in _ABSENT.items() if name not in rows.columns}
    return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in absent.items())


def clock_rule(column: str) -> Rule:
    """Refuse a time of day that is there but cannot be read."""
    return Rule("time_unreadable", column, pl.col("clock_unreadable"),
                "The time of day is none.")  # fmt: skip


def code_rule(column: str) -> Rule:
    """Refuse a code that is there but is no whole number."""
    return Rule("code_not_a_number", column, is_unreadable(column, whole_number(column)),
                "A code or precinct must be a whole number.")  # fmt: skip


def number_rule(column: str, shape: str, reason: str) -> Rule:
    """Refuse a publisher's number that has not the shape of one."""
    return Rule("number_unreadable", column, ~pl.col(column).str.contains(shape), reason)


def label_rule(column: str) -> Rule:
    """Refuse a label without a letter: the value of another column has slipped into it."""
    return Rule("label_without_letters", column, ~pl.col(column).str.contains(r"\p{Alphabetic}"),
                "A label is in words.")  # fmt: skip


def borough_rule(column: str) -> Rule:
    """Refuse a borough that New York City does not have."""
    return Rule("borough_unknown", column,
                ~pl.col(column).str.to_uppercase().is_in(NYC_BOROUGHS),
                f"The borough is none of {', '.join(NYC_BOROUGHS)}.")  # fmt: skip


def precinct_rule(column: str) -> Rule:
    """Refuse a number that is no precinct's."""
    return Rule("precinct_unknown", column,
                ~whole_number(column).is_between(1, HIGHEST_PRECINCT),
                f"A precinct's number lies between 1 and {HIGHEST_PRECINCT}.")  # fmt: skip


def neighbourhood_rule(column: str) -> Rule:
    """Refuse a text that is no neighbourhood tabulation area."""
    return Rule("area_unknown", column, ~pl.col(column).str.contains(r"^[A-Za-z]{2}\d{4}$"),
                "A neighbourhood's code is two letters and four digits.")  # fmt: skip


def place_rules(
    facts: FileFacts, *, lat: str = "LATITUDE", lon: str = "LONGITUDE"
) -> tuple[Rule, ...]:
    """Refuse coordinates that are no numbers, and points outside the bounding box (see `with_place`)."""
    box = facts.bounding_box
    outside = (
        "The point lies outside the study area's bounding box, "
        f"longitude {box.west} to {box.east}, latitude {box.south} to {box.north}."
    )
    return (
        *(Rule("coordinate_not_a_number", column, pl.col(f"{name}_unreadable"),
               "A coordinate must be a number of degrees.")
          for name, column in (("lat", lat), ("lon", lon))),
        Rule("point_outside_city", lat,
             ~pl.col("lat").is_between(box.south, box.north), outside),
        Rule("point_outside_city", lon,
             ~pl.col("lon").is_between(box.west, box.east), outside),
    )  # fmt: skip
