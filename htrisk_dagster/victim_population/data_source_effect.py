"""What the data source does to a logit model: hotline against case management.

Belongs here: the same model without the source, with it, and within each source. Does not: the fit
of one model (`logit`).

The source is a fixed effect. The two sources are no sample of sources, so a random effect has
nothing to learn its variance from, and errors clustered on two groups mean nothing. The additive
model pools the sources: one set of odds ratios, two levels. The model in which the source meets
every term gives each source its own, the same numbers as a fit within each. Weighting those
two together by their variances would leave out each source with an empty cell (no man of case
management is recorded as sexually exploited), and the additive likelihood would not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.logit import LogitFit, fit_logit
from htrisk_dagster.victim_population.logit_models import LogitModel, Recipe


@dataclass(frozen=True)
class DataSourceEffect:
    """The three fits on the same records, and how they differ.

    Parameters
    ----------
    without_source, with_source, within_source : LogitFit
        The model; the model and a level for the source; each source with its own coefficients.
    comparison : DataFrame
        `fit`, `parameters_count`, `log_likelihood`, `aic`, `aic_change` from the model without the
        source (below 0 is better) and `separation`; one row per fit.
    moved : DataFrame
        `term`, `without_source`, `with_source`, `change` and `change_in_standard_errors` of the fit
        without the source; missing where either has no finite estimate.
    sentence : str
        What came of it.
    """

    without_source: LogitFit
    with_source: LogitFit
    within_source: LogitFit
    comparison: pl.DataFrame
    moved: pl.DataFrame
    sentence: str


def compare_with_source(
    counts: pl.DataFrame, model: LogitModel, recipe: Recipe
) -> DataSourceEffect:
    """Fit a model without the source, with it and within it, on the records whose source is known.

    Parameters
    ----------
    counts : DataFrame
        Of `logit_models.count_outcomes`.
    model : LogitModel
        Without the source.
    recipe : str
        As in `logit.fit_logit`.

    Raises
    ------
    TableError
        Where the records come from fewer than two sources.
    """
    known = counts.filter(pl.col("case_management").is_not_null())
    if known["case_management"].n_unique() < 2:
        raise TableError(
            "The records name fewer than two data sources; hotline and case management are both "
            "needed to tell what the source does."
        )
    by_source = tuple((*term, "case_management") for term in model.terms)
    models = {
        "without_source": model,
        "with_source": replace(model, terms=(*model.terms, ("case_management",))),
        "within_source": replace(model, terms=(*model.terms, *by_source)),
    }
    fits = {name: fit_logit(known, each, recipe) for name, each in models.items()}
    comparison = _comparison(fits)
    moved = _moved(fits["without_source"], fits["with_source"])
    return DataSourceEffect(
        **fits, comparison=comparison, moved=moved, sentence=_sentence(model, comparison, moved)
    )


def _comparison(fits: dict[str, LogitFit]) -> pl.DataFrame:
    first = fits["without_source"].aic
    rows = [
        {
            "fit": name,
            "parameters_count": fit.parameters_count,
            "log_likelihood": fit.log_likelihood,
            "aic": fit.aic,
            "aic_change": fit.aic - first,
            "separation": fit.separation.kind,
        }
        for name, fit in fits.items()
    ]
    return pl.DataFrame(rows)


def _moved(without: LogitFit, within: LogitFit) -> pl.DataFrame:
    change = pl.col("with_source") - pl.col("without_source")
    return (
        without.coefficients.select(
            "term", "standard_error", pl.col("coefficient").alias("without_source")
        )
        .join(
            within.coefficients.select("term", pl.col("coefficient").alias("with_source")),
            on="term",
            how="left",
            maintain_order="left",
        )
        .select(
            "term",
            "without_source",
            "with_source",
            change.alias("change"),
            (change / pl.col("standard_error")).alias("change_in_standard_errors"),
        )
    )


def _sentence(model: LogitModel, comparison: pl.DataFrame, moved: pl.DataFrame) -> str:
    changes = dict(comparison.select("fit", "aic_change").iter_rows())
    slopes = moved.filter((pl.col("term") != "intercept") & pl.col("change").is_not_null())
    if slopes.is_empty():
        most = "no coefficient has a finite estimate in both"
    else:
        row = slopes.sort(pl.col("change").abs(), descending=True).row(0, named=True)
        most = f"{row['term']} moves most, from {row['without_source']:.3f} to {row['with_source']:.3f}"
    return (
        f"Adding the data source to {model.name} changes AIC by {changes['with_source']:+.1f}, giving "
        f"each source its own coefficients by {changes['within_source']:+.1f}; {most}."
    )
