from __future__ import annotations

import numpy as np
from htrisk_dagster.evaluation.daily_ranks import DailyRanks, ranks_of


def test_ranks_give_ties_to_the_lower_cell():
    assert ranks_of(np.array([[1.0, 3.0, 1.0, 2.0]])).tolist() == [[3, 1, 4, 2]]


def test_a_day_without_a_map_has_no_row():
    days = np.array(["2024-01-01", "2024-01-03"], dtype="datetime64[D]")
    asked = np.array([["2023-12-31", "2024-01-01"], ["2024-01-02", "2024-01-03"]], "datetime64[D]")
    assert DailyRanks(days, {}).row_of(asked).tolist() == [[-1, 0], [-1, 1]]
    assert DailyRanks(days[:0], {}).row_of(asked).tolist() == [[-1, -1], [-1, -1]]
