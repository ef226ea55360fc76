from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.models.shrinkage import shrunk_ratio
from htrisk_dagster.models.weekdays import weekday_multipliers, weekday_of


def test_weekdays_against_the_calendar():
    days = np.datetime64("1969-12-25") + np.arange(20_000)
    np.testing.assert_array_equal(weekday_of(days), [d.weekday() for d in days.astype(object)])


def test_multipliers_are_shrunk_ratios_with_mean_1():
    days = np.datetime64("2014-01-06") + np.arange(70)
    observed = np.tile([8.0, 9.0, 10.0, 9.0, 12.0, 20.0, 16.0], 10)
    multipliers, k = weekday_multipliers(days, observed, np.full(70, 12.0))
    ratio, strength = shrunk_ratio(10 * observed[:7], np.full(7, 120.0))
    assert k == strength
    np.testing.assert_allclose(multipliers, ratio / ratio.mean())
    assert multipliers.mean() == pytest.approx(1)


def test_weekdays_that_do_not_occur_stay_at_1():
    days = np.datetime64("2014-01-06") + np.arange(3)
    multipliers, k = weekday_multipliers(days, np.array([90.0, 10, 50]), np.full(3, 50.0))
    assert multipliers[0] > 1 > multipliers[1]
    np.testing.assert_array_equal(multipliers[3:], 1)
    assert not math.isinf(k)
