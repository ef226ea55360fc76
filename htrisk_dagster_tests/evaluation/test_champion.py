from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation import champion
from htrisk_dagster.evaluation.champion import choose_champion
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster.evaluation.stacking import stack_folds
from htrisk_dagster_tests.evaluation.simulated_folds import simulate


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
    assert "the fall-back, empirical_bayes" in choice.reason
    assert choice.reason.endswith("better in 100 of 100 resamples of weeks).")


def test_deviances_are_means_over_all_folds():
    scored = folds(historical_mean=0.8, lstm=0.3)
    together = poisson_deviance(
        np.concatenate([f.counts for f in scored]),
        np.concatenate([f.forecasts["lstm"] for f in scored]),
    )
    assert choose(scored).deviances["lstm"] == pytest.approx(together, rel=1e-12)


def test_a_gain_within_noise_falls_back():
    scored = folds(historical_mean=0.8, empirical_bayes=0.3)
    for fold in scored:
        fold.forecasts["lightgbm"] = fold.forecasts["empirical_bayes"].copy()
    # Right on one single day, as if by luck: better in total, not better in most resamples of weeks.
    scored[0].forecasts["lightgbm"][3] = scored[0].counts[3] + 0.01
    choice = choose(scored)
    assert choice.deviances["lightgbm"] < choice.deviances["empirical_bayes"]
    assert (choice.champion, choice.challenger) == ("empirical_bayes", "lightgbm")
    assert choice.reason.endswith("resamples of weeks), under the 90 asked for.")


def test_a_worse_model_never_wins():
    choice = choose(folds(historical_mean=0.1, lstm=0.9))
    assert (choice.champion, choice.challenger) == ("historical_mean", "lstm")
    assert choice.reason.endswith("no learner and no stack had a lower one.")


def test_one_model_has_no_challenger_and_of_equal_baselines_the_fall_back_stands():
    scored = folds(historical_mean=0.5)
    assert choose(scored).challenger is None
    for fold in scored:
        fold.forecasts["empirical_bayes"] = fold.forecasts["historical_mean"]
    choice = choose(scored)
    assert (choice.champion, choice.challenger) == ("empirical_bayes", "historical_mean")


def test_a_fall_back_that_is_worse_than_the_historical_mean_falls():
    choice = choose(folds(historical_mean=0.3, empirical_bayes=0.35))
    assert (choice.champion, choice.challenger) == ("historical_mean", "empirical_bayes")


def with_days_right(scored, name, days):
    """The fall-back's forecasts, and the truth itself on some days of each fold."""
    for fold in scored:
        copied = fold.forecasts["empirical_bayes"].copy()
        copied[days] = fold.counts[days] + 0.05
        fold.forecasts[name] = copied
    return scored


def test_another_baseline_replaces_the_fall_back_only_where_it_is_surely_better(monkeypatch):
    monkeypatch.setattr(champion, "BASELINES", ("historical_mean", "kde", "empirical_bayes"))
    usual = {"historical_mean": 0.8, "empirical_bayes": 0.4}
    assert choose(with_days_right(folds(**usual), "kde", slice(None, None, 4))).champion == "kde"
    # Right on two days of one fold: lower, and within noise.
    luckily = folds(**usual)
    for fold in luckily:
        fold.forecasts["kde"] = fold.forecasts["empirical_bayes"].copy()
    luckily[0].forecasts["kde"][5:9] = luckily[0].counts[5:9] + 0.05
    choice = choose(luckily)
    assert next(iter(choice.deviances)) == "kde"
    assert choice.champion == "empirical_bayes"


def test_the_stack_is_asked_for_less_than_a_learner():
    # Better in two weeks of fifteen: 1 - (13/15)^15 = .88 of resamples hold one of them.
    scored = folds(historical_mean=0.8, empirical_bayes=0.3)
    for name in ("lightgbm", "stack"):
        for fold in scored:
            fold.forecasts[name] = fold.forecasts["empirical_bayes"].copy()
        for number in (0, 2):
            scored[number].forecasts[name][8:12] = scored[number].counts[8:12] + 0.05
        choice = choose(scored)
        assert choice.champion == ("empirical_bayes" if name == "lightgbm" else "stack")


def test_under_four_weeks_nothing_is_sure():
    surely = {"historical_mean": 0.8, "empirical_bayes": 0.6, "lightgbm": 0.05}
    assert choose(folds(1, 21, **surely)).champion == "empirical_bayes"
    assert choose(folds(1, 28, **surely)).champion == "lightgbm"


@pytest.mark.parametrize(
    ("per_day", "crowned", "at_least"),
    [(0.25, {"empirical_bayes", "stack"}, 5), (50, {"stack"}, 6)],
)
def test_on_simulated_cities_few_incidents_crown_no_learner_and_many_the_stack(
    per_day, crowned, at_least
):
    names = []
    for seed in range(6):
        city = simulate(seed, per_day)
        blind = stack_folds(city.folds, gap_days=2)
        scored = [f.with_forecast("stack", b) for f, b in zip(city.folds, blind, strict=True)]
        choice = choose(scored)
        names.append(choice.champion)
        assert choice.deviances[choice.champion] <= choice.deviances["historical_mean"]
    assert sum(name in crowned for name in names) >= at_least


def test_unfit_folds_are_refused():
    with pytest.raises(ValueError, match="there is none"):
        choose([])
    with pytest.raises(ValueError, match="None of the baselines"):
        choose(folds(lstm=0.5))
    mixed = [*folds(1, historical_mean=0.5), *folds(1, historical_mean=0.5, lstm=0.2)]
    with pytest.raises(ValueError, match="Fold 1 has the models historical_mean, lstm"):
        choose(mixed)
