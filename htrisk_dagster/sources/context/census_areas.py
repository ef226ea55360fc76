"""American Community Survey by neighbourhood and precinct: estimates and their margins of error.

Source: U.S. Census Bureau, ACS 5-year Detailed Tables (B, C) and Data Profiles (DP), as brought to city
areas; columns end in E (estimate), M (margin of error, 90%), PE and PM (the same in per cent).
Licence: public domain. Cadence: yearly, in the December after the last of its five years.

Quirks:
- The first columns are `nta2020,nta_code` (a name, then the code) or `precinct,policeprct`.
- A rate is empty where nobody lives; a margin is empty where the estimate is 0. Nine equal digits
  below zero, such as -666666666, stand for values that cannot be given; no other value is below zero.
- There is no median income; its distribution is, in ten brackets, the last open.

https://www.census.gov/programs-surveys/acs/technical-documentation/table-shells.html
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources.context.area_codes import area_id, area_type
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule
from htrisk_dagster.sources.text_values import is_unreadable, number

TABLE = context_sources.CENSUS_AREAS
# Lower ends of the brackets of household income, DP03_0052 to DP03_0061.
INCOME_BRACKETS_USD = (0, 10_000, 15_000, 25_000, 35_000, 50_000, 75_000, 100_000, 150_000, 200_000)
_NOT_GIVEN = r"^-(2{9}|3{9}|5{9}|6{9}|8{9}|9{9})(\.0*)?$"
_MOST_RESIDENTS = 1_000_000
_SPEAK_ENGLISH_ONLY = "C16001_002PE"
_COLUMNS = {
    "acs_residents_count": ("B01001_001E", "B01001_001M"),
    "poverty_pct": ("B06012_002PE", "B06012_002PM"),
    "unemployment_pct": ("DP03_0009PE", "DP03_0009PM"),
    "foreign_born_pct": ("DP02_0094PE", "DP02_0094PM"),
    "limited_english_pct": ("DP02_0115PE", "DP02_0115PM"),
    "other_language_pct": (_SPEAK_ENGLISH_ONLY, "C16001_002PM"),
}


def bracket_variable(lower_usd: int) -> str:
    """Name of the count of households in the bracket of income that starts at `lower_usd`."""
    return f"households_from_{lower_usd}_usd_count"


COLUMNS = _COLUMNS | {
    bracket_variable(lower): (f"DP03_{52 + i:04d}E", f"DP03_{52 + i:04d}M")
    for i, lower in enumerate(INCOME_BRACKETS_USD)
}
"""Variable to the publisher's columns of estimate and margin of error."""


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file, one row an area with one column an estimate and a margin.

    Returns
    -------
    Parsed
        `area_type`, `area_id`, `area_key`, and for each variable its value and `<name>_margin`.
    """
    code = pl.coalesce("NTA_CODE", "POLICEPRCT")
    typed = rows.with_columns(code.alias("AREA")).with_columns(
        area_type("AREA").alias("area_type"),
        area_id("AREA").alias("area_id"),
        *(_not_below_zero(value).alias(name) for name, (value, _) in COLUMNS.items()),
        *(_not_below_zero(margin).alias(f"{name}_margin") for name, (_, margin) in COLUMNS.items()),
    )
    # Publishers give the share of those who speak only English; its margin is that of the rest.
    other = (100.0 - pl.col("other_language_pct")).clip(0.0, 100.0)
    typed = typed.with_columns(
        other.alias("other_language_pct"),
        pl.concat_str("area_type", "area_id", separator=" ").alias("area_key"),
    ).drop("AREA")
    rules = (
        Rule("area_unknown", "NTA_CODE",
             ~pl.col("area_type").is_in(context_sources.CENSUS_AREA_TYPES).fill_null(value=False),
             "The row has neither a neighbourhood's code nor a precinct's number."),
        *(Rule("estimate_not_a_number", column, is_unreadable(column, number(column)),
               "An estimate and its margin must be numbers.")
          for columns in COLUMNS.values() for column in columns),
        *(Rule("estimate_below_zero", column,
               (number(column) < 0) & ~pl.col(column).str.contains(_NOT_GIVEN),
               "An estimate and its margin are zero or more.")
          for columns in COLUMNS.values() for column in columns),
        *(Rule("share_above_100", value, number(value) > 100, "A share is at most 100 per cent.")
          for name, (value, _) in COLUMNS.items() if name.endswith("_pct")),
        *(Rule("estimate_too_large", column, number(column) > _MOST_RESIDENTS,
               f"No area of a city has {_MOST_RESIDENTS:,} residents.")
          for columns in COLUMNS.values() for column in columns),
    )  # fmt: skip
    return Parsed(typed, rules)


def by_variable(areas: pl.DataFrame) -> pl.DataFrame:
    """One row an area and variable of one row an area; what has no estimate is left out."""
    index = [c for c in areas.columns if c.removesuffix("_margin") not in COLUMNS]
    values = areas.unpivot(list(COLUMNS), index=index, value_name="value")
    margins = areas.select(pl.col(f"{name}_margin").alias(name) for name in COLUMNS).unpivot()
    return (
        values.with_columns(margins["value"].alias("margin_of_error"))
        .drop_nulls("value")
        .sort("area_type", "area_id", "variable")
    )


def _not_below_zero(column: str) -> pl.Expr:
    value = number(column)
    return pl.when(value >= 0).then(value)
