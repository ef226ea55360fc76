"""Logit models of case records by sex and majority: coefficients, odds, probabilities.

Belongs here: the fit and its frames. Does not: the models and counts (`logit_models`), separation
(`separation`), the data source (`data_source_effect`), survey totals (`extrapolation`).

With unknown taken for "no" the 2018 file gives (0.712, -4.602, 1.861, 1.678) for sexual
exploitation. A model with as many coefficients as victim types only restates counts: its odds are
yes : no of each type. Standard errors take records as independent draws. Errors clustered by data
source are not offered: they need dozens of clusters (Cameron and Miller 2015, doi
10.3368/jhr.50.2.317), and there are two sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.intervals import LEVEL
from htrisk_dagster.victim_population.logit_models import LogitModel, Recipe, victim_cells
from htrisk_dagster.victim_population.separation import (
    Separation,
    find_separation,
    separation_sentences,
)


@dataclass(frozen=True)
class LogitFit:
    """A fitted model.

    Parameters
    ----------
    model : LogitModel
    recipe : str
        `seed`: unknown counts as "no"; `known_only`: unknown is left out.
    coefficients : DataFrame
        `term`, `coefficient`, `standard_error`, `z`, `p_value`, `lower`, `upper`, `odds_ratio`,
        `odds_ratio_lower`, `odds_ratio_upper` and `odds_change_pct`, 100 (odds ratio - 1). For the
        intercept "odds ratio" reads odds of the base case. Missing where there is no finite estimate.
    victim_types : DataFrame
        `victim_type`, `case_management` (only where the source is a factor), `yes_count`,
        `records_count`, `log_odds`, `odds`, `odds_lower`, `odds_upper`, `probability`,
        `probability_lower`, `probability_upper`, `interval`: `delta`, the variance of the log odds
        from the covariance of the coefficients, its interval carried over to odds and probability;
        `exact` (Clopper-Pearson) where separated; `none` where nothing can be said.
    separation : Separation
        Of the cells in the order of `victim_types`.
    sentences : tuple of str
        What a reader must know of this fit.
    covariance : array of shape (K, K)
        Of the coefficients; NaN where there is no finite estimate.
    log_likelihood : float
        Of the single records; where separated, the value it tends to.
    parameters_count : int
        Coefficients that the records with and without the outcome can tell apart.

    Notes
    -----
    Counts are restricted: some are below 11, and a probability with its number of records gives its
    count away. Disclosure control comes before anything is shown.
    """

    model: LogitModel
    recipe: Recipe
    coefficients: pl.DataFrame
    victim_types: pl.DataFrame
    separation: Separation
    sentences: tuple[str, ...]
    covariance: NDArray[np.float64]
    log_likelihood: float
    parameters_count: int

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 parameters - 2 log-likelihood."""
        return 2.0 * self.parameters_count - 2.0 * self.log_likelihood


@dataclass(frozen=True)
class _Estimate:
    """GLM of the cells that are not separated, in the columns that they can tell apart."""

    results: Any
    columns: NDArray[np.int64]
    design: NDArray[np.float64]


def _estimate(design: NDArray[np.float64], yes: NDArray[Any], no: NDArray[Any]) -> _Estimate | None:
    """Binomial GLM of single records, each cell's yes and no as frequency weights.

    A coefficient that the cells do not determine is held at 0: what they determine does not depend
    on it.
    """
    import statsmodels.api as sm

    if not len(design):
        return None
    ranks = [np.linalg.matrix_rank(design[:, : k + 1]) for k in range(design.shape[1])]
    columns = np.flatnonzero(np.diff(ranks, prepend=0))
    weights = np.concatenate([yes, no]).astype(np.float64)
    outcome = np.repeat([1.0, 0.0], len(design))
    told = weights > 0
    model = sm.GLM(
        outcome[told],
        np.vstack([design, design])[told][:, columns],
        family=sm.families.Binomial(),
        freq_weights=weights[told],
    )
    return _Estimate(model.fit(tol=1e-12, maxiter=100), columns, design)


def fit_logit(counts: pl.DataFrame, model: LogitModel, recipe: Recipe) -> LogitFit:
    """Fit a model to counts by cell; the same numbers as from single records.

    Where the outcome is separated, the separated cells are left out: the likelihood of the rest is
    what the whole tends to, and the coefficients that the rest determines are the finite ones.

    Parameters
    ----------
    counts : DataFrame
        Of `count_outcomes`; expected counts may be fractions.
    model : LogitModel
    recipe : str
        What becomes of unknown: `seed` takes it for "no", `known_only` leaves it out.

    Raises
    ------
    TableError
        Where the recipe leaves no record.
    """
    cells = victim_cells(counts, model, recipe)
    yes, no = cells["yes_count"].to_numpy(), cells["no_count"].to_numpy()
    if not (yes + no).any():
        raise TableError(f"No record tells {model.outcome} under the recipe {recipe}.")
    design = model.design(cells)
    separation = find_separation(design, yes, no)
    overlap = ~separation.is_separated & (yes + no > 0)
    estimate = _estimate(design[overlap], yes[overlap], no[overlap])
    names = _cell_names(cells)
    return LogitFit(
        model=model,
        recipe=recipe,
        coefficients=_coefficients(estimate, model, separation.is_finite),
        victim_types=_victim_types(estimate, cells, design, separation.is_separated),
        separation=separation,
        sentences=(
            *((model.note,) if model.note else ()),
            *_unknown_sentences(counts, model, recipe),
            *separation_sentences(
                separation, outcome=model.outcome, cells=names, terms=model.term_names
            ),
        ),
        covariance=_covariance(estimate, separation.is_finite),
        log_likelihood=float(estimate.results.llf) if estimate else 0.0,
        parameters_count=int(np.linalg.matrix_rank(design[yes + no > 0])),
    )


def _unknown_sentences(counts: pl.DataFrame, model: LogitModel, recipe: Recipe) -> tuple[str, ...]:
    unknown, no = (float(counts[name].to_numpy().sum()) for name in ("unknown_count", "no_count"))
    if recipe != "seed" or not unknown:
        return ()
    return (
        f'{unknown / (unknown + no):.0%} of the records taken for "no" do not say whether there was '
        f"{model.outcome}: every probability here is too low by what they hide.",
    )


def _cell_names(cells: pl.DataFrame) -> list[str]:
    if "case_management" not in cells.columns:
        return cells["victim_type"].to_list()
    source = pl.when(pl.col("case_management") == 1).then(pl.lit("case management"))
    name = pl.format("{}, {}", "victim_type", source.otherwise(pl.lit("hotline")))
    return cells.select(name.alias("name"))["name"].to_list()


def _covariance(estimate: _Estimate | None, is_finite: NDArray[np.bool_]) -> NDArray[np.float64]:
    values = np.full((len(is_finite), len(is_finite)), np.nan)
    if estimate:
        values[np.ix_(estimate.columns, estimate.columns)] = estimate.results.cov_params()
    return np.where(np.outer(is_finite, is_finite), values, np.nan)


def _coefficients(
    estimate: _Estimate | None, model: LogitModel, is_finite: NDArray[np.bool_]
) -> pl.DataFrame:
    columns = ("coefficient", "standard_error", "z", "p_value", "lower", "upper")
    values = np.full((len(model.terms), len(columns)), np.nan)
    if estimate:
        glm = estimate.results
        interval = glm.conf_int(alpha=1 - LEVEL)
        values[estimate.columns] = np.column_stack(
            [glm.params, glm.bse, glm.tvalues, glm.pvalues, interval]
        )
    estimates = pl.DataFrame(np.where(is_finite[:, None], values, np.nan), schema=columns)
    return estimates.fill_nan(None).select(
        pl.Series("term", model.term_names),
        pl.all(),
        pl.col("coefficient").exp().alias("odds_ratio"),
        pl.col("lower").exp().alias("odds_ratio_lower"),
        pl.col("upper").exp().alias("odds_ratio_upper"),
        (100 * (pl.col("coefficient").exp() - 1)).alias("odds_change_pct"),
    )


def _victim_types(
    estimate: _Estimate | None,
    cells: pl.DataFrame,
    design: NDArray[np.float64],
    is_separated: NDArray[np.bool_],
) -> pl.DataFrame:
    """Counts, log odds, odds and probability of each cell with intervals."""
    from scipy.special import expit, logit

    log_odds = np.full((3, cells.height), np.nan)
    if estimate:
        linear = estimate.results.get_prediction(design[:, estimate.columns]).linpred
        row_space = np.linalg.pinv(estimate.design) @ estimate.design
        is_told = np.isclose(design @ row_space, design, atol=1e-8).all(axis=1)
        low, high = linear.conf_int(alpha=1 - LEVEL, obs=False).T
        log_odds = np.where(is_told, np.stack([linear.predicted, low, high]), np.nan)
    exact = _exact_shares(design, cells["yes_count"].to_numpy(), cells["no_count"].to_numpy())
    log_odds = np.where(is_separated, logit(exact), log_odds)
    odds, probability = np.exp(log_odds), expit(log_odds)
    interval = np.where(is_separated, "exact", np.where(np.isnan(log_odds[0]), "none", "delta"))
    keys = [name for name in ("victim_type", "case_management") if name in cells.columns]
    return cells.select(
        *keys,
        "yes_count",
        (pl.col("yes_count") + pl.col("no_count")).alias("records_count"),
        pl.Series("log_odds", log_odds[0]).fill_nan(None),
        *(
            pl.Series(f"{name}{end}", values).fill_nan(None)
            for name, triple in (("odds", odds), ("probability", probability))
            for end, values in zip(("", "_lower", "_upper"), triple, strict=True)
        ),
        pl.Series("interval", interval),
    )


def _exact_shares(
    design: NDArray[np.float64], yes: NDArray[Any], no: NDArray[Any]
) -> NDArray[np.float64]:
    """Share of yes with its Clopper-Pearson interval, shape (3, N); cells with one row are added up."""
    from statsmodels.stats.proportion import proportion_confint

    rows, row_of_cell = np.unique(design, axis=0, return_inverse=True)
    row_of_cell = row_of_cell.ravel()
    yes_of_row, no_of_row = (
        np.bincount(row_of_cell, weights=w, minlength=len(rows))[row_of_cell] for w in (yes, no)
    )
    records = np.maximum(yes_of_row + no_of_row, 1)
    ends = proportion_confint(yes_of_row, records, alpha=1 - LEVEL, method="beta")
    return np.stack([yes_of_row / records, *ends])
