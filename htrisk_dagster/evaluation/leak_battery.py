"""The leak battery: whether anything that was not yet known reached a feature or a forecast.

Belongs here: the rules that change the future and watch whether anything moves, each as a function
to a finding, the seals, and the run of the whole battery. Does not: the altered inputs
(`altered_inputs`), shuffled labels (`label_shuffle`), scores that are too good to be honest
(`ceiling_alarm`), who runs them (`defs/leak_checks.py`).

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

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.altered_inputs import with_rewritten_future, without_future
from htrisk_dagster.evaluation.ceiling_alarm import no_forecast_is_beyond
from htrisk_dagster.evaluation.label_shuffle import (
    MadeOfDay,
    Procedure,
    random_city_gives_no_skill,
    shuffled_days_give_no_more_than_place,
)
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.schemas.finding import Finding


def made_of_known(
    make: MadeOfDay, inputs: FeatureInputs, days: Sequence[date]
) -> dict[date, NDArray[np.floating]]:
    """What is made for each day where the rows not known at its cutoff are taken out first."""
    return {day: make(without_future(inputs, day), day) for day in days}


def future_changes_nothing(
    make: MadeOfDay,
    inputs: FeatureInputs,
    known: Mapping[date, NDArray[np.floating]],
    *,
    what: str,
    seed: int,
) -> Finding:
    """What is made for a day stays bit for bit the same whatever is reported from its cutoff on.

    Parameters
    ----------
    make : callable
        Makes what is tested for one day.
    inputs : FeatureInputs
        With rows beyond the cutoffs, or the rule has nothing to change.
    known : dict of date to array
        What `made_of_known` gives for the days tried.
    what : str
        What `make` makes, for the sentence.
    seed : int
        Of the rewritten future.
    """
    for day, removed in known.items():
        usual = make(inputs, day)
        rewritten = make(with_rewritten_future(inputs, day, seed=seed), day)
        for how, made in (("removed", removed), ("rewritten", rewritten)):
            moved = _differing(usual, made)
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
        f"{what} of {len(known)} days do not hang on anything reported from their cutoff on.",
        {"days": float(len(known))},
    )


def stored_equals_rebuilt(
    stored: Mapping[date, NDArray[np.floating]], known: Mapping[date, NDArray[np.floating]]
) -> Finding:
    """What was stored for each day equals what the rows known at its cutoff give.

    Parameters
    ----------
    stored : dict of date to array
        As read back from the store.
    known : dict of date to array
        What `made_of_known` gives for the same days, from the rows as they are now.
    """
    for day, values in stored.items():
        moved = _differing(values, known[day])
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
    known = made_of_known(procedure.features, inputs, sampled)
    forecast = made_of_known(procedure.forecast_of, inputs, sampled)
    found = {
        "future_of_features": future_changes_nothing(
            procedure.features, inputs, known, what="Features", seed=seed
        ),
        "future_of_forecasts": future_changes_nothing(
            procedure.forecast_of, inputs, forecast, what="Forecasts", seed=seed
        ),
        "as_of_difference": stored_equals_rebuilt(stored, known),
        "random_city": random_city_gives_no_skill(procedure, inputs, seed=seed),
        "shuffled_days": shuffled_days_give_no_more_than_place(procedure, inputs, seed=seed),
    }
    if intensity is not None:
        found["above_ceiling"] = no_forecast_is_beyond(
            target_counts(inputs, [d.isoformat() for d in procedure.days]),
            {"forecast": procedure.forecast(inputs)},
            intensity=intensity,
            seed=seed,
        )
    return found
