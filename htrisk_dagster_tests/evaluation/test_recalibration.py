from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.calibration import (
    calibration_line,
    calibration_slope,
    expected_over_observed,
)
from htrisk_dagster.evaluation.recalibration import (
    Recalibration,
    fit_recalibration,
    recalibrated_folds,
)
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster_tests.evaluation.simulated_folds import simulate

BOROUGHS = np.arange(300) % 5


def faulty(per_day: float, *, seed: int = 3, slope: float = 1.25, factor: float = 1.3, **boroughs):
    """Folds and a later block of one model that is too sure and too high."""
    rng = np.random.default_rng(seed)
    truth = rng.lognormal(0, 1.2, 300)
    truth *= per_day / truth.sum()
    by_borough = np.array([boroughs.get(f"b{code}", 1.0) for code in range(5)])[BOROUGHS]
    made = []
    for _ in range(4):
        counts = rng.poisson(np.tile(truth * by_borough, (28, 1)))
        forecast = factor * truth.mean() * (truth / truth.mean()) ** slope
        made.append(ScoredFold(counts, {"lightgbm": np.tile(forecast, (28, 1))}))
    return made[:3], made[3]


def test_without_a_prior_it_is_the_calibration_line():
    folds, _ = faulty(30)
    found = fit_recalibration(folds, "lightgbm", shrunk=False)
    counts = np.concatenate([fold.counts for fold in folds])
    forecasts = np.concatenate([fold.forecasts["lightgbm"] for fold in folds])
    intercept, slope = calibration_line(counts, forecasts)
    assert found.slope == pytest.approx(slope, rel=1e-6)
    assert found.level - (found.slope - 1) * found.centre == pytest.approx(intercept, abs=1e-6)


def test_the_next_block_is_calibrated_where_incidents_are_many():
    slopes, levels = [], []
    for seed in range(5):
        folds, later = faulty(60, seed=seed)
        before = later.forecasts["lightgbm"]
        after = fit_recalibration(folds, "lightgbm", BOROUGHS).apply(before, BOROUGHS)
        assert calibration_slope(later.counts, before) < 0.85
        slopes.append(calibration_slope(later.counts, after))
        levels.append(expected_over_observed(later.counts, after))
    assert 0.95 < np.mean(slopes) < 1.05
    assert 0.93 < np.mean(levels) < 1.1


def test_a_handful_of_incidents_moves_it_by_what_the_prior_says():
    folds, _ = faulty(0.25, factor=1.0)
    n_incidents = sum(int(fold.counts.sum()) for fold in folds)
    found = fit_recalibration(folds, "lightgbm")
    assert 10 < n_incidents < 40
    # The standard deviation of the slope's prior is 0.1; so few do not move it by half of that.
    assert abs(found.slope - 1) < 0.05
    assert abs(found.level) < 0.01


def test_a_level_within_what_a_season_does_is_left_alone_and_a_lasting_one_corrected():
    def total_after(factor: float) -> float:
        folds, later = faulty(60, slope=1.0, factor=factor)
        corrected = fit_recalibration(folds, "lightgbm").apply(
            later.forecasts["lightgbm"], BOROUGHS
        )
        return float(corrected.sum() / later.forecasts["lightgbm"].sum())

    assert total_after(1.05) == pytest.approx(1.0, abs=0.005)
    assert total_after(1.3) == pytest.approx(1 / 1.3, abs=0.06)


def test_boroughs_have_a_level_each():
    folds, later = faulty(80, slope=1.0, factor=1.0, b1=1.4, b4=0.7)
    found = fit_recalibration(folds, "lightgbm", BOROUGHS)
    assert found.boroughs[1] > 0.15
    assert found.boroughs[4] < -0.15
    after = found.apply(later.forecasts["lightgbm"], BOROUGHS)
    for code in range(5):
        here = code == BOROUGHS
        level = expected_over_observed(later.counts[:, here], after[:, here])
        assert level == pytest.approx(1, abs=0.16)


def test_applied_by_hand_and_for_a_borough_the_folds_did_not_have():
    correction = Recalibration(np.log(2), 0.5, np.log(4.0), (0.0, np.log(3)))
    found = correction.apply(np.array([[16.0, 16.0, 16.0]]), np.array([0, 1, 2]))
    # 16 x 2 x (16 / 4)^(0.5 - 1) = 16; three times that in borough 1.
    np.testing.assert_allclose(found, [[16, 48, 16]])
    given = np.random.default_rng(0).lognormal(-5, 2, (3, 300))
    np.testing.assert_array_equal(Recalibration().apply(given, BOROUGHS), given)


def test_a_fold_is_corrected_by_those_before_it():
    city = simulate(2, per_day=30)
    blind = recalibrated_folds(city.folds, "lightgbm", BOROUGHS, gap_days=2)
    np.testing.assert_array_equal(blind[0], city.folds[0].forecasts["lightgbm"])
    changed = [ScoredFold(f.counts.copy(), f.forecasts) for f in city.folds]
    changed[1].counts[-2:] += 4
    changed[2].counts[:] = 0
    again = recalibrated_folds(changed, "lightgbm", BOROUGHS, gap_days=2)
    for first, second in zip(blind, again, strict=True):
        np.testing.assert_array_equal(first, second)
    last = city.folds[-1].counts
    assert abs(calibration_slope(last, blind[-1]) - 1) < 0.1
    assert calibration_slope(last, city.folds[-1].forecasts["lightgbm"]) < 0.9


def test_nothing_to_learn_from_changes_nothing():
    folds, _ = faulty(10)
    assert fit_recalibration([], "lightgbm") == Recalibration()
    silent = [ScoredFold(0 * fold.counts, fold.forecasts) for fold in folds]
    assert fit_recalibration(silent, "lightgbm", BOROUGHS) == Recalibration()


def test_state_round_trip():
    found = fit_recalibration(faulty(20)[0], "lightgbm", BOROUGHS)
    assert Recalibration.from_state(found.as_state()) == found
