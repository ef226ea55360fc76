from __future__ import annotations

import numpy as np
from htrisk_dagster.publishing.risk_bands import FEW_CELLS, band_of, band_words


def counts(n_cells: int) -> dict[str, int]:
    bands = band_of(np.arange(1, n_cells + 1, dtype=np.int32), n_cells)
    return dict(bands.value_counts().rows())


def test_bands_by_hand():
    # 0.5% of 400 cells are 2, 1% are 4, 5% are 20.
    bands = band_of(np.arange(1, 401, dtype=np.int32), 400).to_list()
    assert bands == ["very high"] * 2 + ["high"] * 2 + ["elevated"] * 16 + ["baseline"] * 380
    # New York's 3,325 cells: 16.6, 33.3 and 166.3, each rounded up.
    assert counts(3_325) == {"very high": 17, "high": 17, "elevated": 133, "baseline": 3_158}


def test_few_places_take_budgets_that_hold_whole_ones():
    # Of twelve beats 5% are one, 15% are 1.8, 35% are 4.2; each rounded up.
    assert counts(12) == {"very high": 1, "high": 1, "elevated": 3, "baseline": 7}
    # New York's 78 precincts: 3.9, 11.7, 27.3.
    assert counts(78) == {"very high": 4, "high": 8, "elevated": 16, "baseline": 50}
    # From 200 cells on half a percent is one cell.
    assert counts(FEW_CELLS) == {"very high": 1, "high": 1, "elevated": 8, "baseline": 190}


def test_the_words_are_of_the_shares():
    assert band_words(12, "areas")["high"] == "high: from there to the top 15%"
    assert band_words(3_325)["very high"] == "very high: the top 0.5% of cells"


def test_three_places_have_one_that_is_very_high_and_one_elevated():
    # 0.15 and 0.45 are one place, 1.05 are two: of three, none is left to be high.
    assert band_of(np.array([2, 1, 3], dtype=np.int32), 3).to_list() == [
        "elevated", "very high", "baseline",
    ]  # fmt: skip
