"""The risk table: forecast, risk and score of every cell for each day.

Belongs here: how an expected count becomes a probability, intervals and a rank. Does not: the forecast
itself (`models`), how many ranks a band has (`risk_bands`), the map (`risk_map`).

Three words stay apart: *forecast* is a count, *risk* a probability, *score* a unitless rank.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.models.count_distribution import probability_of_any
from htrisk_dagster.publishing.risk_bands import band_of
from htrisk_dagster.schemas.predictions import CELL_DAY_RISK


def risk_table(
    expected: NDArray[np.float64],
    days: NDArray[np.datetime64],
    *,
    intervals: CountIntervals,
    target: str,
    model: str,
    trained_before: date,
    reasons: pl.Series | None = None,
) -> pl.DataFrame:
    """Risk of each cell and day from expected counts.

    Parameters
    ----------
    expected : float64, shape (D, C)
        Expected reported incidents.
    days : datetime64[D], shape (D,)
        Days the forecasts are for.
    intervals : CountIntervals
        How counts scatter around an expected count. The probability takes its overall size, so that
        a higher forecast never has a lower risk.
    target, model : str
        What is forecast, and by which model.
    trained_before : date
        The model saw nothing reported on or after this day.
    reasons : Series of str, length D x C, optional
        Why each forecast is high or low, in order of day and cell; missing without it.

    Returns
    -------
    DataFrame
        `schemas.predictions.CELL_DAY_RISK`, D x C rows in order of day and cell.

    Raises
    ------
    ValueError
        Where a forecast is not a positive number.
    """
    n_days, n_cells = expected.shape
    wrong = np.argwhere(~(np.isfinite(expected) & (expected > 0)))
    if wrong.size:
        day, cell = wrong[0]
        raise ValueError(
            f"Model '{model}' expects {expected[day, cell]} incidents in cell {cell} on {days[day]}; "
            "a forecast is a number above 0. Train the model again."
        )
    flat = expected.reshape(-1)
    rank = daily_rank(expected)
    lower_50, upper_50 = intervals.interval(flat, 0.50)
    lower_95, upper_95 = intervals.interval(flat, 0.95)
    frame = pl.DataFrame(
        {
            "risk_on": np.repeat(days.astype("datetime64[D]"), n_cells),
            "cell_id": np.tile(np.arange(n_cells, dtype=np.int32), n_days),
            "expected_count": flat,
            "risk_prob": probability_of_any(flat, intervals.size),
            "lower_50_count": lower_50,
            "upper_50_count": upper_50,
            "lower_95_count": lower_95,
            "upper_95_count": upper_95,
            "rank": rank.reshape(-1),
            "band": band_of(rank.reshape(-1), n_cells),
        }
    )
    return CELL_DAY_RISK.conform(
        frame.with_columns(
            pl.lit(target).alias("target"),
            pl.lit(model).alias("model"),
            pl.lit(trained_before).alias("trained_before"),
            (pl.lit(None, pl.String) if reasons is None else reasons).alias("reasons"),
        )
    )


def daily_rank(expected: NDArray[np.float64]) -> NDArray[np.int32]:
    """Rank of each cell within its day, 1 the highest; a tie goes to the lower cell number."""
    order = np.argsort(-expected, axis=1, kind="stable")
    rank = np.empty(expected.shape, dtype=np.int32)
    np.put_along_axis(
        rank, order, np.arange(1, expected.shape[1] + 1, dtype=np.int32)[None], axis=1
    )
    return rank
