"""What a plain rate is made of: city, weekday, borough, precinct, cell.

Belongs here: the parts of a rate, and the adapter that gives any model reasons from its forecasts
alone. Does not: the shape of reasons and their names (`attribution`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.attribution import Attribution, Explains
from htrisk_dagster.models.count_model import CountModel

PARTS = ("rate_of_city", "rate_of_weekday", "rate_of_borough", "rate_of_precinct", "rate_of_cell")

Predict = Callable[[CellDayBlock], NDArray[np.float64]]
"""Expected counts of a block, shape (D, C), all above 0."""


def rate_parts(
    predict: Predict, block: CellDayBlock, rows: NDArray[np.int64], log_city_mean: float | None
) -> Attribution:
    """Split forecasts into ratios of means, from the city down to the cell.

    log(cell / base) = log(city / base) + log(borough / city) + log(precinct / borough) +
    log(cell / precinct), each the mean forecast per cell of that day. The city's day is split once
    more: the weekday's part is its ratio to the mean of the same forecast on all seven weekdays.
    It needs nothing of a model but its forecasts, and is exact for all.

    Parameters
    ----------
    predict : callable
    block : CellDayBlock
        All cells of its days.
    rows : int64, shape (n,)
        Cell-days to explain.
    log_city_mean : float or None
        The base; the log of the mean of the block's own forecasts where it is None.
    """
    day, cell = np.divmod(rows, block.n_cells)
    expected = predict(block)
    week = [expected.mean(axis=1)]
    week += [predict(replace(block, days=block.days + shift)).mean(axis=1) for shift in range(1, 7)]
    any_weekday = np.mean(week, axis=0)
    base = math.log(float(any_weekday.mean())) if log_city_mean is None else log_city_mean
    levels = np.log(
        [
            any_weekday[day],
            week[0][day],
            _area_means(expected, block.borough_index)[day, cell],
            _area_means(expected, block.precinct_index)[day, cell],
            expected[day, cell],
        ]
    )
    steps = np.diff(levels, axis=0, prepend=np.full((1, len(rows)), base))
    return Attribution(PARTS, np.ascontiguousarray(steps.T), base)


def _area_means(expected: NDArray[np.float64], area: NDArray[np.int32]) -> NDArray[np.float64]:
    """Mean over the cells of each cell's area, shape (D, C)."""
    codes = np.unique(area, return_inverse=True)[1]
    belongs = np.eye(int(codes.max()) + 1)[codes]
    means: NDArray[np.float64] = (expected @ belongs / belongs.sum(axis=0))[:, codes]
    return means


def days_of_rows(
    block: CellDayBlock, rows: NDArray[np.int64]
) -> tuple[CellDayBlock, NDArray[np.int64]]:
    """The days that rows span, without their truth, and the rows as numbered there."""
    first, last = int(rows.min()) // block.n_cells, int(rows.max()) // block.n_cells
    days = slice(first, last + 1)
    part = replace(block, days=block.days[days], features=block.features[days], counts=None)
    return part, rows - first * block.n_cells


@dataclass(frozen=True)
class RateReasons:
    """Reasons of a model that has none of its own, such as empirical Bayes.

    The base is the mean of the block's own forecasts over all weekdays, since such a model does not
    keep the city's.
    """

    model: CountModel

    def explain(self, block: CellDayBlock, rows: NDArray[np.int64]) -> Attribution:
        """Parts of the rate of some cell-days; see `Explains.explain`."""
        part, inside = days_of_rows(block, rows)
        return rate_parts(self.model.predict, part, inside, None)


def explainer(model: CountModel) -> Explains:
    """The model itself where it has reasons of its own, else its rate's parts."""
    return model if isinstance(model, Explains) else RateReasons(model)
