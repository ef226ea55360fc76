from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.hotspot_accuracy import (
    global_hit_rate,
    global_pai,
    hit_rate,
    oracle_pai,
    pai,
    pai_over_oracle,
    pei_star,
    top_k_hit_rate,
)

# Two days, ten cells; 20% of the area is two cells.
COUNTS = np.array([[0, 2, 0, 1, 0, 0, 0, 0, 0, 1], [0, 0, 3, 0, 0, 1, 0, 0, 0, 0]])
EXPECTED = np.array([[1, 9, 8, 1, 1, 1, 1, 1, 1, 1], [1, 1, 9, 8, 1, 1, 1, 1, 1, 1]], dtype=float)


def test_indices_by_hand():
    # Day 1 takes cells 1 and 2: 2 incidents. Day 2 takes 2 and 3: 3. Together 5 of 8.
    assert hit_rate(COUNTS, EXPECTED, share=0.2) == 5 / 8
    assert pai(COUNTS, EXPECTED, share=0.2) == pytest.approx(5 / 8 / 0.2)
    # With hindsight day 1 holds 2 + 1, day 2 holds 3 + 1.
    assert pei_star(COUNTS, EXPECTED, share=0.2) == 5 / 7


def test_a_rounded_up_area_does_not_flatter():
    # 15% of 10 cells is two cells, so the area is 20% and PAI the same.
    assert pai(COUNTS, EXPECTED, share=0.15) == pai(COUNTS, EXPECTED, share=0.2)


def test_ties_go_to_the_lower_cell():
    counts = np.array([[0, 1, 5, 0]])
    flat = np.ones((1, 4))
    assert hit_rate(counts, flat, share=0.5) == 1 / 6


def test_a_perfect_ranking_reaches_both_bounds():
    perfect = COUNTS + 1e-9
    assert pei_star(COUNTS, perfect, share=0.2) == 1.0
    # Three cells a day hold everything, so PAI is 1 over the share.
    assert pai(COUNTS, perfect, share=0.3) == pytest.approx(1 / 0.3)


def test_all_of_the_area_holds_all_incidents():
    assert hit_rate(COUNTS, EXPECTED, share=1.0) == 1.0
    assert pai(COUNTS, EXPECTED, share=1.0) == 1.0


def test_no_incident_is_undefined():
    zeros = np.zeros_like(COUNTS)
    assert math.isnan(pai(zeros, EXPECTED, share=0.2))
    assert math.isnan(pei_star(zeros, EXPECTED, share=0.2))


def test_oracle_pai_is_a_point_of_the_lorenz_curve():
    # Exponential intensity: the top share a holds a (1 - log a) of it.
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    intensity = -np.log(quantiles)[None, :]
    assert oracle_pai(intensity, share=0.05) == pytest.approx(1 - math.log(0.05), rel=1e-3)


def test_the_true_intensity_reaches_its_ceiling_within_chance():
    rng = np.random.default_rng(5)
    intensity = np.tile(rng.lognormal(-3, 1.4, 500), (400, 1))
    counts = rng.poisson(intensity)
    reached = pai_over_oracle(counts, intensity, share=0.05, intensity=intensity)
    assert reached == pytest.approx(1.0, abs=0.03)
    shuffled = rng.permuted(intensity, axis=1)
    assert pai_over_oracle(counts, shuffled, share=0.05, intensity=intensity) < 0.4


def test_a_budget_in_cells_is_a_share_of_area():
    assert top_k_hit_rate(COUNTS, EXPECTED, k=2) == 5 / 8
    assert top_k_hit_rate(COUNTS, EXPECTED, k=10) == 1.0
    with pytest.raises(ValueError, match="0 of 10 cells"):
        top_k_hit_rate(COUNTS, EXPECTED, k=0)


def test_a_global_budget_may_be_spent_on_one_day():
    # Ten percent of 20 cell-days are two: the 9s, cell 1 of day 1 and cell 2 of day 2.
    assert global_hit_rate(COUNTS, EXPECTED, share=0.1) == 5 / 8
    assert global_pai(COUNTS, EXPECTED, share=0.1) == pytest.approx(50 / 8)
    # Where only day 2 is thought risky, both go there, and day 1's incidents are missed.
    second = EXPECTED * np.array([[0.01], [1.0]])
    assert global_hit_rate(COUNTS, second, share=0.1) == 3 / 8
    assert hit_rate(COUNTS, second, share=0.1) == 5 / 8
