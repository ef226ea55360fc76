"""What must hold of the relation with context and places before it is read: each rule to a finding.

Belongs here: rules about `evaluation.context_relation`, `place_relation` and `place_cross_k`. Does not: who
runs them (`defs/context_checks.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from htrisk_dagster.schemas.context import CONTEXT_RELATION, PLACE_CROSS_K, PLACE_RELATION
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table

_WORDS = "association at the level of places, not cause"
_EFFECT = ("rate_ratio", "rate_ratio_low", "rate_ratio_high", "deviance_gain_pct")


def effects_stand_with_intervals(relation: pl.DataFrame) -> Finding:
    """An effect lies within its interval, with a forecast out of block beside it, or is missing."""
    parts = [*_EFFECT, "blocks_improved_share"]
    return _effects(relation, CONTEXT_RELATION, "variable", parts)


def place_effects_stand_with_intervals(relation: pl.DataFrame) -> Finding:
    """The same of categories of places."""
    return _effects(relation, PLACE_RELATION, "category", [*_EFFECT])


def _effects(relation: pl.DataFrame, table: Table, name: str, parts: list[str]) -> Finding:
    problems = table.problems(relation)
    n_given = pl.sum_horizontal(pl.col(p).is_not_null().cast(pl.Int32) for p in parts)
    halves = relation.filter(~n_given.is_in([0, len(parts)]))
    problems += [f"{v} has an effect without its interval." for v in halves[name]]
    outside = relation.filter(~pl.col("rate_ratio").is_between("rate_ratio_low", "rate_ratio_high"))
    problems += [f"{v} lies outside its own interval." for v in outside[name]]
    clear = relation.filter((pl.col("rate_ratio_low") > 1) | (pl.col("rate_ratio_high") < 1)).height
    told = f"{relation.height} relations, {clear} with an interval that leaves out 1."
    return Finding(not problems, " ".join(problems) or told, {"clear": float(clear)})


def sentences_are_careful(relation: pl.DataFrame, name: str = "variable") -> Finding:
    """Every effect is told as an association of places; `name` is the column that says of what."""
    told = relation.filter(pl.col("rate_ratio").is_not_null())
    careless = told.filter(~pl.col("sentence").str.contains(_WORDS, literal=True))
    if careless.height:
        return Finding(
            False, f"The sentence of {careless[name][0]} does not say that it is {_WORDS}."
        )
    return Finding(True, f"{told.height} sentences say that they are {_WORDS}.")


def every_variable_is_related(relation: pl.DataFrame, variables: Iterable[str]) -> Finding:
    """Every variable of the cells has its row, once."""
    missing = sorted(set(variables) - set(relation["variable"]))
    return Finding(
        not missing,
        f"{', '.join(missing)} of context.cells have no row."
        if missing
        else f"{relation.height} variables are related.",
    )


def every_category_is_related(relation: pl.DataFrame, categories: Iterable[str]) -> Finding:
    """Every declared category of places has its row, or none has: nothing was made yet."""
    missing = sorted({*categories} - {*relation["category"]}) if relation.height else []
    return Finding(
        not missing,
        f"{', '.join(missing)} of the study area's places have no row."
        if missing
        else f"{relation.height} categories of places are related.",
    )


def curves_stand_with_envelopes(curves: pl.DataFrame, relation: pl.DataFrame) -> Finding:
    """Envelopes have a lower and an upper end, and hold a curve if, and only if, it has a p-value."""
    problems = PLACE_CROSS_K.problems(curves)
    upside_down = curves.filter(pl.col("k_ratio_low") > pl.col("k_ratio_high"))
    problems += [f"An envelope of {c} is upside down." for c in upside_down["category"].unique()]
    told = relation.drop_nulls("cross_k_p_value_prob")["category"]
    differing = sorted({*told} ^ {*curves["category"]})
    problems += [f"{c} has a curve without a p-value, or one without a curve." for c in differing]
    n = curves["category"].n_unique()
    return Finding(
        not problems, " ".join(problems) or f"{n} curves stand with their envelopes.", {"curves": n}
    )
