"""A small city, an honest way to forecast it, and twelve ways to cheat.

The forecaster is a Poisson regression on three counts as known at the cutoff, so that whatever a
leak puts beside them is used. Each leak is one that has been made in earnest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
import polars as pl
from htrisk_dagster.evaluation.label_shuffle import Procedure
from htrisk_dagster.features.as_of_counts import AsOfCounts
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.grid.panel import day_number
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import raw, staging
from numpy.typing import NDArray
from scipy.signal import lfilter

FIRST, N_DAYS, N_TEST, SIDE = date(2024, 1, 1), 200, 35, 6
CUTOFF_GAP = 7  # days before the first test day whose labels are too young
DAYS = tuple(FIRST + timedelta(days=d) for d in range(N_DAYS))
TEST_DAYS = DAYS[-N_TEST - 5 : -5]  # some days of truth beyond, for a leak to reach for
N_CELLS = SIDE * SIDE


@dataclass(frozen=True)
class SmallCity:
    inputs: FeatureInputs
    intensity: NDArray[np.float64]

    @property
    def test_intensity(self) -> NDArray[np.float64]:
        start = DAYS.index(TEST_DAYS[0])
        return self.intensity[start : start + N_TEST]


def small_grid() -> Grid:
    col, row = (axis.ravel() for axis in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(N_CELLS), "col": col, "row": row,
            "x_m": 585_000 + 500 * (col + 0.5), "y_m": 4_510_000 + 500 * (row + 0.5),
            "lon": -74 + 0.006 * col, "lat": 40.7 + 0.0045 * row, "land_share": 1.0,
            "precinct": np.where(col < 3, 7, 40), "borough": np.where(col < 3, "A", "B"),
        }
    )  # fmt: skip
    return Grid.from_cells(cells, "EPSG:32618", 500)


GRID = small_grid()
NEAR = queen_contiguity(GRID)
NO_EVENTS, NO_PASSENGERS = staging.EVENTS.empty(), staging.MOBILITY.empty()
HOLIDAYS = raw.HOLIDAYS.conform(
    pl.DataFrame({"holiday_on": [FIRST], "jurisdiction": "US", "name": "New Year's Day"})
)


def small_city(seed: int, *, per_day: float = 12.0) -> SmallCity:
    """Places that differ, a field that lasts, reports that come late."""
    rng = np.random.default_rng(seed)
    place = rng.lognormal(0, 1.0, N_CELLS)
    noise = rng.standard_normal((N_DAYS, N_CELLS)) * 0.3
    intensity = place * np.exp(lfilter([1.0], [1.0, -0.9], noise, axis=0))
    intensity *= per_day * N_DAYS / intensity.sum()
    counts = rng.poisson(intensity)
    day, cell = (
        np.repeat(axis, counts.ravel()) for axis in np.indices(counts.shape).reshape(2, -1)
    )
    delay = np.where(rng.random(day.size) < 0.7, 0, rng.geometric(0.1, day.size))
    occurred = np.datetime64(FIRST) + day
    incidents = grid_tables.INCIDENT_CELLS.conform(
        pl.DataFrame(
            {
                "incident_id": [f"complaints:{i}" for i in range(day.size)],
                "source": "complaints",
                "offence_group": "robbery",
                "occurred_on": occurred,
                "reported_on": occurred + delay,
                "cell_id": cell,
                "precinct": GRID.cells["precinct"].to_numpy()[cell],
                "location_quality": "exact",
            }
        )
    )
    inputs = FeatureInputs(
        grid=GRID,
        incidents=incidents,
        target=Series("target", ("complaints",), ("robbery",)),
        series=(Series("incidents", ("complaints",)),),
        events=NO_EVENTS, mobility=NO_PASSENGERS, holidays=HOLIDAYS,
        lag_days=1, mobility_lag_days={"airport": 45, "transit": 2}, history_start=FIRST,
    )  # fmt: skip
    return SmallCity(inputs, intensity)


Extra = Callable[[FeatureInputs, tuple[date, ...]], NDArray[np.float64]]


def occurred(inputs: FeatureInputs, days: tuple[date, ...], shift: int = 0) -> NDArray[np.float64]:
    """Counts by day of occurrence, `shift` days after each day: what nobody knows yet."""
    moved = [(d + timedelta(days=shift)).isoformat() for d in (days[0], days[-1])]
    span = (date.fromisoformat(moved[1]) - date.fromisoformat(moved[0])).days + 1
    keys = [(date.fromisoformat(moved[0]) + timedelta(days=i)).isoformat() for i in range(span)]
    return target_counts(inputs, keys).astype(np.float64)


def rolling(
    inputs: FeatureInputs, days: tuple[date, ...], first: int, last: int
) -> NDArray[np.float64]:
    """Mean by day of occurrence from `first` to `last` days after each day."""
    return np.mean([occurred(inputs, days, s) for s in range(first, last + 1)], axis=0)


def all_days_mean(inputs: FeatureInputs, days: tuple[date, ...]) -> NDArray[np.float64]:
    return np.broadcast_to(occurred(inputs, DAYS).mean(axis=0), (len(days), N_CELLS))


def normalised(inputs: FeatureInputs, days: tuple[date, ...]) -> NDArray[np.float64]:
    known = honest_counts(inputs, days)[:, :, 1]
    return known / (occurred(inputs, DAYS).sum() / N_DAYS)


def row_number(inputs: FeatureInputs, days: tuple[date, ...]) -> NDArray[np.float64]:
    """Place of each cell-day in a table that somebody sorted by the label, and sorted back."""
    order = np.argsort(-occurred(inputs, days), axis=None, kind="stable")
    number = np.empty(order.size)
    number[order] = np.arange(order.size)
    return number.reshape(len(days), N_CELLS) / order.size


LEAKY_FEATURES: dict[str, Extra] = {
    "same_day_count": occurred,
    "lag_0": partial(occurred, shift=-1),
    "rolling_mean_with_today": partial(rolling, first=-6, last=0),
    "target_encoding_with_test_rows": all_days_mean,
    "reporting_clock_ignored": partial(rolling, first=-28, last=-2),
    "counts_of_coming_days": partial(rolling, first=1, last=3),
    "normalised_by_whole_period": normalised,
    "sorted_row_number": row_number,
    "neighbours_same_day_count": lambda inputs, days: (NEAR @ occurred(inputs, days).T).T,
}


def honest_counts(inputs: FeatureInputs, days: tuple[date, ...]) -> NDArray[np.float64]:
    """Means over all days and 28, and the newest day, as known at each day's cutoff, (D, C, 3)."""
    rows = inputs.target.select(inputs.incidents).with_columns(place="cell_id")
    first = day_number(days[0]) - inputs.lag_days
    counts = AsOfCounts.from_frame(rows, N_CELLS, first, len(days))
    since = np.maximum(first + np.arange(len(days)) - day_number(FIRST), 1)[:, None]
    everything = counts.window_counts(N_DAYS) / since
    recent = counts.window_counts(28) / np.minimum(since, 28)
    return np.stack([np.log(everything + 0.02), recent, counts.lag_counts(1)], axis=-1)


def poisson_regression(
    features: NDArray[np.float64], labels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Coefficients by Newton's method, with a touch of ridge."""
    X = np.column_stack([np.ones(len(features)), features])
    b = np.zeros(X.shape[1])
    b[0] = np.log(labels.mean() + 1e-6)
    ridge = np.full(b.shape, 1e-3)
    for _ in range(12):
        mu = np.exp(np.clip(X @ b, -12, 4))
        step = np.linalg.solve(
            (X * mu[:, None]).T @ X + np.diag(ridge), X.T @ (labels - mu) - ridge * b
        )
        b = b + np.clip(step, -2, 2)
    return b


@dataclass(frozen=True)
class Cheat:
    """One procedure: honest with no arguments."""

    extra: Extra | None = None
    labels_as_of_today: bool = False
    trains_on_test_days: bool = False

    def block(self, inputs: FeatureInputs, days: tuple[date, ...]) -> NDArray[np.float64]:
        made = honest_counts(inputs, days)
        if self.extra is None:
            return made
        return np.concatenate([made, self.extra(inputs, days)[:, :, None]], axis=2)

    def training_days(self) -> tuple[date, ...]:
        stop = N_DAYS if self.trains_on_test_days else DAYS.index(TEST_DAYS[0]) - CUTOFF_GAP
        return DAYS[30:stop]

    def labels(self, inputs: FeatureInputs) -> NDArray[np.float32]:
        cutoff = TEST_DAYS[0] - timedelta(days=inputs.lag_days)
        known = None if self.labels_as_of_today or self.trains_on_test_days else cutoff
        days = [d.isoformat() for d in self.training_days()]
        return target_counts(inputs, days, known_before=known)

    def forecast(self, inputs: FeatureInputs) -> NDArray[np.float64]:
        train = self.block(inputs, self.training_days())
        shape = -1, train.shape[2]
        b = poisson_regression(train.reshape(shape), self.labels(inputs).ravel().astype(np.float64))
        test = self.block(inputs, TEST_DAYS)
        return np.exp(np.clip(b[0] + test @ b[1:], -12, 4))

    def procedure(self) -> Procedure:
        return Procedure(
            features=lambda inputs, day: self.block(inputs, (day,))[0],
            forecast=self.forecast,
            days=TEST_DAYS,
        )


PLANTED: dict[str, Cheat] = {
    **{name: Cheat(extra=extra) for name, extra in LEAKY_FEATURES.items()},
    "labels_as_known_today": Cheat(labels_as_of_today=True),
    "test_days_in_training": Cheat(trains_on_test_days=True),
}
"""Eleven; the twelfth, a forecast that is changed after its seal, needs no procedure."""
