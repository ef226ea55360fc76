"""A city's own file of incidents, read by the columns that its study area names.

Source: any city or state. Licence and cadence are the publisher's.

Quirks:
- Times come in any layout of `instants`; a column of hours or of clocks may stand beside a day.
- A file without a report time is taken as reported on the day of occurrence.
- A file without numbers gets the row's own text and a count among equal rows, as for felonies.
- Codes of areas differ in leading zeros, case and a quote against spreadsheets: `area_code`.
- A quote before a number is dropped everywhere, since Detroit's export writes `'02` and `'42.33`.
"""

from __future__ import annotations

from functools import partial

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.incidents import (
    label_rule,
    place_rules,
    with_absent_columns,
    with_place,
)
from htrisk_dagster.sources.instants import with_instants
from htrisk_dagster.sources.layouts import Layout, normalise
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import DIGITS, identifier, is_unreadable, whole_number
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.study_areas.city_files import IncidentFile, area_code

TABLE = raw.INCIDENT_REPORTS
_ROUNDED = r"^[+-]?\d\.\d+[eE]\+\d+$"  # as a spreadsheet writes a long number
_LIST = r"^[\d,]+$"


def layout_of(declared: IncidentFile) -> Layout:
    """Columns of the city's file, as `layouts` recognises it."""
    first, *others = dict.fromkeys(map(normalise, declared.columns))
    return Layout(TABLE.name, (first,), tuple(others), forms=("CSV", "JSON", "Parquet"))


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layout_of`.
    facts : FileFacts
        Zone, box, day of the file, and the study area that names the columns.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `raw.incident_reports`, and the rules.

    Raises
    ------
    SourceError
        Where the study area names no columns.
    """
    area = facts.area
    if area is None or area.incident_file is None:
        raise SourceError(
            "This study area names no columns of a file of its own. Add [incident_file] to it, or let "
            "`htrisk area new` propose one."
        )
    file = area.incident_file
    plain = rows.with_columns(
        pl.col(name).str.strip_prefix("'") for name in map(normalise, file.columns)
    )
    typed = _with_area(_with_times(plain, file, facts), area)
    typed = _with_offence(_with_point(typed, file), file)
    return Parsed(with_absent_columns(_numbered(typed, file)), _rules(area, facts))


def _with_times(rows: pl.DataFrame, file: IncidentFile, facts: FileFacts) -> pl.DataFrame:
    read = partial(
        with_instants,
        time_zone=facts.time_zone,
        day_first=file.day_first,
        is_utc=file.times_are == "utc",
    )
    clock = normalise(file.occurred_time) if file.occurred_time else None
    timed = read(rows, "occurred", normalise(file.occurred_at), clock=clock)
    if file.reported_at is None:
        return timed.with_columns(reported_on="occurred_on")
    told = read(timed, "reported", normalise(file.reported_at), clock=None)
    # Where nobody wrote when it was told, it is taken as told at once.
    missing = pl.col(normalise(file.reported_at)).is_null()
    return told.with_columns(
        reported_on=pl.when(missing).then("occurred_on").otherwise("reported_on")
    )


def _with_point(rows: pl.DataFrame, file: IncidentFile) -> pl.DataFrame:
    if file.latitude is None or file.longitude is None:
        return rows.with_columns(
            pl.lit(None, pl.Float64).alias("lon"), pl.lit(None, pl.Float64).alias("lat")
        )
    return with_place(rows, lat=normalise(file.latitude), lon=normalise(file.longitude))


def _with_area(rows: pl.DataFrame, area: StudyArea) -> pl.DataFrame:
    """Add `precinct`, `agency` and `borough`: the district as published, else of the area's place."""
    file = area.incident_file
    assert file is not None, "parse has looked"

    def text(column: str | None) -> pl.Expr:
        return pl.col(normalise(column)) if column else pl.lit(None, pl.String)

    code = text(file.area)
    if area.areas:
        spelt = rows.select(code.alias("code")).to_series()
        known = {c: area_code(c) for c in spelt.drop_nulls().unique()}
        spelt = spelt.replace_strict(known, default=None, return_dtype=pl.String)
        numbers = {name: place.number for name, place in area.areas.items()}
        districts = {name: place.district for name, place in area.areas.items()}
        precinct = pl.lit(spelt).replace_strict(numbers, default=None, return_dtype=pl.Int32)
        district = pl.lit(spelt).replace_strict(districts, default=None, return_dtype=pl.String)
    else:
        precinct = whole_number(normalise(file.area)) if file.area else pl.lit(None, pl.Int32)
        district = pl.lit(None, pl.String)
    return rows.with_columns(
        precinct.alias("precinct"),
        text(file.agency).alias("agency"),
        pl.coalesce(text(file.district), district, text(file.agency), pl.lit(area.title))
        .str.to_uppercase()
        .alias("borough"),
    )


def _with_offence(rows: pl.DataFrame, file: IncidentFile) -> pl.DataFrame:
    code = (
        whole_number(normalise(file.offence_code)) if file.offence_code else pl.lit(None, pl.Int32)
    )
    label = pl.col(normalise(file.offence)) if file.offence else pl.lit(None, pl.String)
    return rows.with_columns(code.alias("offence_code"), label.alias("offence"))


def _numbered(rows: pl.DataFrame, file: IncidentFile) -> pl.DataFrame:
    if file.id:
        return rows.with_columns(identifier(normalise(file.id)).alias("report_id"))
    names = map(normalise, file.columns)
    content = pl.concat_str((pl.col(n).fill_null("") for n in names), separator="|")
    told_apart = rows.with_columns(content.alias("report_id"))
    return told_apart.with_columns(
        pl.concat_str(
            "report_id", pl.col("source_row").rank("ordinal").over("report_id"), separator="|"
        )
    )


def _rules(area: StudyArea, facts: FileFacts) -> tuple[Rule, ...]:
    file = area.incident_file
    assert file is not None, "parse has looked"
    occurred = normalise(file.occurred_at)
    rules = [
        *day_rules("occurrence", occurred, "occurred_on", facts),
        Rule("time_unreadable", normalise(file.occurred_time or file.occurred_at),
             pl.col("occurred_clock_unreadable"), "The time of day is none."),
    ]  # fmt: skip
    if file.id:
        rules[:0] = _number_rules(normalise(file.id))
    if file.reported_at:
        reported = normalise(file.reported_at)
        rules += [
            *day_rules("report", reported, "reported_on", facts),
            Rule("report_before_occurrence", reported,
                 pl.col("reported_on") < pl.col("occurred_on"),
                 "The report lies before the day on which the incident is said to have begun."),
        ]  # fmt: skip
    if file.offence_code:
        code = normalise(file.offence_code)
        rules.append(Rule("code_not_a_number", code,
                          is_unreadable(code, whole_number(code)) | (pl.col("offence_code") < 0),
                          "A code must be a whole number; one with letters is an `offence`."))  # fmt: skip
    if file.offence and _are_in_words(area):
        rules.append(label_rule(normalise(file.offence)))
    if file.latitude and file.longitude:
        rules += place_rules(facts, lat=normalise(file.latitude), lon=normalise(file.longitude))
    if file.area:
        code = normalise(file.area)
        unknown = is_unreadable(code, pl.col("precinct")) | (pl.col("precinct") < 1)
        known = (
            "none of the study area's [areas]; add it there" if area.areas else "no number from 1"
        )
        rules.append(Rule("area_unknown", code, unknown, f"The code is {known}."))
    return tuple(rules)


def _number_rules(column: str) -> tuple[Rule, ...]:
    text = pl.col(column)
    return (
        Rule("number_missing", column, pl.col("report_id").is_null(),
             "A report without its number cannot be told from a repeated one."),
        Rule("number_unreadable", column,
             text.str.contains(_ROUNDED) | (text.str.contains(_LIST) & ~text.str.contains(DIGITS)),
             "A spreadsheet has rounded the number, or a comma has cut it."),
    )  # fmt: skip


def _are_in_words(area: StudyArea) -> bool:
    """Whether the study area's own labels of offences have letters; those of a city may be numbers."""
    labels = [label for group in area.offence_groups.values() for label in group.labels]
    return bool(labels) and all(any(c.isalpha() for c in label) for label in labels)
