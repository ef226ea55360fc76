"""Rules that watch the tables by police agency.

Belongs here: rules of the science on `agencies.*`, each a `Finding`. Does not: which check blocks
(`defs/agency_checks.py`), the ledgers of what was read (`features/input_findings`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.agencies import ALL_OFFENCES, STATE
from htrisk_dagster.schemas.finding import Finding

WAPE_OVER_FLOOR = 1.25
LEVEL = (0.8, 1.25)
_SHARE_TOLERANCE = 1e-6
PRIOR, CLASSIFIERS = "prior_by_place", "lightgbm_"


def officers_add_up(staffing: pl.DataFrame) -> Finding:
    """Officers are the men and the women, and a carried row names another year."""
    officers = pl.col("male_officers_count") + pl.col("female_officers_count")
    wrong = staffing.filter(
        (officers != pl.col("officers_count"))
        | (pl.col("is_carried") & (pl.col("counted_year") == pl.col("year")))
        | (~pl.col("is_carried") & (pl.col("counted_year") != pl.col("year")))
    )
    return Finding(
        wrong.is_empty(),
        f"{wrong.height} of {staffing.height} rows have officers that do not add up, or are marked wrongly.",
        {"wrong_rows": wrong.height},
    )


def categories_are_within_all(rates: pl.DataFrame) -> Finding:
    """No category has more incidents than all together, nor do all have more than the categories' sum."""
    keys = ["agency_id", "year"]
    is_all = pl.col("offence_category") == ALL_OFFENCES
    incidents = pl.col("incidents_count")
    sums = rates.group_by(keys).agg(
        incidents.filter(is_all).sum().alias("all"),
        incidents.filter(~is_all).max().alias("most"),
        incidents.filter(~is_all).sum().alias("sum"),
    )
    wrong = sums.filter((pl.col("most") > pl.col("all")) | (pl.col("sum") < pl.col("all")))
    return Finding(
        wrong.is_empty(),
        f"{wrong.height} of {sums.height} agencies and years have categories that do not fit their total.",
        {"wrong_rows": wrong.height},
    )


def every_agency_every_day(forecasts: pl.DataFrame) -> Finding:
    """Each day has a row for each agency and one for the state."""
    days, agencies = forecasts["forecast_on"].n_unique(), forecasts["agency_id"].n_unique()
    whole = forecasts.height == days * agencies and (forecasts["agency_id"] == STATE).any()
    return Finding(
        bool(whole),
        f"{forecasts.height} rows for {days} days and {agencies} agencies, the state among them.",
        {"rows": forecasts.height},
    )


def intervals_are_nested(forecasts: pl.DataFrame) -> Finding:
    """The 50% interval lies in the 95% one, and neither is upside down."""
    ends = [pl.col(f"{e}_count") for e in ("lower_95", "lower_50", "upper_50", "upper_95")]
    in_order = (ends[0] <= ends[1]) & (ends[1] <= ends[2]) & (ends[2] <= ends[3])
    wrong = forecasts.filter(~in_order)
    return Finding(
        wrong.is_empty(),
        f"{wrong.height} of {forecasts.height} intervals are not one within the other.",
        {"wrong_rows": wrong.height},
    )


def state_is_the_sum(forecasts: pl.DataFrame) -> Finding:
    """The state's expectation is the sum of the agencies'."""
    is_state = pl.col("agency_id") == STATE
    expected = pl.col("expected_count")
    sums = forecasts.group_by("forecast_on").agg(
        (expected.filter(is_state).sum() - expected.filter(~is_state).sum()).abs().alias("gap")
    )
    gap = float(sums.select(pl.col("gap").max()).item() or 0.0)
    return Finding(
        gap < _SHARE_TOLERANCE,
        f"The state differs from the sum by {gap:.2g} at most.",
        {"gap": gap},
    )


def probabilities_sum_to_one(mix: pl.DataFrame) -> Finding:
    """The categories of each agency, part of the day and kind of day have probability 1 together."""
    sums = mix.group_by("agency_id", "day_part", "is_weekend").agg(pl.col("offence_prob").sum())
    gap = float(sums.select((pl.col("offence_prob") - 1).abs().max()).item() or 0.0)
    return Finding(
        gap < _SHARE_TOLERANCE, f"Sums differ from 1 by {gap:.2g} at most.", {"gap": gap}
    )


def wape_is_near_its_floor(backtest: pl.DataFrame) -> Finding:
    """Mean WAPE by agency and day over the blind folds is at most 1.25 times its floor."""
    ratio = _mean_of(backtest, "wape_over_floor_agency_day")
    return Finding(
        ratio <= WAPE_OVER_FLOOR,
        f"WAPE by agency and day is {ratio:.3f} times the floor of counting noise, over all blind folds.",
        {"wape_over_floor": ratio},
    )


def level_is_right(backtest: pl.DataFrame) -> Finding:
    """Expected over observed incidents of the newest blind fold is 0.8 to 1.25."""
    newest = backtest.filter(pl.col("test_start_on") == pl.col("test_start_on").max())
    ratio = _mean_of(newest, "expected_over_observed")
    return Finding(
        LEVEL[0] <= ratio <= LEVEL[1],
        f"In the newest blind fold {ratio:.2f} incidents were expected for each that was observed.",
        {"expected_over_observed": ratio},
    )


def classifier_beats_the_prior(comparison: pl.DataFrame) -> Finding:
    """The best classifier's calibrated log loss on later days is under that of the shares by place."""
    losses = comparison.filter(metric="log_loss")
    prior = float(losses.filter(model=PRIOR)["value"][0])
    best = (
        losses.filter(pl.col("model").str.starts_with(CLASSIFIERS)).sort("value").row(0, named=True)
    )
    return Finding(
        best["value"] < prior,
        f"{best['model']} has a log loss of {best['value']:.3f}, the shares by place {prior:.3f}.",
        {"log_loss": best["value"], "log_loss_of_prior": prior},
    )


def _mean_of(backtest: pl.DataFrame, metric: str) -> float:
    """Mean over folds, each by its days."""
    days = (pl.col("test_stop_on") - pl.col("test_start_on")).dt.total_days()
    weighted = (pl.col("value") * days).sum() / days.sum()
    return float(backtest.filter(metric=metric).select(weighted).item())
