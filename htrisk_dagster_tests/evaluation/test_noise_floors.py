from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.count_scores import mae, rmse
from htrisk_dagster.evaluation.noise_floors import (
    IID_DIRECTIONAL_ACCURACY,
    directional_accuracy_of_noise,
    mae_floor,
    mape_floor,
    mase_floor,
    mean_absolute_deviation,
    mean_absolute_difference,
    r_squared_ceiling,
    rmse_floor,
    wape_floor,
)
from htrisk_dagster.evaluation.series_errors import mase, r_squared, wape
from scipy.stats import nbinom, poisson

MEANS = np.array([[0.3, 1.0, 4.7, 40.0, 160.0]])


def draws(mean, phi, seed):
    rng = np.random.default_rng(seed)
    return rng.poisson(mean if phi == 1 else rng.gamma(mean / (phi - 1), phi - 1))


@pytest.mark.parametrize("phi", [1.0, 3.5])
def test_deviation_equals_its_sum_over_all_counts(phi):
    k = np.arange(3000)[:, None]
    for mean, found in zip(
        MEANS[0], mean_absolute_deviation(MEANS, overdispersion=phi)[0], strict=True
    ):
        r = mean / (phi - 1) if phi > 1 else math.inf
        pmf = poisson(mean).pmf(k) if phi == 1 else nbinom(r, r / (r + mean)).pmf(k)
        assert found == pytest.approx(float((np.abs(k - mean) * pmf).sum()), rel=1e-9)


def test_floors_of_the_state_of_the_field():
    # field.md: MAPE* is 0.80 sqrt(phi / lambda); 6.3% is the floor of a series of 160 a month.
    assert mape_floor([[160.0]]) == pytest.approx(0.063, abs=0.0005)
    assert mape_floor([[400.0]], overdispersion=4.5) == pytest.approx(
        math.sqrt(2 / math.pi) * math.sqrt(4.5 / 400), rel=0.01
    )
    # "Volume accuracy 76%" is a WAPE of 24%, the Poisson floor at about 11 a unit.
    assert wape_floor([[11.0]]) == pytest.approx(0.24, abs=0.005)
    assert rmse_floor([[9.0, 16.0]], overdispersion=2.0) == pytest.approx(5.0)


@pytest.mark.parametrize("phi", [1.0, 3.0])
def test_errors_of_the_true_mean_lie_on_the_floor(phi):
    rng = np.random.default_rng(2)
    mean = np.tile(rng.gamma(2, 10, (1, 30)) + 1, (2000, 1))
    counts = draws(mean, phi, 3)
    assert mae(counts, mean) == pytest.approx(mae_floor(mean, overdispersion=phi), rel=0.01)
    assert rmse(counts, mean) == pytest.approx(rmse_floor(mean, overdispersion=phi), rel=0.01)
    assert wape(counts, mean) == pytest.approx(wape_floor(mean, overdispersion=phi), rel=0.01)
    assert r_squared(counts, mean) == pytest.approx(
        r_squared_ceiling(mean, overdispersion=phi), abs=0.01
    )
    past = draws(mean, phi, 4)
    floor = mase_floor(mean[:1], training=mean[:2], season=1, overdispersion=phi)
    assert mase(counts, mean, training=past, season=1) == pytest.approx(floor, rel=0.01)


def test_difference_of_two_counts():
    # Skellam: by the sum over the joint distribution.
    k = np.arange(200)
    joint = np.outer(poisson(3.0).pmf(k), poisson(7.5).pmf(k))
    exact = float((joint * np.abs(k[:, None] - k)).sum())
    assert mean_absolute_difference([[3.0]], [[7.5]])[0, 0] == pytest.approx(exact, rel=1e-10)
    # Counts of one mean: the mean forecast's MASE tends to 1 / sqrt(2).
    assert mase_floor([[500.0]], training=[[500.0]] * 3, season=1) == pytest.approx(
        1 / math.sqrt(2), rel=0.001
    )


def test_direction_is_right_three_times_in_four_on_pure_noise():
    found = directional_accuracy_of_noise(np.full((400, 5), 900.0), n_draws=40, seed=5)
    assert found == pytest.approx(IID_DIRECTIONAL_ACCURACY, abs=0.005)
    # A season known beforehand is foretold better than that.
    season = np.tile(900 + 120 * np.sin(np.arange(400) * np.pi / 6)[:, None], (1, 5))
    assert directional_accuracy_of_noise(season, n_draws=20, seed=6) > 0.85


@pytest.mark.parametrize(("means", "phi"), [([[0.0]], 1.0), ([1.0], 1.0), ([[1.0]], 0.5)])
def test_unfit_means_and_dispersions_are_refused(means, phi):
    with pytest.raises(ValueError, match=r"above 0|at least 1"):
        mae_floor(means, overdispersion=phi)
