"""NYPD felonies of 2014 and 2015: robbery, burglary, felony assault, grand larceny.

Source: NYPD seven major felonies by incident, in the layout published with ST-HSL (ICDE 2022):
Occurrence Date, Day of Week, Offense, Sector, Precinct, Latitude, Longitude. Licence: NYC Open Data
terms, no restriction on use. Cadence: none, a closed file.

Quirks:
- No number: `report_id` is the row's own text and a count among equal rows, so that a file read
  twice gives the same numbers, and two copies of a file the same again (staging keeps one).
- No report date: `reported_on` is the day of occurrence.
- No borough, no codes; Day of Week is the day of something else and is not read.
- Times heap at 00:00 and 12:00.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.incidents import (
    clock_rule,
    code_rule,
    label_rule,
    place_rules,
    precinct_rule,
    with_absent_columns,
    with_place,
    with_time,
)  # fmt: skip
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import clock_part, day, whole_number

TABLE = raw.FELONIES
_CONTENT = ("OCCURRENCE_DATE", "OFFENSE", "SECTOR", "PRECINCT", "LATITUDE", "LONGITUDE")


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["felonies"]`.
    facts : FileFacts
        Zone, box and day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `raw.felonies`, and the rules.
    """
    timed = with_time(
        rows,
        on=day("OCCURRENCE_DATE"),
        clock=clock_part("OCCURRENCE_DATE"),
        time_zone=facts.time_zone,
    )
    content = pl.concat_str((pl.col(name).fill_null("") for name in _CONTENT), separator="|")
    typed = with_place(timed).with_columns(
        content.alias("report_id"),
        pl.col("occurred_on").alias("reported_on"),
        pl.col("OFFENSE").alias("offence"),
        pl.lit("felony").alias("law_category"),
        whole_number("PRECINCT").alias("precinct"),
    )
    numbered = with_absent_columns(typed).with_columns(
        pl.concat_str("report_id", pl.col("source_row").rank("ordinal").over("report_id"),
                      separator="|")
    )  # fmt: skip
    rules = (
        *day_rules("occurrence", "OCCURRENCE_DATE", "occurred_on", facts),
        clock_rule("OCCURRENCE_DATE"),
        Rule("offence_missing", "OFFENSE", pl.col("OFFENSE").is_null(),
             "The file gives no code, so a row without its offence cannot be counted."),
        label_rule("OFFENSE"),
        Rule("sector_unknown", "SECTOR", ~pl.col("SECTOR").str.contains(r"^[A-Za-z0-9]$"),
             "A sector is one letter or digit."),
        code_rule("PRECINCT"),
        precinct_rule("PRECINCT"),
        *place_rules(facts),
    )  # fmt: skip
    return Parsed(numbered, rules)
