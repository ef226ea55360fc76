"""What can be known of a synthetic city: its true intensity, and the filter's forecast.

Belongs here: from a world's truth to two intensities of what is reported with a point. Does not: the
filter (`evaluation.filtering`), scores (`expected_scores`), forecasts of models (`blind_run`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.filtering import LogField, expected_triggered, filtering_forecast
from htrisk_dagster.sources.synthetic_city import space_time
from htrisk_dagster.sources.synthetic_city.land import CELL_M
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, TARGET
from htrisk_dagster.sources.synthetic_city.world import World

Array = NDArray[np.float64]

# A correlation of 0.9 from day to day leaves 1 part in 10,000 after three months: the filter that
# begins then has forgotten that it knew nothing.
_WARM_UP_DAYS = 91


@dataclass(frozen=True, eq=False)
class CityCeilings:
    """Expected reported incidents with a usable point, by day and cell.

    Parameters
    ----------
    omniscient : float64, shape (D, C)
        True intensity: knows the field, and every incident up to the day before, reported or not.
    filtering : float64, shape (D, C)
        True parameters, but only what was reported before each day's cutoff.
    """

    omniscient: Array
    filtering: Array


def city_ceilings(
    world: World, *, n_days: int, located_share: float, lag_days: int
) -> CityCeilings:
    """Compute both ceilings for the last `n_days` of a world.

    Parameters
    ----------
    world : World
    n_days : int
        D, the test days.
    located_share : float
        Share of reports that come with a usable point.
    lag_days : int
        Publication lag: a forecast for day D uses what was reported before D less this.
    """
    truth = world.target
    kappa = next(family.kappa for family in FAMILIES if family.name == TARGET)
    mine = world.incidents.of_family(TARGET)
    occurred, reported, cell = (
        getattr(world.incidents, name)[mine] for name in ("occurred", "reported", "cell")
    )
    ahead_days = lag_days + 1
    # Known on the day itself, which is the newest day that the forecast `ahead_days` later sees.
    prompt = reported == occurred
    shape = truth.intensity.shape
    observed = np.bincount(
        occurred[prompt] * shape[1] + cell[prompt], minlength=shape[0] * shape[1]
    )
    filtered = slice(max(shape[0] - n_days - _WARM_UP_DAYS, 0), None)
    forecast = filtering_forecast(
        static=truth.static,
        calendar=truth.calendar[filtered],
        exposure=truth.exposure[filtered].astype(np.float64),
        reporting=truth.reporting,
        triggered=expected_triggered(
            truth.triggered_as_reported[filtered].astype(np.float64),
            static=truth.static,
            reporting=truth.reporting,
            offspring=kappa,
        ),
        observed=observed.reshape(shape)[filtered],
        prompt_share=float(prompt.mean()) if len(prompt) else 1.0,
        x_m=world.x_m,
        y_m=world.y_m,
        field=LogField(
            sd=space_time.TARGET_LOG_SD,
            daily_correlation=space_time.DAILY_CORRELATION,
            length_m=space_time.LENGTH_SCALE_CELLS * CELL_M,
            day_sd=float(np.log(truth.day_shock).std()),
        ),
        ahead_days=ahead_days,
    )
    intensity = truth.intensity[-n_days:].astype(np.float64)
    return CityCeilings(intensity * located_share, forecast[-n_days:] * located_share)
