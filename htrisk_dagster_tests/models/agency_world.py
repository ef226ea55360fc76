"""Invented agencies whose daily means are known: weekdays, one holiday, and a town that grows."""

from __future__ import annotations

from datetime import date

import numpy as np
from htrisk_dagster.features.agency_days import AgencyDays, weekday

FIRST = date(2021, 1, 1)
N_DAYS = 300
LEVELS = np.array([8.0, 4.0, 2.0, 0.5, 0.05, 0.0])
RESIDENTS = np.array([100_000.0, 60_000.0, 20_000.0, 0.0, 4_000.0, 3_000.0])
WEEKDAY_FACTORS = np.array([1.0, 1.1, 1.2, 1.2, 1.1, 0.8, 0.6])
HOLIDAYS = np.array(["2021-05-31", "2021-07-05", "2021-09-06", "2021-11-25"], dtype="datetime64[D]")


def means(n_days: int = N_DAYS) -> np.ndarray:
    """True mean of each day and agency, shape (n_days, 6)."""
    days = np.datetime64(FIRST) + np.arange(n_days)
    factor = WEEKDAY_FACTORS[weekday(days)] * np.where(np.isin(days, HOLIDAYS), 0.5, 1.0)
    return factor[:, None] * LEVELS


def agency_world(n_days: int = N_DAYS, seed: int = 5) -> AgencyDays:
    """Counts drawn from `means`."""
    counts = np.random.default_rng(seed).poisson(means(n_days)).astype(np.float64)
    days = np.datetime64(FIRST) + np.arange(n_days)
    return AgencyDays(days, tuple("123456"), RESIDENTS, counts)
