"""Residents by tax lot: the finest public account of where New Yorkers live.

Source: residents of the 2020 census by tract, split over the lots of PLUTO by residential units, as the
public copy of 2023 has them with neighbourhood and precinct. Licence: NYC Open Data terms, no
restriction on use. Cadence: with each release of PLUTO.

Quirks:
- Lots without residents are in the file, most of all lots of offices and parks.
- Residents are estimates with decimals; they sum to the census, 8,804,190.

Neither the lot's number nor its address is loaded.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources.incidents import (
    code_rule,
    neighbourhood_rule,
    place_rules,
    precinct_rule,
    with_place,
)
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule
from htrisk_dagster.sources.text_values import number, whole_number

TABLE = context_sources.TAX_LOTS
MOST_RESIDENTS = 100_000  # of a lot; the largest, an island of jails, has 17,222


def point_missing_rule() -> Rule:
    """Refuse a row without a point, for tables that are nothing but points."""
    return Rule("point_missing", "LATITUDE", pl.col("lon").is_null() | pl.col("lat").is_null(),
                "The place has no longitude and latitude.")  # fmt: skip


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file: point, neighbourhood, precinct and residents."""
    typed = with_place(rows).with_columns(
        pl.col("NTA").str.to_uppercase().alias("neighbourhood"),
        whole_number("POLICEPRCT").alias("precinct"),
        number("BBL_POPULATION_ESTIMATE").alias("residents_count"),
    )
    residents = pl.col("residents_count")
    rules = (
        *place_rules(facts),
        point_missing_rule(),
        Rule("count_unreadable", "BBL_POPULATION_ESTIMATE", residents.is_null() | (residents < 0),
             "Residents must be a number, zero or more."),
        Rule("count_too_large", "BBL_POPULATION_ESTIMATE", residents > MOST_RESIDENTS,
             f"No lot has {MOST_RESIDENTS:,} residents."),
        neighbourhood_rule("NTA"),
        code_rule("POLICEPRCT"),
        precinct_rule("POLICEPRCT"),
    )  # fmt: skip
    return Parsed(typed, rules)
