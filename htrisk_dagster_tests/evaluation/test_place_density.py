"""The relation with the density of places: found where planted, not claimed where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.place_density import relate_places

SIDE = 40
ROW, COL = np.divmod(np.arange(SIDE * SIDE), SIDE)
BLOCK = (ROW // 8) * 5 + COL // 8


def smooth(rng: np.random.Generator) -> np.ndarray:
    """A field that neighbours share, of standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.5, mode="wrap").ravel()
    return np.asarray((field - field.mean()) / field.std())


def world(effect: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    places = rng.poisson(np.exp(smooth(rng) - 0.5)).astype(float)
    rate = 2.0 * np.exp(effect * np.log1p(places) + 0.4 * smooth(rng))
    return rng.poisson(rate).astype(float), places


def test_a_planted_relation_is_found_with_its_size() -> None:
    counts, places = world(0.5, 1)
    found = relate_places(counts, places, np.ones(len(counts)), BLOCK)
    assert found.low < 2**0.5 < found.high
    assert found.low > 1
    assert found.deviance_gain_pct > 1
    assert (found.cells, found.blocks) == (1600, 25)
    assert "not cause" in found.sentence("liquor stores")


def test_where_both_only_share_their_smoothness_the_interval_holds_1() -> None:
    held = 0
    for seed in range(100):
        counts, places = world(0.0, 100 + seed)
        found = relate_places(counts, places, np.ones(len(counts)), BLOCK)
        held += found.low <= 1 <= found.high
    # 95 of 100 are due; 87 or fewer has probability .001.
    assert held >= 88


def test_a_difference_between_boroughs_is_not_the_stores() -> None:
    rng = np.random.default_rng(5)
    borough = (COL >= SIDE // 2).astype(np.int64)
    places = rng.poisson(np.where(borough, 3.0, 0.3)).astype(float)
    counts = rng.poisson(np.where(borough, 6.0, 1.0)).astype(float)
    without = relate_places(counts, places, np.ones(len(counts)), BLOCK)
    within = relate_places(counts, places, np.ones(len(counts)), BLOCK, borough)
    assert without.low > 1.3
    assert within.low < 1 < within.high


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="1 blocks"):
        relate_places(np.ones(9), np.arange(9.0), np.ones(9), np.zeros(9, dtype=np.int64))
