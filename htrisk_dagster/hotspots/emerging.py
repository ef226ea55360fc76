"""Emerging hot spots: what became of each cell's hot and cold periods, in seventeen classes.

Belongs here: the classes. Does not: Gi* (`getis_ord.py`), the trend (`mann_kendall.py`).

The classes are those of "How Emerging Hot Spot Analysis works" (Esri, ArcGIS Pro, Space Time
Pattern Mining toolbox), given here for hot spots; a cold spot is the same of low counts, the trend
turned round. A period is hot where Gi* is significantly high in it.

- new: hot in the final period and never before.
- consecutive: one unbroken run of at least two hot periods up to the final one, never hot before
  that run, and hot in less than 90% of all periods.
- intensifying: hot in at least 90% of periods, the final one among them, and z rises significantly.
- persistent: hot in at least 90% of periods, and z has no significant trend.
- diminishing: hot in at least 90% of periods, the final one among them, and z falls significantly.
- sporadic: hot in the final period, on and off before, in less than 90% of periods, and never cold.
- oscillating: hot in the final period and in less than 90%, and cold in some earlier period.
- historical: hot in at least 90% of periods but not in the final one.
- no pattern: none of these.

The page has changed between versions: older words for a sporadic spot (2.8, as R's sfdep quotes
them, against which all eight were compared) do not ask for the final period. Where the words leave
a choice: the final period decides first, so a cell hot in 90% of periods and cold in the final one
is a new cold spot, no historical hot spot; persistent asks for the final period too, or it would
cover historical; a new or consecutive hot spot may have been cold before. A period without variance
is a period, neither hot nor cold, and is left out of the trend.

Unlike ArcGIS's default, a neighbourhood holds no earlier period and the mean is of the period, not
of the whole cube: a period's Gi* is one that `esda` gives, and a season does not move all cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.hotspots.mann_kendall import Trend, mann_kendall
from htrisk_dagster.schemas.hotspots import NO_PATTERN, PATTERNS

LEAST_PERIODS = 10


@dataclass(frozen=True, eq=False)
class EmergingHotSpots:
    """Class of each of C cells, and what it rests on; arrays of shape (C,).

    Parameters
    ----------
    pattern : str
        One of `schemas.hotspots.PATTERNS`.
    hot_periods, cold_periods : int64
        Number of hot and of cold periods.
    trend : Trend
        Of Gi*'s z over the periods that have one.
    """

    pattern: NDArray[np.str_]
    hot_periods: NDArray[np.int64]
    cold_periods: NDArray[np.int64]
    trend: Trend


def emerging_hot_spots(
    z: NDArray[np.float64], hot: NDArray[np.bool_], cold: NDArray[np.bool_], *, level: float
) -> EmergingHotSpots:
    """Classify the cells of T periods.

    Parameters
    ----------
    z : float64, shape (T, C)
        Gi*, NaN in a period without variance.
    hot, cold : bool, shape (T, C)
        Where it is significant, as `GiStar.hot` and `GiStar.cold` say.
    level : float
        Largest two-sided p-value of a significant trend.

    Raises
    ------
    ValueError
        Where there are fewer than ten periods, which ArcGIS asks for as well.
    """
    if len(z) < LEAST_PERIODS:
        raise ValueError(
            f"{len(z)} periods are too few for a history of hot spots; give {LEAST_PERIODS} at least."
        )
    trend = mann_kendall(z[~np.isnan(z).all(axis=1)])
    direction = np.sign(trend.z) * (trend.p_value <= level)
    pattern = np.full(z.shape[1], NO_PATTERN, dtype=f"<U{max(map(len, PATTERNS))}")
    _name_spots(pattern, "hot", hot, cold, direction)
    _name_spots(pattern, "cold", cold, hot, -direction)
    return EmergingHotSpots(pattern, hot.sum(axis=0), cold.sum(axis=0), trend)


def _name_spots(
    pattern: NDArray[np.str_],
    kind: str,
    is_spot: NDArray[np.bool_],
    is_opposite: NDArray[np.bool_],
    direction: NDArray[np.float64],
) -> None:
    n_periods = len(is_spot)
    count = is_spot.sum(axis=0)
    final = is_spot[-1]
    # In whole numbers: 0.9 * 10 is 9, but 0.9 * 30 is a little more than 27.
    mostly = 10 * count >= 9 * n_periods
    # Length of the run that ends the series: the periods since the last one that is no spot.
    run = np.where(is_spot.all(axis=0), n_periods, np.argmin(is_spot[::-1], axis=0))
    # The first that holds; each line may rely on those above it.
    rules = {
        "new": final & (count == 1),
        "intensifying": final & mostly & (direction > 0),
        "diminishing": final & mostly & (direction < 0),
        "persistent": final & mostly,
        "consecutive": final & (run == count),
        "oscillating": final & is_opposite.any(axis=0),
        "sporadic": final,
        "historical": mostly & ~is_opposite[-1],
    }
    named = np.select(
        list(rules.values()), [f"{name} {kind} spot" for name in rules], default=NO_PATTERN
    )
    chosen = named != NO_PATTERN
    pattern[chosen] = named[chosen]
