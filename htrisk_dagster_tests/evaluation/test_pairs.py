from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.pairs import (
    cells_in_budget,
    checked_pair,
    probability_of_any,
    ratio,
    top_cells,
)


@pytest.mark.parametrize(
    ("counts", "expected", "message"),
    [
        ([[1, 2]], [[1.0]], r"shape \(1, 2\) and expected counts of shape \(1, 1\)"),
        ([1, 2], [1.0, 2.0], "two arrays of one shape"),
        ([[0, -1]], [[1, 1]], "Count of day 0, cell 1 is -1.0"),
        ([[0, 0], [math.nan, 0]], [[1, 1], [1, 1]], "Count of day 1, cell 0 is nan"),
        ([[0, 0]], [[0.5, 0.0]], "Expected count of day 0, cell 1 is 0.0; it must be above 0"),
        ([[0, 0]], [[math.inf, 1]], "Expected count of day 0, cell 0 is inf"),
    ],
)
def test_an_unfit_pair_is_refused_by_day_and_cell(counts, expected, message):
    with pytest.raises(ValueError, match=message):
        checked_pair(counts, expected)


@pytest.mark.parametrize(
    ("n_cells", "share", "taken"),
    [(2800, 0.005, 14), (2785, 0.01, 28), (100, 0.07, 7), (10, 0.01, 1), (10, 1.0, 10)],
)
def test_budget_rounds_up_but_not_by_binary_noise(n_cells, share, taken):
    assert cells_in_budget(n_cells, share) == taken


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_share_that_is_no_area_is_refused(share):
    with pytest.raises(ValueError, match="no area"):
        cells_in_budget(10, share)


def test_ratio_of_nothing_is_not_a_number():
    assert math.isnan(ratio(1, 0))
    assert ratio(1, 4) == 0.25


def test_probability_keeps_its_digits_for_rare_events():
    # 1 - exp(-1e-12) loses four digits when it is written that way.
    found = probability_of_any([1e-12, math.log(2)])
    assert found == pytest.approx([1e-12, 0.5], rel=1e-11, abs=0)
    assert 1 - np.exp(-1e-12) != pytest.approx(1e-12, rel=1e-9, abs=0)


def test_top_cells_are_those_of_a_sort_and_ties_go_to_the_lower_cell():
    assert top_cells(np.array([[1.0, 3.0, 3.0, 3.0, 0.0]]), 2).tolist() == [
        [False, True, True, False, False]
    ]
    values = np.random.default_rng(0).integers(0, 6, (200, 30)).astype(float)
    for n in (1, 7, 29, 30):
        order = np.argsort(-values, axis=1, kind="stable")[:, :n]
        wanted = np.zeros(values.shape, dtype=bool)
        np.put_along_axis(wanted, order, True, axis=1)
        assert (top_cells(values, n) == wanted).all()
