"""What must hold of the relation with context before it is read: each rule to a finding.

Belongs here: rules about `evaluation.context_relation`. Does not: who runs them
(`defs/context_checks.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from htrisk_dagster.schemas.context import CONTEXT_RELATION
from htrisk_dagster.schemas.finding import Finding

_WORDS = "association at the level of places, not cause"


def effects_stand_with_intervals(relation: pl.DataFrame) -> Finding:
    """An effect lies within its interval, with a forecast out of block beside it, or is missing."""
    problems = CONTEXT_RELATION.problems(relation)
    parts = [
        "rate_ratio", "rate_ratio_low", "rate_ratio_high", "deviance_gain_pct",
        "blocks_improved_share",
    ]  # fmt: skip
    n_given = pl.sum_horizontal(pl.col(p).is_not_null().cast(pl.Int32) for p in parts)
    halves = relation.filter(~n_given.is_in([0, len(parts)]))
    problems += [f"{v} has an effect without its interval." for v in halves["variable"]]
    outside = relation.filter(~pl.col("rate_ratio").is_between("rate_ratio_low", "rate_ratio_high"))
    problems += [f"{v} lies outside its own interval." for v in outside["variable"]]
    clear = relation.filter((pl.col("rate_ratio_low") > 1) | (pl.col("rate_ratio_high") < 1)).height
    told = f"{relation.height} variables, {clear} with an interval that leaves out 1."
    return Finding(not problems, " ".join(problems) or told, {"clear": float(clear)})


def sentences_are_careful(relation: pl.DataFrame) -> Finding:
    """Every effect is told as an association of places."""
    told = relation.filter(pl.col("rate_ratio").is_not_null())
    careless = told.filter(~pl.col("sentence").str.contains(_WORDS, literal=True))
    if careless.height:
        return Finding(
            False, f"The sentence of {careless['variable'][0]} does not say that it is {_WORDS}."
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
