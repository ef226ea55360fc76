"""Hotel properties of the tax roll (tjus-cn27): one row a lot or condominium unit and tax year.

Source: NYC Open Data, Department of Finance. Licence: NYC Open Data terms, no restriction on use.
Cadence: yearly, with the roll.

Quirks:
- Each tax year repeats every hotel; counted over two years a city has twice its hotels.
- A hotel sold by the unit has one row a unit, 391 in one building, all with the building's BBL.
- Some rows have no BBL, or 0; then the lot's own number (PARID) stands for the building.

The owner's name and the street are never loaded.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources.context.tax_lots import point_missing_rule
from htrisk_dagster.sources.incidents import number_rule, place_rules, with_place
from htrisk_dagster.sources.quarantine import EARLIEST_DAY, FileFacts, Parsed, Rule
from htrisk_dagster.sources.text_values import DIGITS, identifier, whole_number

TABLE = context_sources.HOTELS


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file: tax year, building and point, one row a unit still."""
    building = identifier("BBL")
    typed = with_place(rows).with_columns(
        whole_number("TAXYEAR").alias("tax_year"),
        pl.coalesce(pl.when(building != "0").then(building), identifier("PARID")).alias("parcel"),
    )
    year = pl.col("tax_year")
    rules = (
        *place_rules(facts),
        point_missing_rule(),
        Rule("number_missing", "PARID", pl.col("parcel").is_null(),
             "A hotel without its number cannot be told from another unit of the same."),
        *(number_rule(column, DIGITS, "The number of a lot or building is digits.")
          for column in ("PARID", "BBL")),
        Rule("class_unknown", "BLDG_CLASS",
             ~pl.col("BLDG_CLASS").str.contains(r"^[A-Za-z][A-Za-z0-9]$").fill_null(value=False),
             "A building's class is a letter, and a letter or digit after it."),
        Rule("tax_year_unreadable", "TAXYEAR",
             year.is_null() | ~year.is_between(EARLIEST_DAY.year, facts.pulled_on.year + 2),
             "The tax year is missing or none."),
    )  # fmt: skip
    return Parsed(typed, rules)


def by_building(units: pl.DataFrame) -> pl.DataFrame:
    """One row a tax year and building: the first of its units in order of file and row."""
    first = units.sort("source_file", "source_row").unique(
        ["tax_year", "parcel"], keep="first", maintain_order=True
    )
    return first.sort("tax_year", "parcel")
