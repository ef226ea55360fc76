"""What a procedure scores in a city where there is nothing, or nothing but place, to know.

Belongs here: the procedure under test, and the two rules that run it on shuffled labels. Does not:
the shuffling (`altered_inputs`), rules on the future (`leak_battery`).

Labels are shuffled in the *inputs*, and the whole procedure is run on them: features, labels, fit
and forecast. Shuffling the labels of the fit alone would say little, since a model that is fitted
to noise still weighs features that vary with place, and its AUC may lie anywhere. In the shuffled
city there is a right answer, and an AUC beyond it is a leak.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.altered_inputs import (
    with_incidents_anywhere,
    with_incidents_on_other_days,
)
from htrisk_dagster.evaluation.discrimination import roc_auc
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.schemas.finding import Finding

MadeOfDay = Callable[[FeatureInputs, date], NDArray[np.floating]]
"""What a procedure makes for one day from inputs: features (C, F), or a forecast (C,)."""

# A finding of luck once in 30,000 runs: the battery runs often and must not cry wolf.
_Z = 4.0


@dataclass(frozen=True)
class Procedure:
    """What is put to the test: a way from inputs to features and forecasts.

    Parameters
    ----------
    features : callable
        Features of one day, shape (C, F).
    forecast : callable
        Expected counts of all `days`, shape (D, C), labels and fits included: everything from
        inputs to forecast, so that a leak has nowhere to hide.
    days : tuple of date
        Consecutive days of the test block.
    """

    features: MadeOfDay
    forecast: Callable[[FeatureInputs], NDArray[np.float64]]
    days: tuple[date, ...]

    def forecast_of(self, inputs: FeatureInputs, day: date) -> NDArray[np.float64]:
        """Forecast of one day, shape (C,)."""
        return np.asarray(self.forecast(inputs)[self.days.index(day)])


def random_city_gives_no_skill(
    procedure: Procedure, inputs: FeatureInputs, *, seed: int
) -> Finding:
    """Where incidents lie anywhere on any day, AUC is 1/2 within four standard errors.

    The whole procedure is run on the random city, so the forecast can know the test days only
    through a leak. The standard error is that of Mann and Whitney's statistic without an
    association, sqrt((n1 + n0 + 1) / (12 n1 n0)).
    """
    random = with_incidents_anywhere(inputs, seed=seed)
    truth = _truth(random, procedure.days)
    auc = roc_auc(truth, procedure.forecast(random))
    error = _null_error(truth)
    holds = math.isnan(auc) or abs(auc - 0.5) <= _Z * error
    return Finding(
        holds,
        f"In a city of random days and places AUC is {auc:.3f}, 1/2 +- {_Z * error:.3f} expected"
        + ("." if holds else ": the forecast knows its own test days."),
        {"auc": auc, "allowed": _Z * error},
    )


def shuffled_days_give_no_more_than_place(
    procedure: Procedure, inputs: FeatureInputs, *, seed: int
) -> Finding:
    """Where each cell keeps its incidents on random days, AUC is at most that of place alone.

    Place alone is the cell's mean over *all* days of the shuffled city, the scored ones among them:
    more than any forecaster may know. Four standard errors of an AUC of that height (Hanley and
    McNeil 1982, no end of negatives) are allowed above it.
    """
    shuffled = with_incidents_on_other_days(inputs, seed=seed)
    truth = _truth(shuffled, procedure.days)
    rows = shuffled.target.select(shuffled.incidents).drop_nulls("cell_id")
    cell = rows["cell_id"].to_numpy()
    place = np.bincount(cell, minlength=inputs.grid.n_cells) + 1e-3
    best = roc_auc(truth, np.broadcast_to(place, truth.shape))
    auc = roc_auc(truth, procedure.forecast(shuffled))
    n_positive = max(int(np.count_nonzero(truth)), 1)
    error = math.sqrt(max(2 * best**2 / (1 + best) - best**2, 0.0) / n_positive)
    holds = not auc > best + _Z * error
    return Finding(
        holds,
        f"With days shuffled within cells AUC is {auc:.3f}; place alone gives {best:.3f} +- "
        f"{_Z * error:.3f}" + ("." if holds else ": the forecast knows the shuffled days."),
        {"auc": auc, "auc_of_place": best, "allowed": _Z * error},
    )


def _truth(inputs: FeatureInputs, days: Sequence[date]) -> NDArray[np.float32]:
    return target_counts(inputs, [d.isoformat() for d in days])


def _null_error(counts: NDArray[np.floating]) -> float:
    n1 = int(np.count_nonzero(counts))
    n0 = counts.size - n1
    return math.sqrt((n1 + n0 + 1) / (12 * n1 * n0)) if n1 and n0 else math.inf
