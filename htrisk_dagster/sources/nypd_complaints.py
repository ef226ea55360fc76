"""NYPD complaints: historic (qgea-i56i) and year to date (5uac-w243).

Source: NYC Open Data, New York City Police Department. Licence: NYC Open Data terms, no restriction
on use. Cadence: quarterly; a row appears about a quarter after the report.

Quirks:
- Layouts of 24 (2017 and before), 35 (historic) and 36 columns (year to date), and the API's JSON.
- Codes come as `75.0` where a copy went through a spreadsheet; `(null)` and `NA` stand for nothing.
- Occurrence may lie years before the report; years from 1010 to 2090 are typing errors.
- `24:00:00` is a time; points at (0, 0) are missing points.
- Numbers repeat within and between the files: staging keeps one row a number.
- Key codes have three digits; numbers are digits, since 2024 with `H` or `M` and more after them.

Suspect and victim columns are never loaded.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.distinct_texts import with_readings
from htrisk_dagster.sources.incidents import (
    borough_rule,
    clock_rule,
    code_rule,
    label_rule,
    number_rule,
    place_rules,
    precinct_rule,
    with_place,
    with_time,
)
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import DIGITS, day, identifier, whole_number

TABLE = raw.COMPLAINTS
LAW_CATEGORIES = ("felony", "misdemeanor", "violation")


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["complaints"]`.
    facts : FileFacts
        Zone, box and day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `raw.complaints`, and the rules.
    """
    timed = with_time(
        rows, on=day("CMPLNT_FR_DT"), clock=pl.col("CMPLNT_FR_TM"), time_zone=facts.time_zone
    )
    typed = with_readings(
        with_place(timed),
        identifier("CMPLNT_NUM").alias("report_id"),
        day("RPT_DT").alias("reported_on"),
        whole_number("KY_CD").alias("offence_code"),
        whole_number("PD_CD").alias("offence_detail_code"),
        pl.col("OFNS_DESC").alias("offence"),
        pl.col("LAW_CAT_CD").str.to_lowercase().alias("law_category"),
        pl.col("BORO_NM").str.to_uppercase().alias("borough"),
        whole_number("ADDR_PCT_CD").alias("precinct"),
    )
    rules = (
        Rule("number_missing", "CMPLNT_NUM", pl.col("report_id").is_null(),
             "A complaint without its number cannot be told from a repeated one."),
        number_rule("CMPLNT_NUM", rf"{DIGITS}|^\d[0-9A-Za-z]{{0,19}}$",
                    "A complaint's number is digits, with letters at most after them."),
        *day_rules("occurrence", "CMPLNT_FR_DT", "occurred_on", facts),
        clock_rule("CMPLNT_FR_TM"),
        *day_rules("report", "RPT_DT", "reported_on", facts),
        Rule("report_before_occurrence", "RPT_DT", pl.col("reported_on") < pl.col("occurred_on"),
             "The report lies before the day on which the incident is said to have begun."),
        *(code_rule(column) for column in ("KY_CD", "PD_CD", "ADDR_PCT_CD")),
        Rule("code_out_of_range", "KY_CD", ~pl.col("offence_code").is_between(100, 999),
             "A key code has three digits."),
        Rule("code_out_of_range", "PD_CD", ~pl.col("offence_detail_code").is_between(100, 9999),
             "An internal code has three or four digits."),
        precinct_rule("ADDR_PCT_CD"),
        label_rule("OFNS_DESC"),
        borough_rule("BORO_NM"),
        Rule("law_category_unknown", "LAW_CAT_CD", ~pl.col("law_category").is_in(LAW_CATEGORIES),
             f"The law category is none of {', '.join(LAW_CATEGORIES)}."),
        *place_rules(facts),
    )  # fmt: skip
    return Parsed(typed, rules)
