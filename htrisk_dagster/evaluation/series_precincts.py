"""New York's precincts by month: the real evidence for forecasts of area series.

Belongs here: the publisher's weekly file as a panel, the blind run, its figures. Does not: models
(`models/series`), targets and tables (`series_suite`).

Scheme. Training months are February 2006 to December 2022 (January 2006 lacks its first day), the test is
January 2023 to December 2024. Form, coefficients, the champion and the half-life of the bands come from
origins before 2023, and are then kept; every forecast of the test sees the months before its origin
only. Two readings: one month ahead from each of the 24 origins, and twelve months ahead from every
origin whose months have come, of which the years from December 2022 and 2023 are the one-year forecasts.

A week that lies in two months goes to both by its days (`models/series/week_split`); a month is known when
its last week is, up to six days after its end. Offences are summed, so that labels that drift
do not matter; rows of the precinct UNKNOWN, 713 of 9.4 million, belong to no area and are left out.
Precinct 116 was split off on 2024-12-19: its few reports before are kept as they are, and it has the mean
of its last year as its forecast.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.bootstrap import draw_weeks, percentile_interval, ratio_replicates
from htrisk_dagster.evaluation.noise_floors import mape_floor
from htrisk_dagster.evaluation.series_bands import choose_half_life, covered, rolling_bands
from htrisk_dagster.evaluation.series_choice import CHAMPION, NAIVE, choose
from htrisk_dagster.evaluation.series_errors import directional_accuracy, mape, seasonal_naive_mae
from htrisk_dagster.evaluation.series_rolling import Array, RollingForecasts, SeriesModel, roll
from htrisk_dagster.evaluation.series_scores import (
    LEAST_MEAN_FOR_MAPE,
    overdispersion_between_neighbours,
    score_series,
)
from htrisk_dagster.evaluation.skill.units_of_work import COST
from htrisk_dagster.models.series.hierarchical_smoothing import HierarchicalSmoothing
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts, period_start
from htrisk_dagster.models.series.seasonal_pattern import fit_seasonal_pattern, log_rates
from htrisk_dagster.models.series.univariate import SeasonalNaive, TrailingMean, Univariate
from htrisk_dagster.models.series.week_split import (
    months_ahead,
    months_of_weeks,
    split_floor_factor,
    whole_weeks,
)
from htrisk_dagster.models.series.weekly_lstm import LONGEST, WeeklyLSTM

FILE = "nyc/complaints/nypd_complaints_weekly_by_precinct_offense_2006_2024.parquet"
TEST_START = np.datetime64("2023-01-01")
FIT_STARTS = tuple(np.datetime64(f"{year}-01-01") for year in (2014, 2016, 2018, 2020, 2022))
BANDS_FROM = np.datetime64("2018-01-01")
HORIZON = 12
REVERTING = "trailing_mean"
LSTM = "weekly_lstm"
N_RESAMPLES = 1000
UNKNOWN = "UNKNOWN"


def read_weeks(path: Path, law_category: str | None = None) -> SeriesPanel:
    """Weekly counts by precinct, all offences or one law category, edge weeks that are cut off left out.

    Raises
    ------
    SourceError
        Where the file lacks a column or skips a week.
    """
    rows = pl.read_parquet(path)
    missing = {"week_start", "precinct", "law_cat_cd", "n"} - {*rows.columns}
    if missing:
        raise SourceError(f"{path} lacks the columns {sorted(missing)}. Give the weekly file.")
    rows = rows.filter(pl.col("precinct") != UNKNOWN)
    precincts = sorted(rows["precinct"].unique().to_list(), key=int)
    if law_category is not None:
        rows = rows.filter(pl.col("law_cat_cd") == law_category)
    weeks = rows["week_start"].to_numpy().astype("datetime64[D]")
    if (period_start(weeks, "week") != weeks).any():
        raise SourceError(f"{path}: a week does not begin on a Monday.")
    first, last = weeks.min(), weeks.max()
    n_weeks = int((last - first).astype(np.int64)) // 7 + 1
    counts = np.zeros((n_weeks, len(precincts)))
    index = {p: i for i, p in enumerate(precincts)}
    column = rows["precinct"].replace_strict(index, return_dtype=pl.Int64).to_numpy()
    np.add.at(counts, ((weeks - first).astype(np.int64) // 7, column), rows["n"].to_numpy())
    panel = SeriesPanel(tuple(precincts), next_starts(first, n_weeks, "week"), counts, "week")
    return whole_weeks(panel)


def forecast_precincts(
    data: str, seed: int, law_category: str = "", with_slow: bool = True
) -> dict[str, Any]:
    """Forecast every precinct blind, and score what came.

    Parameters
    ----------
    data : str
        Folder of the real data.
    seed : int
        Of the LSTM, the simulation and the bootstrap.
    law_category : str
        FELONY, MISDEMEANOR or VIOLATION; all of them if empty.
    with_slow : bool
        SARIMAX and the LSTM too.
    """
    weeks = read_weeks(Path(data) / FILE, law_category or None)
    months = months_of_weeks(weeks)
    test = months.index_of(TEST_START)
    fits = [months.index_of(day) for day in FIT_STARTS]
    models: list[SeriesModel] = [
        HierarchicalSmoothing(), Univariate("ets"), Univariate("theta"), SeasonalNaive(),
        TrailingMean(),
    ]  # fmt: skip
    if with_slow:
        models.insert(1, Univariate("sarimax"))
    expected, seconds = {}, {}
    for model in models:
        began = time.process_time()
        expected[model.name] = roll(model, months, [*fits, test], months.n_periods, horizon=HORIZON)
        seconds[model.name] = time.process_time() - began
    if with_slow:
        began = time.process_time()
        expected[LSTM] = _roll_lstm(weeks, months, [*fits, test], seed)
        seconds[LSTM] = time.process_time() - began
    rolled = RollingForecasts(months, np.arange(fits[0], months.n_periods), expected)
    candidates = [name for name in expected if name not in (NAIVE, REVERTING)]
    choice = choose(rolled, candidates, known_before=test)
    rolled = rolled.with_model(CHAMPION, choice.forecast(expected))
    half_life = choose_half_life(
        rolled, CHAMPION, first=months.index_of(BANDS_FROM), known_before=test
    )
    origins = range(test, months.n_periods)
    low, high = rolling_bands(rolled, CHAMPION, list(origins), half_life=half_life)
    return {
        "areas": len(months.areas),
        "months": months.n_periods - test,
        "incidents": float(months.counts[test:].sum()),
        "mean": float(months.counts[test:].mean()),
        "chosen": list(choice.names),
        "reason": choice.reason,
        "relative_error": list(choice.relative_error),
        "half_life": half_life,
        "split_factor": split_floor_factor(weeks),
        "overdispersion": overdispersion_between_neighbours(
            weeks.since(weeks.index_of(TEST_START))
        ),
        "month_ahead": _month_ahead(rolled, test, seed),
        "year_ahead": _year_ahead(rolled, test),
        "bands": {
            **_bands(rolled.from_origin(test), low, high, seed),
            "years_before": _years_before(rolled, test, half_life),
        },
        "hindsight": _hindsight(months, test),
        COST: seconds,
    }


def _roll_lstm(weeks: SeriesPanel, months: SeriesPanel, fits: list[int], seed: int) -> Array:
    """Months out of weeks; from an origin only weeks that ended before the month are seen."""

    def known(origin: int) -> SeriesPanel:
        return weeks.until(int(np.searchsorted(weeks.starts + 7, months.starts[origin], "right")))

    out = []
    for first, stop in zip(fits, [*fits[1:], months.n_periods], strict=True):
        fitted = WeeklyLSTM(seed).fit(known(first))
        for origin in range(first, stop):
            seen = known(origin)
            ahead = fitted.forecast(seen, LONGEST)
            out.append(months_ahead(seen, ahead, months.starts[origin], HORIZON))
    return np.stack(out)


def _month_ahead(rolled: RollingForecasts, test: int, seed: int) -> dict[str, Any]:
    months, ahead = rolled.panel, rolled.from_origin(test)
    counts = months.counts[test:]
    first = {name: f[:, 0] for name, f in ahead.expected.items()}
    scores = {
        name: {
            s.metric: asdict(s)
            for s in score_series(counts, forecast, first[NAIVE], months.until(test), seed=seed)
        }
        for name, forecast in first.items()
    }
    scale = seasonal_naive_mae(months.counts[:test], season=months.season)
    error = np.abs(counts - first[CHAMPION]).mean(axis=1) / scale
    draws = draw_weeks(len(error), n_resamples=N_RESAMPLES, seed=seed)
    interval = percentile_interval(ratio_replicates(draws, error, np.ones(len(error))))
    return {
        "models": scores,
        "mase_95": list(interval),
        "city_directional_accuracy": directional_accuracy(
            months.counts[test - 1 :].sum(axis=1)[:, None],
            np.vstack([np.ones((1, 1)), first[CHAMPION].sum(axis=1)[:, None]]),
        ),
    }


def _year_ahead(rolled: RollingForecasts, test: int) -> dict[str, Any]:
    """MASE and MAPE of twelve months from December 2022 and 2023; MASE of every origin and horizon."""
    months, ahead = rolled.panel, rolled.from_origin(test)
    scale = seasonal_naive_mae(months.counts[:test], season=months.season)
    known, truths = ahead.targets() < months.n_periods, ahead.truths()
    years = np.arange(0, known.shape[0], HORIZON)
    large = months.counts[:test].mean(axis=0) > LEAST_MEAN_FOR_MAPE
    out = {}
    for name, forecast in ahead.expected.items():
        error = np.abs(truths - forecast).mean(axis=2) / scale
        of_years = [a[years][..., large].reshape(-1, large.sum()) for a in (truths, forecast)]
        out[name] = {
            "years": float(error[years].mean()),
            "all": float(error[known].mean()),
            "mape": mape(*of_years) if large.any() else math.nan,
            "mape_floor": mape_floor(of_years[1]) if large.any() else math.nan,
        }
    return out


def _bands(ahead: RollingForecasts, low: Array, high: Array, seed: int) -> dict[str, Any]:
    hits = covered(ahead.truths(), low, high)
    known = ahead.targets() < ahead.panel.n_periods
    years = np.arange(0, len(hits), HORIZON)
    share = hits.mean(axis=2)
    draws = draw_weeks(len(hits), n_resamples=N_RESAMPLES, seed=seed)
    by_origin, weight = (np.where(known, v, 0.0).sum(axis=1) for v in (share, 1.0))
    middle = ahead.expected[CHAMPION]
    return {
        "month_ahead": float(share[:, 0].mean()),
        "years": float(share[years].mean()),
        "all": float(share[known].mean()),
        "all_95": list(percentile_interval(ratio_replicates(draws, by_origin, weight))),
        "by_horizon": [float(s[k].mean()) for s, k in zip(share.T, known.T, strict=True)],
        "width_pct": {
            "month_ahead": float(100 * np.median((high - low)[:, 0] / middle[:, 0])),
            "twelve_ahead": float(100 * np.median((high - low)[:, -1] / middle[:, -1])),
        },
    }


def _years_before(rolled: RollingForecasts, test: int, half_life: float) -> dict[str, float]:
    """Coverage of the one-year bands made at the end of each year before the test, blind as well."""
    months = rolled.panel
    first = months.index_of(BANDS_FROM)
    origins = list(range(first, test - HORIZON + 1, HORIZON))
    low, high = rolling_bands(rolled, CHAMPION, origins, half_life=half_life)
    hits = covered(rolled.truths()[np.searchsorted(rolled.origins, origins)], low, high)
    return {str(months.starts[o])[:4]: float(h.mean()) for o, h in zip(origins, hits, strict=True)}


def _hindsight(months: SeriesPanel, test: int) -> dict[str, float]:
    """What who knows the months before *and after* gets: no forecast, but a mark for forecasts.

    The mean of the seasonally adjusted logarithms of both neighbours; the last month has none after it.
    """
    pattern = fit_seasonal_pattern(months).areas[months.phase]
    days = months.days.astype(np.float64)
    adjusted = log_rates(months.counts, days) - pattern
    between = (adjusted[test - 1 : -2] + adjusted[test + 1 :]) / 2.0
    expected = np.exp(between + pattern[test:-1]) * days[test:-1, None]
    large = months.counts[:test].mean(axis=0) > LEAST_MEAN_FOR_MAPE
    counts = months.counts[test:-1]
    return {
        "mape": mape(counts[:, large], expected[:, large]),
        "directional_accuracy": directional_accuracy(
            months.counts[test - 1 : -1], np.vstack([expected[:1], expected])
        ),
    }
