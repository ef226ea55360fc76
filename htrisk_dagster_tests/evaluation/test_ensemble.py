from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.calibration import calibration_slope
from htrisk_dagster.evaluation.ensemble import ChampionForecast, assemble, crown
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster_tests.evaluation.simulated_folds import simulate

BOROUGHS = np.arange(300) % 5


def ensemble_of(city):
    return assemble(city.folds, BOROUGHS, gap_days=2, n_resamples=300, seed=0)


@pytest.mark.parametrize("per_day", [0.25, 2, 50])
def test_the_champion_is_never_below_the_historical_mean(per_day):
    skills, fall_backs = [], []
    for seed in range(5):
        city = simulate(seed, per_day)
        ensemble = ensemble_of(city)
        made = ensemble.extend(city.test.forecasts, BOROUGHS)
        skills.append(city.skill(made["champion"]))
        fall_backs.append(city.skill(city.test.forecasts["empirical_bayes"]))
    assert min(skills) > 0
    assert np.mean(skills) > np.mean(fall_backs) - 0.02


def test_many_incidents_crown_the_stack_uncorrected():
    city = simulate(1, 50)
    ensemble = ensemble_of(city)
    made = ensemble.extend(city.test.forecasts, BOROUGHS)
    assert ensemble.choice.champion == "stack"
    np.testing.assert_array_equal(made["champion"], made["stack"])
    assert 0.95 < calibration_slope(city.test.counts, made["champion"]) < 1.05
    assert made.keys() == {*city.test.forecasts, "stack", "champion"}


def test_a_chosen_model_is_corrected_and_its_blind_forecasts_in_order_of_time():
    city = simulate(1, 50)
    too_sure = [
        ScoredFold(
            fold.counts,
            {
                "historical_mean": np.full(fold.counts.shape, 50 / 300),
                "empirical_bayes": fold.forecasts["lightgbm"],
            },
        )
        for fold in city.folds
    ]
    choice, champion, crowned = crown(too_sure, BOROUGHS, gap_days=2, n_resamples=300, seed=0)
    assert choice.champion == champion.model == "empirical_bayes"
    assert champion.recalibration.slope < 0.95
    first, *_, last = crowned
    np.testing.assert_array_equal(first.forecasts["champion"], first.forecasts["empirical_bayes"])
    assert calibration_slope(last.counts, last.forecasts["empirical_bayes"]) < 0.9
    assert calibration_slope(last.counts, last.forecasts["champion"]) > 0.92
    later = {"empirical_bayes": city.test.forecasts["lightgbm"]}
    assert 0.95 < calibration_slope(city.test.counts, champion.expected(later, BOROUGHS)) < 1.05


def test_folds_carry_the_blind_forecasts_of_stack_and_champion():
    city = simulate(2, 20)
    ensemble = ensemble_of(city)
    assert len(ensemble.folds) == len(city.folds)
    for fold in ensemble.folds:
        assert fold.forecasts.keys() == {*city.test.forecasts, "stack", "champion"}
    # The first fourteen days of the stack knew nothing.
    np.testing.assert_allclose(
        ensemble.folds[0].forecasts["stack"][:14],
        city.folds[0].forecasts["empirical_bayes"][:14],
        rtol=1e-14,
    )


def test_bytes_round_trip_and_repeat():
    first, second = (ensemble_of(simulate(3, 20)).champion for _ in range(2))
    assert first.to_bytes() == second.to_bytes()
    assert ChampionForecast.from_bytes(first.to_bytes()) == first
