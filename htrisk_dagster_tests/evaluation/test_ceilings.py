from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.ceilings import (
    auc_ceiling,
    average_precision_ceiling,
    brier_skill_ceiling,
    ceiling_values,
    crps_ceiling,
    deviance_ceiling,
    efficiency_auc,
    efficiency_information_over_city_rate,
    efficiency_information_over_historical_mean,
    entropy_share_ceiling,
    gini,
    hit_rate_ceiling,
    information_gain_ceiling,
    log_score_ceiling,
    pai_ceiling,
)
from htrisk_dagster.evaluation.comparison import SHARES
from htrisk_dagster.evaluation.count_scores import information_gain
from htrisk_dagster.evaluation.discrimination import roc_auc
from scipy.special import erf, ndtri
from scipy.stats import nbinom, norm, poisson

N_CELLS = 58 * 58


def static_world(sd: float, per_day: float) -> np.ndarray:
    """Log-normal places of the state-of-the-field table, at their quantiles; one day."""
    place = np.exp(sd * ndtri((np.arange(N_CELLS) + 0.5) / N_CELLS))
    return (place * per_day / place.sum())[None, :]


@pytest.mark.parametrize(
    ("sd", "per_day", "auc", "ap", "bss", "pai_1", "pai_5"),
    [
        (0.7, 50, 0.697, 0.036, 0.010, 5.2, 3.5),
        (1.0, 50, 0.767, 0.060, 0.023, 9.1, 5.3),
        (1.4, 50, 0.844, 0.117, 0.058, 16.8, 8.2),
        (1.4, 5, 0.845, 0.014, 0.007, 16.8, 8.2),
        (1.4, 0.5, 0.845, 0.001, 0.001, 16.8, 8.2),
    ],
)
def test_static_worlds_of_the_state_of_the_field(sd, per_day, auc, ap, bss, pai_1, pai_5):
    # The table is one random draw of 3,364 places; these are their quantiles.
    world = static_world(sd, per_day)
    many_days = np.tile(world, (274, 1))
    assert auc_ceiling(world) == pytest.approx(auc, abs=0.011)
    assert average_precision_ceiling(many_days) == pytest.approx(ap, rel=0.15, abs=0.0009)
    assert brier_skill_ceiling(world) == pytest.approx(bss, abs=0.006)
    assert pai_ceiling(world, share=0.01) == pytest.approx(pai_1, rel=0.08)
    assert pai_ceiling(world, share=0.05) == pytest.approx(pai_5, rel=0.03)


@pytest.mark.parametrize("sd", [0.7, 1.0, 1.4])
def test_rare_events_follow_the_gini_coefficient(sd):
    world = static_world(sd, 0.01)
    assert gini(world) == pytest.approx(erf(sd / 2), abs=0.005)
    assert auc_ceiling(world) == pytest.approx((1 + gini(world)) / 2, abs=1e-3)
    # A Lorenz curve of the log-normal: the top share a holds Phi(sd - z).
    assert hit_rate_ceiling(world, share=0.05) == pytest.approx(
        norm.cdf(sd - norm.ppf(0.95)), rel=0.02
    )


@pytest.mark.parametrize("size", [math.inf, 0.4])
def test_auc_and_average_precision_equal_their_sums_over_pairs(size):
    rng = np.random.default_rng(0)
    true = np.round(rng.gamma(0.5, 0.8, (6, 10)), 1) + 0.05
    none = np.exp(-true) if math.isinf(size) else (1 + true / size) ** -size
    p = (1 - none).ravel()
    above, equal = p[:, None] > p[None, :], np.isclose(p[:, None], p[None, :], atol=0, rtol=1e-12)
    pairs = np.outer(p, 1 - p) * ~np.eye(p.size, dtype=bool)
    assert auc_ceiling(true, size=size) == pytest.approx(
        (pairs * (above + equal / 2)).sum() / pairs.sum(), rel=1e-12
    )
    found = [
        p[i] * (1 + p[(above | equal)[:, i]].sum() - p[i]) / (above | equal)[:, i].sum()
        for i in range(p.size)
    ]
    assert average_precision_ceiling(true, size=size) == pytest.approx(
        sum(found) / p.sum(), rel=1e-12
    )


@pytest.mark.parametrize("size", [math.inf, 0.4])
def test_deviance_log_score_and_crps_equal_their_sums_over_all_counts(size):
    true = np.random.default_rng(1).lognormal(-3, 2.0, (6, 30))
    k = np.arange(4000)[:, None, None]
    law = poisson(true) if math.isinf(size) else nbinom(size, size / (size + true))
    pmf, cdf = law.pmf(k), law.cdf(k)
    log_k = np.log(np.maximum(k, 1))
    deviance = (pmf * 2 * (k * (log_k - np.log(true)) - k + true)).sum(axis=0).mean()
    score = -(pmf * poisson(true).logpmf(k)).sum(axis=0).mean()
    assert deviance_ceiling(true, size=size) == pytest.approx(deviance, rel=1e-5)
    assert log_score_ceiling(true, size=size) == pytest.approx(score, rel=1e-5)
    assert crps_ceiling(true, size=size) == pytest.approx(
        (cdf * (1 - cdf)).sum(axis=0).mean(), rel=1e-8
    )


def test_information_by_hand():
    # Two cells, 3 and 1 expected, against 2 and 2: sum of m log2(m / 2), level unchanged.
    assert information_gain_ceiling([[3.0, 1.0]], reference=[[2.0, 2.0]]) == pytest.approx(
        (3 * math.log2(1.5) - 1) / 4
    )
    # Two coins of 1/4 and 3/4 leave H(1/4) of one bit.
    true = -np.log(1 - np.array([[0.25, 0.75]]))
    left = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert entropy_share_ceiling(true) == pytest.approx(1 - left)
    assert brier_skill_ceiling(true) == pytest.approx(1 - (3 / 16) / (1 / 4))


def test_no_forecast_beats_the_ceiling_in_expectation():
    rng = np.random.default_rng(4)
    true = rng.lognormal(-3, 1.0, (40, 50))
    values = ceiling_values(true, shares=SHARES)
    noisy = true * rng.lognormal(0, 0.5, true.shape)
    draws = [rng.poisson(true) for _ in range(300)]
    lost = [roc_auc(y, true) - roc_auc(y, noisy) for y in draws]
    assert np.mean(lost) > 0.02
    assert np.mean([roc_auc(y, true) for y in draws]) == pytest.approx(values["auc"], abs=0.005)
    assert values["pai_5pct"] == pytest.approx(values["hit_rate_5pct"] * 50 / 3)


def test_efficiencies_are_one_for_the_truth_and_zero_for_the_base():
    rng = np.random.default_rng(5)
    place = rng.lognormal(-2, 1.0, 60)
    true = place * rng.lognormal(0, 0.6, (300, 60))
    counts = rng.poisson(true)
    mean = np.tile(place * np.exp(0.18), (300, 1))
    flat = np.full(true.shape, true.mean())
    of_city = {"intensity": true, "city_rate": float(true.mean())}
    of_mean = {"intensity": true, "historical_mean": mean}
    assert efficiency_auc(counts, true, intensity=true) == pytest.approx(1.0, abs=0.04)
    assert efficiency_auc(counts, true, intensity=true, on_counts=True) == 1.0
    assert efficiency_auc(counts, flat, intensity=true) == 0.0
    assert efficiency_information_over_city_rate(counts, true, **of_city) == 1.0
    assert efficiency_information_over_city_rate(counts, flat, **of_city) == 0.0
    assert efficiency_information_over_historical_mean(counts, mean, **of_mean) == 0.0
    # Place alone already has a good share over the city's rate, none over itself.
    share = efficiency_information_over_city_rate(counts, mean, **of_city)
    assert share == pytest.approx(
        information_gain(counts, mean, reference=flat)
        / information_gain(counts, true, reference=flat)
    )
    assert 0.5 < share < 0.9
    assert efficiency_information_over_historical_mean(counts, flat, **of_mean) < -1


def test_an_intensity_of_zero_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        auc_ceiling([[0.0, 1.0]])
