from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.intervals import (
    coverage_by_group,
    inside_mass,
    interval_coverage,
    randomised_coverage,
    randomised_coverage_by_group,
    randomised_coverage_by_risk,
)
from htrisk_dagster.models.count_distribution import central_interval
from scipy.stats import poisson

COUNTS = np.array([[0, 1, 2], [3, 0, 5]])
LOWER = np.array([[0, 0, 0], [0, 1, 0]])
UPPER = np.array([[0, 1, 1], [3, 2, 4]])


def test_coverage_by_hand():
    # Inside, ends included: 0 in [0,0], 1 in [0,1], 3 in [0,3]. Outside: 2, 0 (below), 5.
    assert interval_coverage(COUNTS, lower=LOWER, upper=UPPER) == 0.5


def test_by_borough_of_the_cell():
    table = coverage_by_group(COUNTS, lower=LOWER, upper=UPPER, group=["BRONX", "QUEENS", "QUEENS"])
    assert table["group"].to_list() == ["BRONX", "QUEENS"]
    assert table["cell_days_count"].to_list() == [2, 4]
    assert table["inside_count"].to_list() == [2, 1]
    assert table["coverage"].to_list() == [1.0, 0.25]
    assert table["above_share"].to_list() == [0.0, 0.5]


def test_exact_poisson_intervals_cover_what_their_probabilities_add_up_to():
    rng = np.random.default_rng(6)
    expected = np.full((400, 100), 1.7)
    lower, upper = poisson.ppf(0.025, expected), poisson.ppf(0.975, expected)
    exact = poisson.cdf(upper[0, 0], 1.7) - poisson.cdf(lower[0, 0] - 1, 1.7)
    assert exact > 0.95
    found = interval_coverage(rng.poisson(expected), lower=lower, upper=upper)
    assert found == pytest.approx(exact, abs=0.003)


def test_unfit_intervals_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        interval_coverage(COUNTS, lower=LOWER[:1], upper=UPPER)
    with pytest.raises(ValueError, match=r"Interval \(0, 1\) ends at -1.0, below its start 0.0"):
        interval_coverage([[1, 1]], lower=[[0, 0]], upper=[[1, -1]])


def test_nothing_covers_nothing():
    assert math.isnan(
        interval_coverage(np.empty((0, 3)), lower=np.empty((0, 3)), upper=np.empty((0, 3)))
    )


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("size", [math.inf, 0.5])
def test_randomised_coverage_of_the_right_distribution_is_its_level(size, level):
    rng = np.random.default_rng(1)
    mean = np.tile(rng.gamma(0.3, 0.2, 300) + 1e-5, (400, 1))
    counts = rng.poisson(mean if math.isinf(size) else rng.gamma(size, mean / size))
    assert randomised_coverage(counts, mean, size=size, level=level) == pytest.approx(
        level, abs=0.004
    )
    # The interval of whole counts cannot: nearly all are [0, 0], which holds far more.
    lower, upper = central_interval(mean, size, level)
    assert interval_coverage(counts, lower=lower, upper=upper) > 0.96
    for table in (
        randomised_coverage_by_risk(counts, mean, size=size, level=level),
        randomised_coverage_by_group(
            counts, mean, group=np.arange(300) % 3, size=size, level=level
        ),
    ):
        assert table["coverage"].to_list() == pytest.approx([level] * table.height, abs=0.012)
        assert table["incidents_count"].sum() == counts.sum()


def test_randomised_coverage_by_hand():
    # P(0) = .9: its step [0, .9] loses the lower 2.5%; that of 1, [.9, .9948], what is above .975.
    mean = -math.log(0.9)
    assert inside_mass([[0, 1]], [[mean, mean]])[0] == pytest.approx(
        [0.875 / 0.9, 0.075 / (0.9 * mean)], rel=1e-9
    )
    expected = (0.875 / 0.9 + 0.075 / (0.9 * mean)) / 2
    assert randomised_coverage([[0, 1]], [[mean, mean]]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="between 0 and 1"):
        randomised_coverage([[0]], [[0.1]], level=95)


def test_a_distribution_that_is_too_narrow_or_far_out_covers_less():
    rng = np.random.default_rng(2)
    mean = np.full((200, 100), 3.0)
    counts = rng.poisson(rng.gamma(1.0, mean))
    assert randomised_coverage(counts, mean) < 0.8
    assert randomised_coverage(counts, mean, size=1.0) == pytest.approx(0.95, abs=0.005)
    # So far out that both ends of the step round to 1: outside, not half inside.
    assert randomised_coverage([[60]], [[0.01]]) == 0.0
