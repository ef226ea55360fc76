"""Both ceilings of a test block in a synthetic city: who knows all, and who knows the law.

Belongs here: from the truth of a city to expected reported incidents by day and cell, and their
rows in the comparison. Does not: reading the truth (`truth`), ceilings of an intensity
(`ceilings`, `ceiling_simulation`), the filter (`filtering`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.ceiling_simulation import N_DRAWS, ceiling_rows
from htrisk_dagster.evaluation.comparison import CEILING_PREFIX
from htrisk_dagster.evaluation.filtering import expected_triggered, filtering_forecast
from htrisk_dagster.evaluation.truth import CityTruth
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.grid.panel import count_panel

Array = NDArray[np.float64]

OMNISCIENT, FILTERING = f"{CEILING_PREFIX}omniscient", f"{CEILING_PREFIX}filtering"
CEILINGS = (OMNISCIENT, FILTERING)

# A cell in which nothing can happen: no forecast is 0.
_LEAST = 1e-12
# Share of reports that may stand in another cell than their own.
_MISPLACED = 0.001
# The field forgets: 0.9 a day leaves under a hundredth after this.
_BURN_IN_DAYS = 45


@dataclass(frozen=True, eq=False)
class BlockIntensity:
    """Expected reported incidents with a cell on a test block, for who knows everything.

    Parameters
    ----------
    omniscient : float64, shape (D, C)
        Knows the field and every incident up to the day before.
    day_shock : float64, shape (D,)
        Factors of the days that came, which nobody could know.
    """

    omniscient: Array
    day_shock: Array

    @property
    def drawn_from(self) -> Array:
        """What the counts of the block were drawn from, shape (D, C)."""
        return np.asarray(self.omniscient * self.day_shock[:, None])


def block_intensity(truth: CityTruth, inputs: FeatureInputs, days: Sequence[str]) -> BlockIntensity:
    """Omniscient ceiling of consecutive days, ISO dates, on the grid of the inputs."""
    part = truth.between(date.fromisoformat(days[0]), date.fromisoformat(days[-1]))
    located = _located_share(inputs, date.fromisoformat(days[0]))
    expected = part.intensity * located
    # A point on the edge of its cell may be put into the next, where nothing was to be expected.
    anywhere = expected.mean(axis=1, keepdims=True)
    return BlockIntensity((1 - _MISPLACED) * expected + _MISPLACED * anywhere, part.day_shock)


def block_filtering(truth: CityTruth, inputs: FeatureInputs, days: Sequence[str]) -> Array:
    """Filtering ceiling of consecutive days: the law, and what was reported before each cutoff.

    Parameters
    ----------
    truth : CityTruth
        On the grid of the inputs.
    inputs : FeatureInputs
        Incidents of the target, on which the filter runs, and the publication lag.
    days : sequence of str
        Consecutive days as ISO dates.

    Returns
    -------
    float64, shape (D, C)
    """
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    begin = max(
        first - timedelta(days=_BURN_IN_DAYS + inputs.lag_days),
        date.fromisoformat(str(truth.days[0])),
    )
    part = truth.between(begin, last)
    prompt, share = _prompt_counts(inputs, part, first)
    forecast = filtering_forecast(
        static=part.static,
        calendar=part.calendar,
        exposure=part.exposure,
        reporting=part.reporting * _located_share(inputs, first),
        triggered=expected_triggered(
            part.triggered_as_reported,
            static=part.static,
            reporting=part.reporting,
            offspring=truth.offspring,
        ),
        observed=prompt,
        prompt_share=share,
        x_m=inputs.grid.cells["x_m"].to_numpy(),
        y_m=inputs.grid.cells["y_m"].to_numpy(),
        field=truth.log_field,
        ahead_days=inputs.lag_days + 1,
    )
    return np.maximum(forecast[-len(days) :], _LEAST)


def _located_share(inputs: FeatureInputs, before: date) -> float:
    """Share of the target's reports before a day that have a cell: the others are on no map."""
    rows = inputs.target.select(inputs.incidents).filter(pl.col("reported_on") < before)
    return 1 - rows["cell_id"].null_count() / rows.height if rows.height else 1.0


def _prompt_counts(inputs: FeatureInputs, part: CityTruth, before: date) -> tuple[Array, float]:
    """Incidents reported on their own day, shape (D, C), and their share among those before a day."""
    rows = inputs.target.select(inputs.incidents)
    same_day = pl.col("reported_on") == pl.col("occurred_on")
    earlier = rows.filter(pl.col("reported_on") < before)
    share = float(earlier.select(same_day.mean()).item() or 0.0) if earlier.height else 1.0
    prompt = rows.filter(same_day).drop_nulls("cell_id")
    start = date.fromisoformat(str(part.days[0]))
    index = (prompt["occurred_on"] - start).dt.total_days().to_numpy()
    counts = count_panel(
        index, prompt["cell_id"].to_numpy().astype(np.int64), len(part.days), len(part.static)
    )
    return counts.astype(np.float64), max(share, 1e-6)


def ceilings_for(
    truth: CityTruth,
    inputs: FeatureInputs,
    days: Sequence[str],
    *,
    historical_mean: ArrayLike,
    active: NDArray[np.bool_],
    n_draws: int = N_DRAWS,
    seed: int,
) -> pl.DataFrame:
    """Rows of both ceilings of consecutive days for the table of models.

    Parameters
    ----------
    truth : CityTruth
        On the grid of the inputs.
    inputs : FeatureInputs
    days : sequence of str
        ISO dates, D of them.
    historical_mean : array, shape (D, C)
        Forecast that differences and information gain refer to.
    active : bool, shape (C,)
        Cells of the mask `active`.
    n_draws, seed : int
        Of the draws from the true intensity.

    Returns
    -------
    DataFrame
        `schemas.predictions.MODEL_COMPARISON`, models `ceiling_omniscient` and
        `ceiling_filtering`. Intervals are bands of the draws; see `ceiling_rows`.
    """
    block = block_intensity(truth, inputs, days)
    return ceiling_rows(
        block.drawn_from,
        {OMNISCIENT: block.omniscient, FILTERING: block_filtering(truth, inputs, days)},
        reference=historical_mean,
        active=active,
        n_draws=n_draws,
        seed=seed,
    )
