"""NIBRS: the FBI's incident, offence and code files, and files merged from them beforehand.

Source: FBI Crime Data Explorer, incident-based data by state and year, one zip a state and year
(https://cde.ucr.cjis.gov). Licence: public domain. Cadence: yearly, the year before in autumn.

Belongs here: what each file of a delivery says, row by row. Does not: joining them
(`reported_offences`), agencies (`police_agencies`).

Quirks:
- Headers are in upper case until 2020 and in lower case since; dates are `05-JAN-18`, `2018-01-05
  00:00:00` or ISO.
- Until 2020 an offence names its type by number (`OFFENSE_TYPE_ID`), since 2021 by code.
- `REPORT_DATE_FLAG` R says that the day is that of the report, since nobody knows when it was.
- A merged file has no number of the incident: rows of one agency, day, hour and kind of place are
  taken for one incident. It has a row for each criminal act, exact repeats among them.
- Whole numbers come as `13` and as `13.0`.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.sources.incidents import label_rule, number_rule
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import DIGITS, day, identifier, is_unreadable, whole_number

_MISSING_HOUR = "unknown hour"
_CODE = r"^\d{2}[0-9A-Z*]$"  # 09A, 120, and 23* for larceny of any kind


def parse_merged(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of a file merged beforehand; see `nypd_felonies.parse` for the shape.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["nibrs_merged"]`.
    facts : FileFacts
        Day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `nibrs.nibrs_merged`, and the rules.
    """
    typed = rows.with_columns(
        identifier("AGENCY_LOCATION").alias("agency_id"),
        _incident_day().alias("occurred_on"),
        whole_number("INCIDENT_HOUR").alias("occurred_hour"),
        pl.lit(value=True).alias("is_incident_derived"),
        pl.lit(value=False).alias("is_report_day"),
        pl.lit(None, pl.String).alias("nibrs_code"),
        pl.col("OFFENSE_NAME").alias("offence"),
        pl.col("OFFENSE_CATEGORY_NAME").alias("offence_category"),
        pl.col("LOCATION_AREA").alias("location"),
    ).with_columns(
        pl.concat_str(
            "agency_id",
            pl.col("occurred_on").cast(pl.String),
            pl.col("occurred_hour").cast(pl.String).fill_null(_MISSING_HOUR),
            pl.col("location").fill_null("unknown place"),
            separator="|",
        ).alias("incident_id")
    )
    rules = (
        *day_rules("occurrence", "INCIDENT_DATE", "occurred_on", facts),
        _hour_rule(),
        _missing_rule("agency", "AGENCY_LOCATION", "Without its agency an incident has no place."),
        _digits_rule("AGENCY_LOCATION"),
        _missing_rule("offence", "OFFENSE_NAME", "A row without its offence cannot be counted."),
        _missing_rule("category", "OFFENSE_CATEGORY_NAME", "The offence has no category."),
        *map(label_rule, ("OFFENSE_NAME", "OFFENSE_CATEGORY_NAME", "LOCATION_AREA")),
    )
    return Parsed(typed, rules)


def parse_incidents(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of an incident file; as `parse_merged`."""
    typed = rows.with_columns(
        identifier("INCIDENT_ID").alias("incident_id"),
        identifier("AGENCY_ID").alias("agency_id"),
        _incident_day().alias("occurred_on"),
        whole_number("INCIDENT_HOUR").alias("occurred_hour"),
        (pl.col("REPORT_DATE_FLAG").str.to_uppercase() == "R").fill_null(value=False).alias("is_report_day"),
    )  # fmt: skip
    rules = (
        _missing_rule("incident", "INCIDENT_ID", "Without its number no offence can be joined."),
        _missing_rule("agency", "AGENCY_ID", "Without its agency an incident has no place."),
        *map(_digits_rule, ("INCIDENT_ID", "AGENCY_ID")),
        *day_rules("occurrence", "INCIDENT_DATE", "occurred_on", facts),
        _hour_rule(),
    )
    return Parsed(typed, rules)


def parse_offences(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of an offence file; as `parse_merged`."""
    typed = rows.with_columns(
        identifier("OFFENSE_ID").alias("offence_id"),
        identifier("INCIDENT_ID").alias("incident_id"),
        pl.coalesce("OFFENSE_CODE", identifier("OFFENSE_TYPE_ID")).alias("offence_type"),
        identifier("LOCATION_ID").alias("location_id"),
    )
    rules = (
        _missing_rule("offence_number", "OFFENSE_ID", "The offence has no number."),
        _missing_rule("incident", "INCIDENT_ID", "The offence names no incident."),
        Rule("offence_missing", "OFFENSE_CODE", pl.col("offence_type").is_null(),
             "A row without its offence cannot be counted."),
        *map(_digits_rule, ("OFFENSE_ID", "INCIDENT_ID", "OFFENSE_TYPE_ID", "LOCATION_ID")),
        _code_rule(),
    )  # fmt: skip
    return Parsed(typed, rules)


def parse_offence_types(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of the list of offence codes; as `parse_merged`."""
    typed = rows.with_columns(
        pl.col("OFFENSE_CODE").alias("nibrs_code"),
        identifier("OFFENSE_TYPE_ID").alias("offence_type_id"),
        pl.col("OFFENSE_NAME").alias("offence"),
        pl.col("OFFENSE_CATEGORY_NAME").alias("offence_category"),
    )
    names = {"code": "OFFENSE_CODE", "offence": "OFFENSE_NAME", "category": "OFFENSE_CATEGORY_NAME"}
    # A list of before 2021 is joined by its numbers.
    if rows["OFFENSE_TYPE_ID"].is_not_null().any():
        names["number"] = "OFFENSE_TYPE_ID"
    rules = (
        *(_missing_rule(what, name, "The list lacks a value.") for what, name in names.items()),
        _code_rule(),
        _digits_rule("OFFENSE_TYPE_ID"),
        *map(label_rule, ("OFFENSE_NAME", "OFFENSE_CATEGORY_NAME")),
    )
    return Parsed(typed, rules)


def parse_locations(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of the list of kinds of place; as `parse_merged`."""
    typed = rows.with_columns(
        identifier("LOCATION_ID").alias("location_id"), pl.col("LOCATION_NAME").alias("location")
    )
    names = {"code": "LOCATION_ID", "location": "LOCATION_NAME"}
    rules = (
        *(_missing_rule(what, name, "The list lacks a value.") for what, name in names.items()),
        _digits_rule("LOCATION_ID"),
        label_rule("LOCATION_NAME"),
    )
    return Parsed(typed, rules)


def _incident_day() -> pl.Expr:
    name = "INCIDENT_DATE"
    return pl.coalesce(day(name), pl.col(name).str.to_date("%d-%b-%y", strict=False))


def _hour_rule() -> Rule:
    hour = whole_number("INCIDENT_HOUR")
    return Rule("hour_unreadable", "INCIDENT_HOUR",
                is_unreadable("INCIDENT_HOUR", hour) | ~pl.col("occurred_hour").is_between(0, 23),
                "The hour must be a whole number from 0 to 23, or missing.")  # fmt: skip


def _missing_rule(what: str, column: str, reason: str) -> Rule:
    return Rule(f"{what}_missing", column, pl.col(column).is_null(), reason)


def _digits_rule(column: str) -> Rule:
    return number_rule(column, DIGITS, "The FBI's numbers are digits and nothing else.")


def _code_rule() -> Rule:
    code = pl.col("OFFENSE_CODE")
    return Rule("code_unreadable", "OFFENSE_CODE", ~code.str.contains(_CODE),
                "A code of the FBI has two digits and a letter or a digit.")  # fmt: skip
