"""NYC permitted events: historic (bkfu-528j) and current (tvpp-9vvx).

Source: NYC Open Data, Office of Citywide Event Coordination and Management. Licence: NYC Open Data
terms, no restriction on use. Cadence: daily for the current file, which looks about a month ahead.

Quirks:
- Event ID repeats, once an occurrence; multi-day events are one row.
- Precincts are a list with a trailing comma and blank (`"7, "`); there are no coordinates.
- The historic file comes with the API's column names, the current one with printed ones.

Event names are never loaded: some are names of persons.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.incidents import (
    HIGHEST_PRECINCT,
    borough_rule,
    label_rule,
    number_rule,
)
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import (
    DIGITS,
    clock_part,
    day,
    identifier,
    local_instant,
    seconds_of_day,
    to_utc,
)  # fmt: skip

TABLE = raw.PERMITTED_EVENTS
FURTHEST_YEARS = 5  # after the file's day; permits look a month ahead
LONGEST_DAYS = 1_100  # of an event; standing permits run for some 560
_PRECINCT_LIST = r"^[\s,]*(?:\d{1,4}(?:[\s,]+|$))*$"


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["permitted_events"]`.
    facts : FileFacts
        Zone and day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `raw.permitted_events`, and the rules.
    """
    typed = rows.with_columns(
        identifier("EVENT_ID").alias("event_id"),
        pl.col("EVENT_TYPE").alias("event_type"),
        pl.col("EVENT_AGENCY").alias("agency"),
        pl.col("EVENT_BOROUGH").str.to_uppercase().alias("borough"),
        pl.col("POLICE_PRECINCT").fill_null("").str.extract_all(r"\d+")
        .cast(pl.List(pl.Int32), strict=False).alias("precincts"),
    )  # fmt: skip
    for edge, column in (("starts", "START_DATE_TIME"), ("ends", "END_DATE_TIME")):
        typed = _with_edge(typed, edge, column, facts.time_zone)
    return Parsed(typed, _rules(facts))


def _with_edge(rows: pl.DataFrame, edge: str, column: str, time_zone: str) -> pl.DataFrame:
    """Add the local day, the local time, the instant and `<edge>_unreadable` of one end."""
    clock = rows.select(clock_part(column)).to_series()
    seconds = seconds_of_day(clock)
    local = local_instant(pl.col(f"{edge}_on"), pl.lit(seconds))
    return (
        rows.with_columns(
            day(column).alias(f"{edge}_on"),
            (clock.is_not_null() & seconds.is_null()).alias(f"{edge}_unreadable"),
        )
        .with_columns(local.alias(f"{edge}_local"))
        .with_columns(to_utc(pl.col(f"{edge}_local"), time_zone).alias(f"{edge}_at"))
    )


def _rules(facts: FileFacts) -> tuple[Rule, ...]:
    starts = day_rules("start", "START_DATE_TIME", "starts_on", facts)
    return (
        Rule("number_missing", "EVENT_ID", pl.col("event_id").is_null(),
             "An event without its number cannot be told from a repeated one."),
        number_rule("EVENT_ID", DIGITS, "An event's number is digits."),
        # A permit is for the future: its day may lie after the file's, but not by far.
        *(rule for rule in starts if rule.name != "start_after_file"),
        Rule("start_long_after_file", "START_DATE_TIME",
             pl.col("starts_on") > facts.last_day + timedelta(days=366 * FURTHEST_YEARS),
             f"The event starts more than {FURTHEST_YEARS} years after the day of the file."),
        Rule("end_date_unreadable", "END_DATE_TIME", pl.col("ends_on").is_null(),
             "The day of the end is missing or is no date."),
        *(Rule("time_unreadable", column, pl.col(f"{edge}_unreadable"), "The time of day is none.")
          for edge, column in (("starts", "START_DATE_TIME"), ("ends", "END_DATE_TIME"))),
        Rule("end_before_start", "END_DATE_TIME", pl.col("ends_local") < pl.col("starts_local"),
             "The event ends before it starts."),
        Rule("event_too_long", "END_DATE_TIME",
             (pl.col("ends_on") - pl.col("starts_on")).dt.total_days() > LONGEST_DAYS,
             f"The event ends more than {LONGEST_DAYS} days after it starts."),
        Rule("type_missing", "EVENT_TYPE", pl.col("event_type").is_null(),
             "The event has no type."),
        label_rule("EVENT_TYPE"),
        label_rule("EVENT_AGENCY"),
        borough_rule("EVENT_BOROUGH"),
        Rule("precincts_not_a_list", "POLICE_PRECINCT",
             ~pl.col("POLICE_PRECINCT").str.contains(_PRECINCT_LIST),
             "Precincts must be whole numbers with commas between."),
        Rule("precinct_unknown", "POLICE_PRECINCT",
             ~pl.col("precincts").list.eval(pl.element().is_between(1, HIGHEST_PRECINCT))
             .list.all(),
             f"A precinct's number lies between 1 and {HIGHEST_PRECINCT}."),
    )  # fmt: skip
