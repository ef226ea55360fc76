"""Adverts by area and day, counted by whoever gives the file.

Source: a partner's own aggregate with exactly three columns: day, area, advert_count. This program
never reads an advert, never visits a site that shows them, and refuses a file with any further
column (`layouts`, `is_closed`): a text, a number or an address would tell of persons. For the same
reason no refused value is shown in the quarantine.

Quirks:
- A row a day and area, also where the count is 0: a day without a row is not known.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources.context.area_codes import area_id, area_rule, area_type
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import day, whole_number

TABLE = context_sources.ADVERT_COUNTS
MOST_ADVERTS = 1_000_000  # a day and area


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file: `counted_on`, area, `adverts_count` and the key of both."""
    typed = rows.with_columns(
        day("DAY").alias("counted_on"),
        area_type("AREA").alias("area_type"),
        area_id("AREA").alias("area_id"),
        whole_number("ADVERT_COUNT", pl.Int64).alias("adverts_count"),
    )
    typed = typed.with_columns(
        pl.format("{} {} {}", "area_type", "area_id", "counted_on").alias("area_day")
    )
    count = pl.col("adverts_count")
    rules = (
        *day_rules("count", "DAY", "counted_on", facts),
        area_rule("AREA"),
        Rule("count_unreadable", "ADVERT_COUNT", count.is_null() | (count < 0),
             "Adverts must be a whole number, zero or more."),
        Rule("count_too_large", "ADVERT_COUNT", count > MOST_ADVERTS,
             f"No area had {MOST_ADVERTS:,} adverts on a day."),
    )  # fmt: skip
    return Parsed(typed, rules)
