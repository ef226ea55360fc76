from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.calibration import calibration_slope
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster.evaluation.stacking import ANCHOR, Stack, fit_stack, stack_folds
from htrisk_dagster_tests.evaluation.simulated_folds import simulate


def test_the_combination_by_hand():
    stack = Stack({"a": 0.5, "b": 0.25, "c": 0.0}, np.log(2.0))
    found = stack.combine({"a": np.array([[4.0]]), "b": np.array([[16.0]])})
    assert found == pytest.approx(2 * 2 * 2)
    assert stack.members == ("a", "b")
    assert stack.sentence == "a 0.50, b 0.25"
    with pytest.raises(ValueError, match="needs the forecasts of b, which are not given"):
        stack.combine({"a": np.array([[4.0]])})


def test_weights_and_level_of_a_true_pool_are_found_again():
    rng = np.random.default_rng(2)
    folds = []
    for _ in range(3):
        forecasts = {n: rng.lognormal(-1, 0.8, (40, 400)) for n in (ANCHOR, "lstm", "kde")}
        truth = 1.4 * forecasts[ANCHOR] ** 0.4 * forecasts["lstm"] ** 0.6
        folds.append(ScoredFold(rng.poisson(truth), forecasts))
    stack = fit_stack(folds)
    assert stack.weights[ANCHOR] == pytest.approx(0.4, abs=0.02)
    assert stack.weights["lstm"] == pytest.approx(0.6, abs=0.02)
    assert stack.weights["kde"] == pytest.approx(0.0, abs=0.02)
    assert stack.level == pytest.approx(np.log(1.4), abs=0.05)


def test_many_incidents_make_it_better_than_each_member():
    for seed in range(3):
        city = simulate(seed, per_day=50)
        stack = fit_stack(city.folds)
        skill = city.skill(stack.combine(city.test.forecasts))
        best = max(city.skill(forecast) for forecast in city.test.forecasts.values())
        assert skill > best + 0.02
        assert 0.95 < calibration_slope(city.test.counts, stack.combine(city.test.forecasts)) < 1.05


def test_twenty_incidents_leave_it_at_its_anchor():
    losses = []
    for seed in range(6):
        city = simulate(seed, per_day=0.25)
        assert sum(fold.counts.sum() for fold in city.folds) < 40
        stack = fit_stack(city.folds)
        assert stack.weights[ANCHOR] > 0.7
        losses.append(
            city.skill(city.test.forecasts[ANCHOR]) - city.skill(stack.combine(city.test.forecasts))
        )
    assert np.mean(losses) < 0.01
    assert max(losses) < 0.04


def test_without_an_incident_it_is_its_anchor_to_the_bit():
    city = simulate(0, per_day=5)
    silent = [ScoredFold(0 * fold.counts, fold.forecasts) for fold in city.folds]
    stack = fit_stack(silent)
    assert stack.members == (ANCHOR,)
    np.testing.assert_allclose(
        stack.combine(city.test.forecasts), city.test.forecasts[ANCHOR], rtol=1e-15
    )


def test_a_fold_forecast_sees_nothing_later_than_its_gap():
    city = simulate(4, per_day=20)
    gap = 3
    blind = stack_folds(city.folds, gap_days=gap)
    # Weights are fitted anew on day 14 of the second fold, from days up to 11 of it.
    changed = [ScoredFold(f.counts.copy(), f.forecasts) for f in city.folds]
    changed[1].counts[11:] += 5
    changed[2].counts[:] = 0
    for before, after in zip(blind[:2], stack_folds(changed, gap_days=gap), strict=False):
        np.testing.assert_array_equal(before, after)
    changed[1].counts[10] += 5
    assert (stack_folds(changed, gap_days=gap)[1][14:] != blind[1][14:]).all()


def test_the_first_days_are_the_anchors_and_the_last_gain():
    city = simulate(4, per_day=50)
    blind = stack_folds(city.folds, gap_days=2)
    np.testing.assert_allclose(blind[0][:14], city.folds[0].forecasts[ANCHOR][:14], rtol=1e-14)
    last = city.folds[-1]
    best = min(poisson_deviance(last.counts, forecast) for forecast in last.forecasts.values())
    assert poisson_deviance(last.counts, blind[-1]) < best


def test_bytes_round_trip_and_the_same_folds_give_the_same_bytes():
    city = simulate(1, per_day=20)
    stack = fit_stack(city.folds)
    files = stack.to_bytes()
    assert list(files) == ["stack.json"]
    assert Stack.from_bytes(files) == stack
    assert fit_stack(simulate(1, per_day=20).folds).to_bytes() == files


def test_an_anchor_that_is_no_model_is_refused():
    city = simulate(1, per_day=5)
    with pytest.raises(ValueError, match="anchor 'kde' is none of"):
        fit_stack(city.folds, anchor="kde")
