"""Reasons of the champion's forecasts: its members' reasons, weighted, in words and by importance.

Belongs here: how a stack and a correction pass reasons on, the text of a cell's reasons, the table
of importance. Does not: reasons of one model (`models/attribution`), which models are asked (`defs`).

The stack is a weighted sum of logs, so that its contributions are the weighted sums of its members'
and stay exact; a corrected slope multiplies them. What is the same for every cell-day, such as the
stack's level, belongs to the city's level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.recalibration import Recalibration
from htrisk_dagster.evaluation.stacking import Stack
from htrisk_dagster.models.attribution import (
    GROUPS,
    LEARNED_LEVEL,
    Attribution,
    by_group,
    group_importance,
    group_of,
    importance,
    top_reasons,
)
from htrisk_dagster.schemas.predictions import FEATURE_IMPORTANCE

N_REASONS = 3

_CITY, _BOROUGH = (GROUPS.index(group_of(name)) for name in (LEARNED_LEVEL, "borough_code"))
# Members below this share of the weight are not asked: each costs as much as the heaviest.
_SMALLEST_SHARE = 0.05


def explained_members(stack: Stack) -> dict[str, float]:
    """Weights of the members that give the stack's reasons, scaled up to the sum of all."""
    total = sum(stack.weights[name] for name in stack.members)
    heavy = {
        n: stack.weights[n] for n in stack.members if stack.weights[n] >= _SMALLEST_SHARE * total
    }
    kept = sum(heavy.values())
    return {name: weight * total / kept for name, weight in heavy.items()}


def pooled(
    members: Mapping[str, Attribution], weights: Mapping[str, float], level: float
) -> Attribution:
    """Contributions to a log-linear pool by field term.

    Parameters
    ----------
    members : dict of str to Attribution
        Of the same cell-days.
    weights : dict of str to float
        Of the members.
    level : float
        Of the pool, on the log scale.
    """
    grouped = {name: by_group(each) for name, each in members.items()}
    summed = sum(weights[name] * each.contributions for name, each in grouped.items())
    total = sum(weights[name] for name in grouped)
    bases = sum(weights[name] * each.base for name, each in grouped.items())
    contributions = np.asarray(summed, dtype=np.float64)
    contributions[:, _CITY] += level + bases - bases / total
    return Attribution(GROUPS, contributions, bases / total)


def corrected(
    attribution: Attribution, recalibration: Recalibration, borough: NDArray[np.integer]
) -> Attribution:
    """Contributions to a recalibrated forecast by field term.

    Parameters
    ----------
    attribution : Attribution
        Of the forecast as it was.
    recalibration : Recalibration
    borough : int, shape (n,)
        Code of each cell-day's borough.
    """
    grouped = by_group(attribution)
    slope, base = recalibration.slope, grouped.base
    contributions = slope * grouped.contributions
    contributions[:, _CITY] += recalibration.level + (slope - 1) * (base - recalibration.centre)
    contributions[:, _BOROUGH] += recalibration.borough_terms(borough)
    return Attribution(GROUPS, contributions, base)


def reason_texts(attribution: Attribution) -> pl.Series:
    """Strongest three field terms of each forecast, such as `+ events (x1.3), - weekday (x0.9)`.

    The factor is what the term does to the expected count, against the city's mean.
    """
    terms_of, contributions = top_reasons(attribution, k=N_REASONS)
    names = pl.Series(GROUPS)
    columns = [names[terms_of[:, k]].alias(f"name_{k}") for k in range(N_REASONS)]
    columns += [pl.Series(f"log_{k}", contributions[:, k]) for k in range(N_REASONS)]
    terms = [
        pl.concat_str(
            pl.when(pl.col(f"log_{k}") >= 0).then(pl.lit("+ ")).otherwise(pl.lit("- ")),
            f"name_{k}",
            pl.lit(" (x"),
            pl.col(f"log_{k}").exp().round_sig_figs(2).cast(pl.String),
            pl.lit(")"),
        )
        for k in range(N_REASONS)
    ]
    return pl.DataFrame(columns).select(reasons=pl.concat_str(terms, separator=", "))["reasons"]


def importance_table(
    attributions: Mapping[str, Attribution], *, month: date, target: str, models: Sequence[str]
) -> pl.DataFrame:
    """Mean absolute contribution of each feature and field term to the forecasts of each model.

    Parameters
    ----------
    attributions : dict of str to Attribution
        By model, of the same cell-days.
    month : date
        First day on which the models may be used.
    target : str
        What is forecast.
    models : sequence of str
        Of those attributed, the ones with features of their own beside field terms.

    Returns
    -------
    DataFrame
        `schemas.predictions.FEATURE_IMPORTANCE`.
    """
    found = [
        (model, "feature", name, value)
        for model in models
        for name, value in importance(attributions[model]).items()
    ]
    found += [
        (model, "field term", name, value)
        for model, attribution in attributions.items()
        for name, value in group_importance(attribution).items()
    ]
    rows = pl.DataFrame(found, schema=["model", "kind", "feature", "mean_abs_log"], orient="row")
    return FEATURE_IMPORTANCE.conform(
        rows.with_columns(pl.lit(month).alias("month_on"), pl.lit(target).alias("target"))
    )
