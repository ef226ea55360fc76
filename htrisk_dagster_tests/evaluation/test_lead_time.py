"""Flags and words of a worked example; the statistics are tested through `validate`."""

from __future__ import annotations

import numpy as np
import polars as pl
from htrisk_dagster.evaluation.daily_ranks import DailyRanks
from htrisk_dagster.evaluation.lead_time import WINDOW_DAYS, flags_before, lead_words

N_CELLS = 40
DAYS = np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]")


def test_flags_and_words_of_four_cases():
    """Two of 40 cells are the top 5%: cell 1 always, cell 0 but on day 20, when cell 2 is."""
    ranks = np.tile(np.arange(1, N_CELLS + 1), (len(DAYS), 1))
    ranks[20, [0, 2]] = ranks[20, [2, 0]]
    maps = DailyRanks(DAYS, {"champion": ranks})
    placed = pl.DataFrame(
        {
            "reported_on": DAYS[[30, 30, 10, 30]],
            "cell_id": pl.Series([0, 2, 0, None], dtype=pl.Int32),
            "place": ["exact", "exact", "exact", "coarse"],
        }
    )

    flagged = flags_before(placed, maps, ranks)

    assert flagged is not None
    assert flagged.shape == (2, WINDOW_DAYS), "the third has ten maps before it, the fourth no cell"
    before = 30 - 20 - 1
    assert np.flatnonzero(~flagged[0]).tolist() == [before]
    assert np.flatnonzero(flagged[1]).tolist() == [before]
    words = lead_words(placed, maps, flagged)
    assert words.to_list() == ["15 to 28 days", "8 to 14 days", "few maps", "coarse place"]
