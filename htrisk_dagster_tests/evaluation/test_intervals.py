from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.intervals import coverage_by_group, interval_coverage
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
