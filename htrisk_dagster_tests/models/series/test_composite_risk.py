"""The composite score by hand, its momentum without noise, and its ranks under other weights."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from htrisk_dagster.models.series.composite_risk import (
    NEAR_WEIGHTS,
    WEIGHTS,
    composite_table,
    momentum,
    percentile,
    score_areas,
)


def test_percentiles_count_half_of_the_equal() -> None:
    assert percentile(np.array([5.0, 1.0, 5.0, 9.0])) == pytest.approx([0.5, 0.125, 0.5, 0.875])


def test_a_score_by_hand() -> None:
    # Large counts: nothing is shrunk away, so momentum's order is that of the ratios.
    found = score_areas(np.array([3e5, 2e5, 1e5]), np.array([3e5, 1e5, 2e5]))
    assert found.momentum == pytest.approx(np.log([1.0, 2.0, 0.5]), abs=0.01)
    volume, moved = np.array([5, 3, 1]) / 6, np.array([3, 5, 1]) / 6
    assert found.score == pytest.approx(100 * (0.7 * volume + 0.3 * moved))


def test_momentum_that_is_noise_is_shrunk_away() -> None:
    rng = np.random.default_rng(1)
    before = rng.poisson(30.0, 400).astype(float)
    raw = np.log(30.5) - np.log(before + 0.5)
    assert momentum(np.full(400, 30.0), before).std() < 0.35 * raw.std()


def test_ranks_at_the_ends_are_those_of_one_part_alone() -> None:
    rng = np.random.default_rng(2)
    expected = rng.gamma(2.0, 1e4, 30)
    before = expected * np.exp(rng.normal(scale=0.3, size=30))
    found = score_areas(expected, before)
    assert (found.ranks[WEIGHTS.index(1.0)].argsort() == np.argsort(-expected)).all()
    assert (found.ranks[WEIGHTS.index(0.0)].argsort() == np.argsort(-found.momentum)).all()
    assert found.correlation[0.7] == pytest.approx(1.0)
    assert found.correlation[0.0] < min(found.correlation[w] for w in NEAR_WEIGHTS) < 1.0


def test_the_table_says_how_far_ranks_move() -> None:
    found = score_areas(np.array([3e5, 2e5, 1e5]), np.array([3e5, 1e5, 2e5]))
    table = composite_table(
        ("a", "b", "c"), np.datetime64("2024-01-01"), found, known_before=date(2024, 1, 7),
        precincts=[1, 2, None],
    )  # fmt: skip
    assert table["score_rank"].to_list() == [1, 2, 3]
    assert table.select("best_rank", "worst_rank").rows() == [(1, 2), (1, 2), (3, 3)]
    with pytest.raises(ValueError, match="same areas"):
        score_areas(np.ones(2), np.ones(3))
