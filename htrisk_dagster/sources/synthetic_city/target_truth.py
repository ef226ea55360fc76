"""What is true of the target, and nobody can see: the yardstick of every forecast.

Belongs here: the true intensity and its parts, and what a filter with true parameters could know.
Does not: how incidents come about (`world`). No feature or model may read it; evaluation does, for
ceilings, and a test holds everything else to that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.incidents import Events, Incidents
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, TARGET
from htrisk_dagster.sources.synthetic_city.self_excitation import Spread, excitation


@dataclass(frozen=True, eq=False)
class TargetTruth:
    """What is true of the target family; D days, C cells.

    Parameters
    ----------
    static : ndarray of float64, shape (C,)
        Expected true incidents a day from place alone: calendar and factors at 1.
    calendar : ndarray of float64, shape (D,)
        Weekday, month, year, holidays; mean 1.
    exposure : ndarray of float32, shape (D, C)
        Factor of permitted events and airport passengers, and of patrols where policing feeds
        back; known in advance.
    field : ndarray of float32, shape (D, C)
        Space-time factor with mean 1. Nobody can observe it directly.
    triggered : ndarray of float32, shape (D, C)
        Self-excitation of day d by all true incidents up to d - 1.
    reporting : ndarray of float64, shape (C,)
        Share that is reported.
    intensity : ndarray of float32, shape (D, C)
        Expected reported incidents by true place, with the day's shock at its mean of 1:
        `(static * calendar * exposure * field + triggered) * reporting`.
    day_shock : ndarray of float64, shape (D,)
        Factor of the background of the day that nobody can forecast; mean 1.
    counts : ndarray of uint16, shape (D, C)
        Reported incidents by true day and place, whatever their day of report.
    triggered_as_reported : ndarray of float32, shape (D, C)
        As `triggered`, but by incidents reported before the day only, each for as many as were not
        reported: what a filter with true parameters could compute.
    """

    static: NDArray[np.float64]
    calendar: NDArray[np.float64]
    exposure: NDArray[np.float32]
    field: NDArray[np.float32]
    triggered: NDArray[np.float32]
    reporting: NDArray[np.float64]
    intensity: NDArray[np.float32]
    day_shock: NDArray[np.float64]
    counts: NDArray[np.uint16]
    triggered_as_reported: NDArray[np.float32]


def truth_of_target(
    static: NDArray[np.float64],
    calendar: NDArray[np.float64],
    factor: NDArray[np.float32],
    field: NDArray[np.float32],
    shock: NDArray[np.float64],
    true: Events,
    incidents: Incidents,
    reporting: NDArray[np.float64],
    spread: Spread,
) -> TargetTruth:
    """Put together what is true of the target.

    Parameters
    ----------
    static, calendar, factor, field, shock, reporting
        Parts of `TargetTruth`; `factor` is the exposure.
    true : (day, cell)
        All that happened, reported or not.
    incidents : Incidents
        What was reported, of all families.
    spread : Spread
        Where offspring go.
    """
    family = next(f for f in FAMILIES if f.name == TARGET)
    shape = factor.shape
    mine = incidents.of_family(TARGET)
    occurred, cell = incidents.occurred[mine], incidents.cell[mine]
    triggered = excitation(
        true[0], true[0], true[1], np.ones(len(true[0])), shape, family.kappa, spread
    )
    as_reported = excitation(
        occurred, incidents.reported[mine], cell, 1 / reporting[cell], shape, family.kappa, spread
    )
    intensity = (calendar[:, None] * static * factor * field + triggered) * reporting
    counts = np.bincount(occurred * shape[1] + cell, minlength=factor.size)
    return TargetTruth(
        static=static,
        calendar=calendar,
        exposure=factor,
        field=field,
        triggered=triggered,
        reporting=reporting,
        intensity=intensity.astype(np.float32),
        day_shock=shock,
        counts=counts.reshape(shape).astype(np.uint16),
        triggered_as_reported=as_reported,
    )
