"""Which area a text names: a borough, a precinct's number or a neighbourhood's code.

Belongs here: reading one column of area names. Does not: boundaries (`sources/boundaries`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.sources.quarantine import Rule

_NEIGHBOURHOOD = r"^[A-Za-z]{2}\d{4}$"
_PRECINCT = r"^\d{1,3}$"
_BOROUGH = r"^[A-Za-z][A-Za-z'.-]{1,20}(?: [A-Za-z][A-Za-z'.-]{0,20}){0,2}$"  # up to three words


def area_type(column: str) -> pl.Expr:
    """Kind of the area a text names; null where it names none."""
    text = pl.col(column)
    return (
        pl.when(text.str.contains(_NEIGHBOURHOOD))
        .then(pl.lit("neighbourhood"))
        .when(text.str.contains(_PRECINCT))
        .then(pl.lit("precinct"))
        .when(text.str.contains(_BOROUGH))
        .then(pl.lit("borough"))
    )


def area_id(column: str) -> pl.Expr:
    """Code of the area: upper case, a precinct's number without leading zeros."""
    text = pl.col(column).str.to_uppercase()
    return (
        pl.when(text.str.contains(_PRECINCT)).then(text.str.strip_chars_start("0")).otherwise(text)
    )


def area_rule(column: str) -> Rule:
    """Refuse a row whose area is missing or no borough, precinct or neighbourhood."""
    return Rule("area_unknown", column, pl.col("area_type").is_null(),
                "An area is a borough's name, a precinct's number or a neighbourhood's code.")  # fmt: skip
