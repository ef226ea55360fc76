"""Police agencies with residents and police employees, by year.

Source: FBI Crime Data Explorer, `agencies.csv` of each yearly delivery. Licence: public domain.
Cadence: yearly; counts of employees are those of 31 October.

Quirks:
- Universities, tribes and state agencies have 0 residents.
- An agency that did not report its employees has empty counts (Yale University, 2022).
- Columns named by a sum (`male_officer+male_civilian`) are sums of two others and are not read.
- Agencies come and go: an agency is known by its number, not by its name.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import nibrs
from htrisk_dagster.sources.incidents import label_rule, number_rule
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule
from htrisk_dagster.sources.text_values import DIGITS, identifier, is_unreadable, whole_number

TABLE = nibrs.POLICE_AGENCIES
MOST_RESIDENTS = 100_000_000  # of a state police's; California has 39 million
MOST_EMPLOYEES = 200_000  # of one kind; New York City's police have 36,000 officers
_EMPLOYEES = {
    "male_officers_count": "MALE_OFFICER",
    "female_officers_count": "FEMALE_OFFICER",
    "male_civilians_count": "MALE_CIVILIAN",
    "female_civilians_count": "FEMALE_CIVILIAN",
}


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["police_agencies"]`.
    facts : FileFacts
        Day of the file, after whose year nobody was counted.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `nibrs.police_agencies`, and the rules.
    """
    year, residents = whole_number("DATA_YEAR"), whole_number("POPULATION", pl.Int64)
    counts = {name: whole_number(column, pl.Int64) for name, column in _EMPLOYEES.items()}
    typed = rows.with_columns(
        identifier("AGENCY_ID").alias("agency_id"),
        year.alias("year"),
        pl.concat_str(identifier("AGENCY_ID"), year.cast(pl.String), separator="|").alias("agency_year"),
        pl.col("PUB_AGENCY_NAME").str.strip_chars(" :").alias("agency"),
        pl.col("AGENCY_TYPE_NAME").alias("agency_type"),
        pl.col("STATE_ABBR").str.to_uppercase().alias("state"),
        pl.col("COUNTY_NAME").str.to_uppercase().alias("county"),
        residents.alias("residents_count"),
        **counts,
    )  # fmt: skip
    rules = (
        *(Rule(f"{what}_missing", column, pl.col(column).is_null(), "The agency must be known.")
          for what, column in (("agency", "AGENCY_ID"), ("label", "PUB_AGENCY_NAME"),
                               ("type", "AGENCY_TYPE_NAME"), ("state", "STATE_ABBR"))),
        number_rule("AGENCY_ID", DIGITS, "The FBI's numbers are digits and nothing else."),
        Rule("state_unreadable", "STATE_ABBR", ~pl.col("STATE_ABBR").str.contains(r"^[A-Za-z]{2}$"),
             "A state is two letters."),
        *map(label_rule, ("PUB_AGENCY_NAME", "AGENCY_TYPE_NAME", "COUNTY_NAME")),
        Rule("year_unreadable", "DATA_YEAR", ~year.is_between(1960, 2100) | year.is_null(),
             "The year of the counts must be a year since 1960."),
        Rule("year_after_file", "DATA_YEAR", year > facts.pulled_on.year,
             f"The year of the counts lies after {facts.pulled_on}, the day of the file."),
        Rule("residents_unreadable", "POPULATION", residents.is_null() | (residents < 0),
             "Residents must be a whole number, zero or more."),
        Rule("residents_too_many", "POPULATION", residents > MOST_RESIDENTS,
             f"No agency polices {MOST_RESIDENTS:,} people."),
        *(Rule("employees_too_many", column, count > MOST_EMPLOYEES,
               f"No agency employs {MOST_EMPLOYEES:,} of a kind.")
          for column, count in zip(_EMPLOYEES.values(), counts.values(), strict=True)),
        *(Rule("employees_unreadable", column, is_unreadable(column, count) | (count < 0),
               "Employees must be a whole number, zero or more, or missing.")
          for column, count in zip(_EMPLOYEES.values(), counts.values(), strict=True)),
    )  # fmt: skip
    return Parsed(typed, rules)
