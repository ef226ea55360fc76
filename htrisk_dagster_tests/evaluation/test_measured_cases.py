from __future__ import annotations

import numpy as np
import polars as pl
from htrisk_dagster.evaluation.daily_ranks import DailyRanks
from htrisk_dagster.evaluation.measured_cases import measured_cases

DAYS = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
MAPS = DailyRanks(DAYS, {})


def placed_of(*groups: tuple[int, int, str]) -> pl.DataFrame:
    """Groups of n cases reported a number of days after 1 January at places of one kind."""
    rows = [(DAYS[0] + day, 7, place) for n, day, place in groups for _ in range(n)]
    return pl.DataFrame(
        {
            "reported_on": np.array([day for day, _, _ in rows]),
            "cell_id": pl.Series([c for _, c, _ in rows], dtype=pl.Int32),
            "place": [p for _, _, p in rows],
        }
    )


def test_words_that_enough_cases_have_stay_apart():
    placed = placed_of((12, 40, "exact"), (11, 3, "exact"), (15, 900, "exact"), (20, 40, "coarse"))
    cases = measured_cases(placed, MAPS)
    assert cases.is_measured.sum() == 12, "eleven have three maps before them, fifteen none"
    assert set(cases.reason[~cases.is_measured]) == {"no map", "no exact place"}


def test_a_small_word_is_joined_to_another():
    """Three cases with too few maps before them are too few for a word of their own."""
    cases = measured_cases(placed_of((30, 40, "exact"), (3, 3, "exact"), (20, 40, "coarse")), MAPS)
    assert cases.is_measured.sum() == 30
    assert set(cases.reason[~cases.is_measured]) == {"no exact place"}
