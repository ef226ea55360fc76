from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.champion import ScoredFold, choose_champion
from htrisk_dagster.evaluation.count_scores import poisson_deviance


def folds(n_folds=3, n_days=30, **noise):
    """Folds in which each model is the truth times log-normal noise of the given size."""
    rng = np.random.default_rng(13)
    made = []
    for _ in range(n_folds):
        truth = np.tile(rng.lognormal(-2, 1, 150), (n_days, 1))
        counts = rng.poisson(truth)
        forecasts = {m: truth * rng.lognormal(0, s, truth.shape) for m, s in noise.items()}
        made.append(ScoredFold(counts, forecasts))
    return made


def choose(scored):
    return choose_champion(scored, n_resamples=300, seed=2)


def test_a_model_that_is_surely_better_is_chosen():
    scored = folds(historical_mean=0.8, empirical_bayes=0.6, lightgbm=0.1, lstm=0.3)
    choice = choose(scored)
    assert (choice.champion, choice.challenger) == ("lightgbm", "lstm")
    assert list(choice.deviances) == ["lightgbm", "lstm", "empirical_bayes", "historical_mean"]
    assert "lightgbm is champion" in choice.reason
    assert "best baseline, empirical_bayes" in choice.reason
    assert choice.reason.endswith("which excludes 0.")


def test_deviances_are_means_over_all_folds():
    scored = folds(historical_mean=0.8, lstm=0.3)
    together = poisson_deviance(
        np.concatenate([f.counts for f in scored]),
        np.concatenate([f.forecasts["lstm"] for f in scored]),
    )
    assert choose(scored).deviances["lstm"] == pytest.approx(together, rel=1e-12)


def test_a_gain_within_noise_falls_back_to_the_best_baseline():
    scored = folds(historical_mean=0.8, empirical_bayes=0.3)
    for fold in scored:
        fold.forecasts["lightgbm"] = fold.forecasts["empirical_bayes"].copy()
    # Right on one single day, as if by luck: better in total, not better in most resamples of weeks.
    scored[0].forecasts["lightgbm"][3] = scored[0].counts[3] + 0.01
    choice = choose(scored)
    assert choice.deviances["lightgbm"] < choice.deviances["empirical_bayes"]
    assert (choice.champion, choice.challenger) == ("empirical_bayes", "lightgbm")
    assert choice.reason.endswith("which does not exclude 0.")


def test_a_worse_model_never_wins():
    choice = choose(folds(historical_mean=0.1, lstm=0.9))
    assert (choice.champion, choice.challenger) == ("historical_mean", "lstm")
    assert choice.reason.endswith("no other model had a lower one.")


def test_one_model_has_no_challenger_and_of_equal_baselines_the_simpler_wins():
    scored = folds(historical_mean=0.5)
    assert choose(scored).challenger is None
    for fold in scored:
        fold.forecasts["empirical_bayes"] = fold.forecasts["historical_mean"]
    choice = choose(scored)
    assert (choice.champion, choice.challenger) == ("historical_mean", "empirical_bayes")


def test_unfit_folds_are_refused():
    with pytest.raises(ValueError, match="there is none"):
        choose([])
    with pytest.raises(ValueError, match="None of the baselines"):
        choose(folds(lstm=0.5))
    mixed = [*folds(1, historical_mean=0.5), *folds(1, historical_mean=0.5, lstm=0.2)]
    with pytest.raises(ValueError, match="Fold 1 has the models historical_mean, lstm"):
        choose(mixed)
