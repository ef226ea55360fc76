"""A synthetic city through a blind run: the ceilings hold, the truth is read last, twice the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from htrisk_dagster.evaluation.effort import Effort
from htrisk_dagster.evaluation.skill import blind_run, cities
from htrisk_dagster.evaluation.skill.units_of_work import result_bytes
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.sources.synthetic_city.presets import preset_named
from htrisk_dagster.sources.synthetic_city.world import simulate_world

MODELS = ("historical_mean", "empirical_bayes")
# A third of the city for eight months, at a rate that lets two models be told apart.
SMALL = replace(
    preset_named("skill"), first_day=date(2023, 8, 1), last_day=date(2024, 3, 31),
    complaints_per_day=300, target_per_day=60,
)  # fmt: skip


def run_of_two(inputs, test_start, test_stop, *, seed, effort=None):
    effort = Effort(2, 28, {})
    return blind_run.run_blind(
        inputs, test_start, test_stop, seed=seed, effort=effort, models=MODELS
    )


@pytest.fixture(scope="module")
def world():
    return simulate_world(SMALL, 1)


@pytest.fixture(scope="module")
def scored():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cities, "run_blind", run_of_two)
        return cities.score_world(SMALL, 1)


def test_ceilings_are_above_every_model_and_the_filter_below_the_truth(scored):
    models = scored["models"]
    assert set(models) == {*MODELS, "stack", "champion", "filtering ceiling", "omniscient ceiling"}
    best, filtered = models["omniscient ceiling"], models["filtering ceiling"]
    for figure in ("auc_efficiency", "information_efficiency", "information_efficiency_over_mean"):
        assert best[figure] == pytest.approx(1)
        for name in (*MODELS, "stack", "champion"):
            assert models[name][figure] < filtered[figure] < 1
    assert best["slope"] == pytest.approx(1)
    assert best["expected_over_observed"] == pytest.approx(1)
    assert filtered["of_filtering"] == pytest.approx(1)
    mean = models["historical_mean"]
    assert mean["information_efficiency_over_mean"] == pytest.approx(0)
    assert models["empirical_bayes"]["auc"] > mean["auc"]
    assert models["champion"]["auc"] >= mean["auc"]


def test_figures_in_expectation_agree_with_those_of_the_counts(scored):
    # 1,200 incidents: Hanley and McNeil's standard error of the AUC is 0.008.
    assert scored["test_incidents"] == pytest.approx(scored["expected_test_incidents"], rel=0.15)
    for figures in scored["models"].values():
        assert figures["counts_auc"] == pytest.approx(figures["auc"], abs=0.02)
        assert figures["counts_slope"] == pytest.approx(figures["slope"], abs=0.1)


def test_coverage_is_near_its_level_everywhere(scored):
    coverage = scored["coverage"]
    assert coverage["overall"] == pytest.approx(0.95, abs=0.01)
    assert len(coverage["boroughs"]) == 5
    assert coverage["boroughs"] == pytest.approx([0.95] * 5, abs=0.02)
    assert coverage["deciles"] == pytest.approx([0.95] * len(coverage["deciles"]), abs=0.03)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(scored, monkeypatch):
    monkeypatch.setattr(cities, "run_blind", run_of_two)
    again = cities.score_world(SMALL, 1)
    assert result_bytes({**again, "cpu_seconds": 0}) == result_bytes({**scored, "cpu_seconds": 0})


def test_inputs_hold_the_reports_and_nothing_of_the_truth(world):
    inputs = cities.world_inputs(world)
    days = [str(day) for day in world.days]
    counts = target_counts(inputs, days)
    reported = world.target.counts
    # A few reports come without a point; none is invented, and late ones are among them.
    assert (counts.sum(axis=0) <= reported.sum(axis=0)).all()
    assert 0.9 < counts.sum() / reported.sum() < 1
    assert cities._located_share(inputs) == pytest.approx(counts.sum() / reported.sum())
    columns = {
        c for frame in (inputs.incidents, inputs.events, inputs.mobility) for c in frame.columns
    }
    assert not columns & {"intensity", "static", "field", "triggered", "reporting"}


def test_no_forecast_moves_when_the_test_days_change(world):
    """Reports on or after the test's first day are taken away: the first forecasts stay."""
    inputs = cities.world_inputs(world)
    start, stop = date(2024, 1, 15), date(2024, 1, 17)
    blind = replace(
        inputs,
        incidents=inputs.incidents.filter(inputs.incidents["reported_on"] < date(2024, 1, 14)),
    )
    seen, unseen = (run_of_two(each, start, stop, seed=3) for each in (inputs, blind))
    for name in seen.forecasts:
        assert np.array_equal(seen.forecasts[name][0], unseen.forecasts[name][0])
    assert seen.chosen == unseen.chosen
    assert seen.counts.sum() > unseen.counts.sum() == 0
