"""Flags and words of a worked example; the statistics are tested through `validate`."""

from __future__ import annotations

import numpy as np
import polars as pl
from htrisk_dagster.evaluation.daily_ranks import DailyRanks
from htrisk_dagster.evaluation.lead_time import flags_before, lead_words
from htrisk_dagster.evaluation.measured_cases import WINDOW_DAYS, measured_cases

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

    cases = measured_cases(placed, maps)
    flagged = flags_before(cases, ranks)

    assert flagged is not None
    assert flagged.shape == (2, WINDOW_DAYS), "the third has ten maps before it, the fourth no cell"
    before = 30 - 20 - 1
    assert np.flatnonzero(~flagged[0]).tolist() == [before]
    assert np.flatnonzero(flagged[1]).tolist() == [before]
    assert lead_words(cases, flagged).to_list() == [
        "flagged", "flagged", "no exact place", "no exact place",
    ], "one case with too few maps is too few for a word of its own"  # fmt: skip
