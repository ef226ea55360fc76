"""Scores in expectation: by brute force over all pairs, and as the mean over draws."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.ceilings import auc_ceiling
from htrisk_dagster.evaluation.count_scores import information_gain
from htrisk_dagster.evaluation.discrimination import roc_auc
from htrisk_dagster.evaluation.skill.expected_scores import (
    expected_auc,
    expected_information,
    expected_slope,
)

RNG = np.random.default_rng(4)
INTENSITY = RNG.lognormal(-2, 1, (20, 30))
FORECAST = np.round(INTENSITY * RNG.lognormal(0, 0.7, (20, 30)), 2) + 0.01  # with ties


def test_auc_is_the_sum_over_all_pairs():
    p, e = -np.expm1(-INTENSITY.ravel()), FORECAST.ravel()
    pair = np.outer(p, 1 - p)
    np.fill_diagonal(pair, 0)
    won = (e[:, None] > e) + 0.5 * (e[:, None] == e)
    assert expected_auc(INTENSITY, FORECAST) == pytest.approx((pair * won).sum() / pair.sum())


def test_auc_of_the_truth_is_the_ceiling_and_of_a_constant_a_half():
    assert expected_auc(INTENSITY, INTENSITY) == pytest.approx(auc_ceiling(INTENSITY), rel=1e-12)
    assert expected_auc(INTENSITY, np.ones_like(INTENSITY)) == pytest.approx(0.5)


def test_scores_are_the_mean_over_draws():
    base = np.full_like(INTENSITY, INTENSITY.mean())
    draws = RNG.poisson(INTENSITY, (400, *INTENSITY.shape))
    auc = np.array([roc_auc(y, FORECAST) for y in draws])
    # A ratio of sums over some 110 events: its bias is far under the error of the mean.
    assert abs(auc.mean() - expected_auc(INTENSITY, FORECAST)) < 3 * auc.std() / 20
    bits = np.array([information_gain(y, FORECAST, reference=base) * y.sum() for y in draws])
    expected = expected_information(INTENSITY, FORECAST, base) * INTENSITY.sum()
    assert abs(bits.mean() - expected) < 3 * bits.std() / 20


def test_slope_of_a_forecast_that_is_too_sure():
    sharpened = INTENSITY**2
    assert expected_slope(INTENSITY, sharpened) == pytest.approx(0.5)
    assert expected_slope(INTENSITY, 3 * INTENSITY) == pytest.approx(1.0)
