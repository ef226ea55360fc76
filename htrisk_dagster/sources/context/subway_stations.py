"""MTA subway stations (39hk-dx4f), Staten Island Railway among them.

Source: data.ny.gov, Metropolitan Transportation Authority. Licence: Open NY terms, no restriction on
use. Cadence: when a station opens or closes.

Quirks:
- A complex such as Times Square is several stations, one a line; three share one station number, so
  the stop number of the timetable (GTFS) is the key.
- Coordinates are called `GTFS Latitude` and `GTFS Longitude`.
- There is no day of opening.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources.context.tax_lots import point_missing_rule
from htrisk_dagster.sources.incidents import number_rule, place_rules, with_place
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule

TABLE = context_sources.SUBWAY_STATIONS


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file: `station` and its point."""
    typed = with_place(rows).with_columns(pl.col("GTFS_STOP_ID").alias("station"))
    missing = Rule("number_missing", "GTFS_STOP_ID", pl.col("station").is_null(),
                   "The station has no stop number.")  # fmt: skip
    shape = number_rule("GTFS_STOP_ID", r"^[A-Za-z0-9]{2,4}$",
                        "A stop number is two to four letters or digits.")  # fmt: skip
    rules = (missing, shape, *place_rules(facts), point_missing_rule())
    return Parsed(typed, rules)
