"""The sums by week against the literal procedure: repeat the days of each drawn week, recompute."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.bootstrap import draw_weeks, week_of_day
from htrisk_dagster.evaluation.calibration import calibration_slope
from htrisk_dagster.evaluation.comparison import METRICS, replicate_values
from htrisk_dagster.evaluation.count_scores import information_gain
from htrisk_dagster.evaluation.week_replicates import BIN_WIDTH, slope_replicates

N_DAYS, N_CELLS, N_RESAMPLES = 45, 60, 25


def literal(metric, draws, *arrays):
    """Metric of the days of each resample, laid end to end."""
    weeks = week_of_day(len(arrays[0]))
    values = []
    for tally in draws.astype(int):
        days = np.repeat(np.arange(len(weeks)), tally[weeks])
        values.append(metric(*(a[days] for a in arrays)))
    return np.array(values)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(12)
    # One value to a bin of log(expected), so that the binned slope has nothing to approximate.
    expected = np.exp(np.round(rng.normal(-2.0, 1.0, (N_DAYS, N_CELLS)) / BIN_WIDTH) * BIN_WIDTH)
    reference = np.tile(rng.gamma(1.0, 0.2, N_CELLS) + 0.01, (N_DAYS, 1))
    counts = rng.poisson(expected).astype(float)
    draws = draw_weeks(7, n_resamples=N_RESAMPLES, seed=9)
    return counts, expected, reference, draws


def test_every_metric_has_replicates(world):
    assert set(replicate_values(*world)) == {*METRICS, "information_gain_bits"}


@pytest.mark.parametrize("name", METRICS)
def test_replicates_equal_the_literal_resample(world, name):
    counts, expected, _, draws = world
    fast = replicate_values(*world)[name]
    assert fast == pytest.approx(literal(METRICS[name], draws, counts, expected), rel=1e-9)
    assert np.ptp(fast) > 0


def test_information_gain_equals_the_literal_resample(world):
    counts, expected, reference, draws = world
    slow = literal(
        lambda y, mu, base: information_gain(y, mu, reference=base),
        draws,
        counts,
        expected,
        reference,
    )
    assert replicate_values(*world)["information_gain_bits"] == pytest.approx(slow, rel=1e-9)


def test_drawing_each_week_once_gives_the_point_values(world):
    counts, expected, reference, _ = world
    once = replicate_values(counts, expected, reference, np.ones((1, 7)))
    for name, metric in METRICS.items():
        assert once[name][0] == pytest.approx(metric(counts, expected), rel=1e-9), name


def test_binning_hardly_moves_the_slope():
    rng = np.random.default_rng(2)
    expected = rng.lognormal(-1.5, 1.2, (70, 100))
    counts = rng.poisson(0.5 * expected**0.8).astype(float)
    draws = draw_weeks(10, n_resamples=10, seed=0)
    slow = literal(calibration_slope, draws, counts, expected)
    assert slope_replicates(counts, expected, draws) == pytest.approx(slow, abs=1e-4)


def test_resamples_without_an_incident_are_undefined():
    counts = np.zeros((14, 5))
    counts[0, 0] = 1
    expected = np.tile([0.5, 0.1, 0.2, 0.3, 0.4], (14, 1))
    found = replicate_values(counts, expected, expected, np.array([[0.0, 2.0], [1.0, 1.0]]))
    undefined = {name for name, values in found.items() if np.isnan(values[0])}
    assert undefined == {
        *(n for n in METRICS if n.startswith(("pai", "hit_rate", "pei_star"))),
        "information_gain_bits",
        "average_precision",
        "auc",
        "expected_over_observed",
        "calibration_slope",
    }
    assert found["hit_rate_1pct"][1] == 1.0
