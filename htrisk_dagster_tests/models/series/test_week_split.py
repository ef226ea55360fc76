"""Weeks become months by their days, and what that does to noise."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.panel import SeriesPanel, days_in, next_starts
from htrisk_dagster.models.series.week_split import (
    month_weights,
    months_ahead,
    months_of_weeks,
    split_floor_factor,
    whole_weeks,
)


def weeks(first: str, counts: np.ndarray) -> SeriesPanel:
    counts = np.asarray(counts, dtype=float).reshape(len(counts), -1)
    starts = next_starts(np.datetime64(first), len(counts), "week")
    return SeriesPanel(tuple(map(str, range(counts.shape[1]))), starts, counts, "week")


def test_one_a_day_gives_each_month_its_days() -> None:
    months = months_of_weeks(weeks("2023-12-25", np.full(60, 7.0)))
    assert str(months.starts[0]) == "2024-01-01"
    # The 60th week ends on 2025-02-16: January is the last whole month.
    assert str(months.starts[-1]) == "2025-01-01"
    assert months.counts[:, 0] == pytest.approx(days_in(months.starts, "month"), abs=1e-9)


def test_a_week_goes_to_its_months_by_its_days() -> None:
    # 2024-01-29 is a Monday: three of its days are in January, four in February.
    counts = np.zeros(10)
    counts[5] = 70.0
    months = months_of_weeks(weeks("2023-12-25", counts))
    assert months.counts[:, 0] == pytest.approx([30.0, 40.0])


def test_the_noise_of_a_split_month_is_that_of_its_squared_shares() -> None:
    panel = weeks("2024-01-01", np.ones(5))  # January: four whole weeks and 3/7 of the fifth
    weights, _ = month_weights(panel)
    assert weights[0] == pytest.approx([1, 1, 1, 1, 3 / 7])
    assert split_floor_factor(panel) == pytest.approx(np.sqrt((4 + 9 / 49) / (31 / 7)))
    many = np.random.default_rng(1).poisson(50.0, (5, 40_000))
    month = months_of_weeks(weeks("2024-01-01", many)).counts[0]
    assert month.std() / np.sqrt(month.mean()) == pytest.approx(split_floor_factor(panel), rel=0.02)


def test_cut_off_edge_weeks_are_left_out_and_whole_ones_stay() -> None:
    counts = np.full(12, 100.0)
    counts[0] = 22.0
    left = whole_weeks(weeks("2005-12-26", counts))
    assert str(left.starts[0]) == "2006-01-02"
    assert left.n_periods == 11
    counts[0], counts[-1] = 95.0, 20.0
    assert whole_weeks(weeks("2005-12-26", counts)).n_periods == 11


def test_months_ahead_join_known_and_expected_weeks() -> None:
    known = weeks("2024-01-01", np.full(5, 7.0))  # to 2024-02-04
    ahead = months_ahead(known, np.full((9, 1), 14.0), np.datetime64("2024-02-01"), 2)
    assert ahead[:, 0] == pytest.approx([4 * 1 + 25 * 2, 31 * 2])
    with pytest.raises(ValueError, match="do not cover 3 months"):
        months_ahead(known, np.full((9, 1), 14.0), np.datetime64("2024-02-01"), 3)


def test_weeks_that_cover_no_month_are_an_error() -> None:
    with pytest.raises(ValueError, match="cover no month"):
        months_of_weeks(weeks("2024-01-08", np.ones(3)))
