from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.calibration import (
    calibration_intercept,
    calibration_line,
    calibration_slope,
    expected_calibration_error,
    expected_over_observed,
    reliability_table,
    risk_groups,
    solve_slope,
)
from scipy.optimize import minimize


@pytest.mark.parametrize("spread", [0.3, 1.5, 3.0])
def test_line_equals_a_general_optimiser(spread):
    rng = np.random.default_rng(1)
    expected = rng.lognormal(-1, spread, (40, 50))
    counts = rng.poisson(0.7 * expected**0.8)
    x, y = np.log(expected).ravel(), counts.ravel()

    def loss(line):
        return float((np.exp(line[0] + line[1] * x) - y * (line[0] + line[1] * x)).mean())

    def gradient(line):
        residual = np.exp(line[0] + line[1] * x) - y
        return np.array([residual.mean(), (residual * x).mean()])

    found = minimize(loss, [0.0, 0.5], jac=gradient, method="BFGS", options={"gtol": 1e-10})
    intercept, slope = calibration_line(counts, expected)
    assert intercept == pytest.approx(found.x[0], abs=1e-6)
    assert slope == pytest.approx(found.x[1], abs=1e-6)
    assert (calibration_intercept(counts, expected), calibration_slope(counts, expected)) == (
        intercept,
        slope,
    )


def test_two_levels_have_a_closed_form():
    # Two groups fit exactly: 2 events in 10 at 0.1, 12 in 10 at 0.4.
    expected = np.array([[0.1] * 10, [0.4] * 10])
    counts = np.zeros((2, 10))
    counts[0, :2], counts[1, :6] = 1, 2
    intercept, slope = calibration_line(counts, expected)
    assert slope == pytest.approx(math.log(6) / math.log(4), rel=1e-10)
    assert intercept == pytest.approx(math.log(0.2) - slope * math.log(0.1), rel=1e-10)


def test_a_forecast_that_counts_double_has_slope_one_and_intercept_minus_log_two():
    rng = np.random.default_rng(2)
    truth = rng.lognormal(-1, 1, (300, 100))
    counts = rng.poisson(truth)
    intercept, slope = calibration_line(counts, 2 * truth)
    assert slope == pytest.approx(1.0, abs=0.02)
    assert intercept == pytest.approx(-math.log(2), abs=0.02)
    assert expected_over_observed(counts, 2 * truth) == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[0, 0, 0]], [[0.1, 0.2, 0.3]]),  # no event
        ([[1, 0, 2]], [[0.1, 0.1, 0.1]]),  # one level only
        ([[0, 0, 2]], [[0.1, 0.2, 0.3]]),  # all events at the highest level
        ([[3, 0, 0]], [[0.1, 0.2, 0.3]]),  # all at the lowest
    ],
)
def test_no_finite_slope_is_undefined(counts, expected):
    assert math.isnan(calibration_slope(counts, expected))
    assert math.isnan(calibration_intercept(counts, expected))


def test_many_slopes_at_once_equal_one_at_a_time():
    rng = np.random.default_rng(4)
    x = np.log(rng.lognormal(-2, 1, 30))
    cell_days = rng.integers(0, 9, (6, 30)).astype(float)
    means = rng.uniform(-2.0, -0.5, 6)
    means[3] = math.nan
    together = solve_slope(x, cell_days, means)
    alone = [solve_slope(x, cell_days[[i]], means[[i]])[0] for i in range(6)]
    assert together == pytest.approx(alone, rel=1e-10, nan_ok=True)
    assert np.isnan(together).tolist() == [False, False, False, True, False, False]


def test_groups_keep_equal_forecasts_together():
    expected = np.array([[0.1] * 6 + [0.2] * 2 + [0.3, 0.4]])
    assert risk_groups(expected, n_groups=10).tolist() == [[6] * 6 + [8] * 2 + [9, 10]]
    distinct = np.random.default_rng(0).permutation(100).reshape(10, 10) + 1.0
    groups = risk_groups(distinct, n_groups=10)
    assert np.bincount(groups.ravel()).tolist() == [0] + [10] * 10
    assert ((groups - 1) * 10 < distinct).all()
    assert (distinct <= groups * 10).all()


def test_reliability_by_hand():
    expected = np.array([[0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5]])
    counts = np.array([[0, 0, 1, 0, 0, 2, 1, 0]])
    table = reliability_table(counts, expected, n_groups=2)
    assert table["risk_group"].to_list() == [1, 2]
    assert table["cell_days_count"].to_list() == [4, 4]
    assert table["observed_count"].to_list() == [1, 3]
    assert table["expected_count"].to_list() == pytest.approx([0.4, 2.0])
    assert table["observed_over_expected"].to_list() == pytest.approx([2.5, 1.5])


def test_calibration_error_by_hand():
    # Bins of a power of ten: .02 and .05 stand together, .2 alone; 1 and 0 observed.
    expected, counts = [[0.02, 0.05, 0.2]], [[1, 0, 0]]
    error = expected_calibration_error(counts, expected, bins_per_decade=1)
    assert error == pytest.approx((0.93 + 0.2) / 3)
    # Four bins a decade split .02 from .05.
    finer = expected_calibration_error(counts, expected)
    assert finer == pytest.approx((0.98 + 0.05 + 0.2) / 3)
    assert math.isnan(expected_calibration_error(np.empty((0, 2)), np.empty((0, 2))))


def test_calibration_error_of_the_truth_is_small_and_of_double_the_truth_its_mean():
    rng = np.random.default_rng(6)
    truth = rng.lognormal(-3, 1, (500, 200))
    counts = rng.poisson(truth)
    assert expected_calibration_error(counts, truth) < 0.03 * truth.mean()
    assert expected_calibration_error(counts, 2 * truth) == pytest.approx(truth.mean(), rel=0.02)
