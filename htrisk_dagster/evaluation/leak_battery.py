"""The leak battery: whether anything that was not yet known reached a feature or a forecast.

Belongs here: the rules that change what a procedure is given and watch what it gives, each as a
function to a finding, and the run of all of them. Does not: the altered inputs (`altered_inputs`),
scores that are too good to be honest (`ceiling_alarm`), who runs them (`defs/leak_checks.py`).

A rule never asks how a feature is made. It changes what could not be known, and nothing may move:

* *future*: rows reported on or after the day's cutoff are removed, or rewritten at random;
* *as of*: what is stored equals what the rows known then give;
* *labels*: in a city whose incidents are thrown anywhere at random there is nothing to know, so AUC
  is 1/2; where each place keeps its incidents on other days, place alone is all there is to know;
* *seal*: the forecast that is scored is the one that was sealed before its truth was read.

The first is exact: one bit is a leak. The third finds leaks that no rule on rows sees, such as an
order of rows that gives the label away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.altered_inputs import (
    with_incidents_anywhere,
    with_incidents_on_other_days,
    with_rewritten_future,
    without_future,
)
from htrisk_dagster.evaluation.ceiling_alarm import no_forecast_is_beyond
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


def future_changes_nothing(
    make: MadeOfDay, inputs: FeatureInputs, days: Sequence[date], *, what: str, seed: int
) -> Finding:
    """What is made for a day stays bit for bit the same whatever is reported from its cutoff on.

    Parameters
    ----------
    make : callable
        Makes what is tested for one day.
    inputs : FeatureInputs
        With rows beyond the cutoffs, or the rule has nothing to change.
    days : sequence of date
        Days tried.
    what : str
        What `make` makes, for the sentence.
    seed : int
        Of the rewritten future.
    """
    for day in days:
        usual = make(inputs, day)
        for how, altered in (
            ("removed", without_future(inputs, day)),
            ("rewritten", with_rewritten_future(inputs, day, seed=seed)),
        ):
            moved = _differing(usual, make(altered, day))
            if moved:
                cutoff = day - timedelta(days=inputs.lag_days)
                return Finding(
                    False,
                    f"{what} of {day} differ in {moved} of {usual.size} numbers when reports from the "
                    f"cutoff {cutoff} on are {how}: something not yet known was used.",
                    {"numbers_moved": float(moved)},
                )
    return Finding(
        True,
        f"{what} of {len(days)} days do not hang on anything reported from their cutoff on.",
        {"days": float(len(days))},
    )


def stored_equals_rebuilt(
    stored: Mapping[date, NDArray[np.floating]], make: MadeOfDay, inputs: FeatureInputs
) -> Finding:
    """What was stored for each day equals what the rows known at its cutoff give.

    Parameters
    ----------
    stored : dict of date to array
        As read back from the store.
    make : callable
        Makes the same for one day.
    inputs : FeatureInputs
        Rows as they are now; those not known at the cutoff of a day are taken out first.
    """
    for day, values in stored.items():
        moved = _differing(values, make(without_future(inputs, day), day))
        if moved:
            return Finding(
                False,
                f"Stored values of {day} differ in {moved} of {values.size} numbers from those that the "
                "rows reported before its cutoff give. Make the day again, and find what was used.",
                {"numbers_moved": float(moved)},
            )
    return Finding(
        True,
        f"{len(stored)} stored days equal those made from what was known at their cutoff.",
        {"days": float(len(stored))},
    )


def _differing(one: NDArray[np.floating], other: NDArray[np.floating]) -> int:
    """How many numbers differ; absent equals absent."""
    if one.shape != other.shape:
        return int(max(one.size, other.size, 1))
    return int(np.count_nonzero((one != other) & ~(np.isnan(one) & np.isnan(other))))


def known_labels_only(
    labels: NDArray[np.floating], inputs: FeatureInputs, days: Sequence[date], *, cutoff: date
) -> Finding:
    """Training labels are the counts of what was reported before the fold's cutoff, not today's.

    Parameters
    ----------
    labels : array, shape (D, C)
        Labels that the fit saw.
    days : sequence of date
        Their consecutive days.
    cutoff : date
        Of the fold.
    """
    known = target_counts(inputs, [d.isoformat() for d in days], known_before=cutoff)
    wrong = _differing(labels, known)
    more = float(labels.sum() - known.sum())
    return Finding(
        not wrong,
        f"{len(days)} days of labels are as known on {cutoff}."
        if not wrong
        else f"{wrong} labels differ from what was known on {cutoff}, by {more:+g} incidents in all: "
        "later reports were used.",
        {"labels_wrong": float(wrong)},
    )


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


def seals_hold(sealed: Mapping[str, str], found: Mapping[str, str]) -> Finding:
    """Every forecast has today the digest under which it was sealed.

    Parameters
    ----------
    sealed, found : dict of str to str
        Digest by day or fold, as written down before the truth was read, and as it is now.
    """
    unsealed = sorted(set(found) - set(sealed))
    changed = sorted(key for key in sealed if found.get(key) != sealed[key])
    figures = {"sealed": float(len(sealed)), "changed": float(len(changed))}
    if changed:
        state = "is gone" if changed[0] not in found else "has changed"
        return Finding(
            False,
            f"The forecast of {changed[0]} {state} since it was sealed; {len(changed)} such in all. A "
            "forecast that moves after its truth is known says nothing: make it again.",
            figures,
        )
    if unsealed:
        return Finding(
            False,
            f"The forecast of {unsealed[0]} was never sealed; {len(unsealed)} such in all. Make it again.",
            figures,
        )
    return Finding(True, f"{len(sealed)} forecasts are as they were sealed.", figures)


def run_battery(
    procedure: Procedure,
    inputs: FeatureInputs,
    *,
    sampled: Sequence[date],
    intensity: NDArray[np.float64] | None = None,
    seed: int,
) -> dict[str, Finding]:
    """Put a procedure to every rule that needs nothing but the procedure and its inputs.

    Parameters
    ----------
    procedure : Procedure
    inputs : FeatureInputs
        With the truth of the test days.
    sampled : sequence of date
        Days of the block on which the future is changed; each costs three runs of the procedure.
    intensity : float64, shape (D, C), optional
        True intensity of the test days, where it is known, for the ceiling.
    seed : int

    Returns
    -------
    dict of str to Finding
        By name of the rule.
    """
    stored = {day: procedure.features(inputs, day) for day in sampled}
    found = {
        "future_of_features": future_changes_nothing(
            procedure.features, inputs, sampled, what="Features", seed=seed
        ),
        "future_of_forecasts": future_changes_nothing(
            procedure.forecast_of, inputs, sampled, what="Forecasts", seed=seed
        ),
        "as_of_difference": stored_equals_rebuilt(stored, procedure.features, inputs),
        "random_city": random_city_gives_no_skill(procedure, inputs, seed=seed),
        "shuffled_days": shuffled_days_give_no_more_than_place(procedure, inputs, seed=seed),
    }
    if intensity is not None:
        found["above_ceiling"] = no_forecast_is_beyond(
            _truth(inputs, procedure.days),
            {"forecast": procedure.forecast(inputs)},
            intensity=intensity,
            seed=seed,
        )
    return found
