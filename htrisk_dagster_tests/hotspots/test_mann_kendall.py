from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.hotspots.mann_kendall import mann_kendall
from scipy import stats


def test_ten_rising_values_by_hand():
    trend = mann_kendall(np.arange(10.0)[:, None])
    assert trend.s[0] == 45
    assert trend.variance[0] == 10 * 9 * 25 / 18 == 125
    assert trend.z[0] == pytest.approx(44 / 125**0.5)


def test_ties_by_hand():
    # 1 2 2 3: five pairs rise. One group of two ties: (4*3*13 - 2*1*9) / 18 = 23/3.
    trend = mann_kendall(np.array([[1.0], [2], [2], [3]]))
    assert trend.s[0] == 5
    assert trend.variance[0] == pytest.approx(23 / 3)
    assert trend.z[0] == pytest.approx(4 / (23 / 3) ** 0.5)


@pytest.mark.parametrize("levels", [1000, 7, 2])
def test_s_and_variance_are_those_of_kendalls_tau(levels):
    series = np.random.default_rng(levels).integers(0, levels, (30, 25)).astype(float)
    series += np.linspace(0, levels / 2, 30).round()[:, None]
    trend = mann_kendall(series)
    for column in range(25):
        values = series[:, column]
        pairs = sum(np.sign(values[j] - values[i]) for i in range(30) for j in range(i + 1, 30))
        assert trend.s[column] == pairs
        # scipy's asymptotic p is that of s / sqrt(variance), without the correction for continuity.
        p = stats.kendalltau(np.arange(30), values, method="asymptotic").pvalue
        plain = trend.s[column] / np.sqrt(trend.variance[column])
        assert 2 * stats.norm.sf(abs(plain)) == pytest.approx(p, rel=1e-9)
        corrected = (abs(pairs) - (pairs != 0)) / np.sqrt(trend.variance[column])
        assert trend.p_value[column] == pytest.approx(2 * stats.norm.sf(corrected), rel=1e-9)
        assert np.sign(trend.z[column]) == (np.sign(pairs) if abs(pairs) > 1 else 0)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_no_trend_in_a_constant_or_in_nothing(n):
    trend = mann_kendall(np.full((n, 3), 2.5))
    assert (trend.z == 0).all()
    assert (trend.variance == 0).all()
    assert (trend.p_value == 1).all()


def test_a_missing_value_makes_its_series_missing_alone():
    series = np.random.default_rng(0).random((8, 2))
    series[3, 1] = np.nan
    trend = mann_kendall(series)
    assert np.isfinite(trend.z[0])
    assert np.isnan(trend.s[1])
