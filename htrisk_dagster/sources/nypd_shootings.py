"""NYPD shooting incidents (833y-fsy8): a rare event, about four a day, precisely located.

Source: NYC Open Data, New York City Police Department. Licence: NYC Open Data terms, no restriction
on use. Cadence: yearly, with a year-to-date file each quarter.

Quirks:
- One row a victim: INCIDENT_KEY repeats within an incident; staging keeps one row an incident.
- Days and hours are not padded (`9/9/2015`, `2:17:00`).
- No report date: `reported_on` is the day of occurrence. No codes: the offence is SHOOTING.

Perpetrator and victim columns are never loaded.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.incidents import (
    borough_rule,
    clock_rule,
    code_rule,
    number_rule,
    place_rules,
    precinct_rule,
    with_absent_columns,
    with_place,
    with_time,
)  # fmt: skip
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import DIGITS, day, identifier, whole_number

TABLE = raw.SHOOTINGS
OFFENCE = "SHOOTING"


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["shootings"]`.
    facts : FileFacts
        Zone, box and day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `raw.shootings`, and the rules.
    """
    timed = with_time(
        rows, on=day("OCCUR_DATE"), clock=pl.col("OCCUR_TIME"), time_zone=facts.time_zone
    )
    typed = with_place(timed).with_columns(
        identifier("INCIDENT_KEY").alias("report_id"),
        pl.col("occurred_on").alias("reported_on"),
        pl.lit(OFFENCE).alias("offence"),
        pl.col("BORO").str.to_uppercase().alias("borough"),
        whole_number("PRECINCT").alias("precinct"),
    )
    rules = (
        Rule("number_missing", "INCIDENT_KEY", pl.col("report_id").is_null(),
             "A row without its incident's number cannot be told from another victim's."),
        number_rule("INCIDENT_KEY", DIGITS, "An incident's number is digits."),
        *day_rules("occurrence", "OCCUR_DATE", "occurred_on", facts),
        clock_rule("OCCUR_TIME"),
        code_rule("PRECINCT"),
        precinct_rule("PRECINCT"),
        borough_rule("BORO"),
        *place_rules(facts),
    )  # fmt: skip
    return Parsed(with_absent_columns(typed), rules)
