from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.block_ceilings import (
    CEILINGS,
    block_filtering,
    block_intensity,
    ceilings_for,
)
from htrisk_dagster.evaluation.ceiling_alarm import no_forecast_is_beyond
from htrisk_dagster.evaluation.ceilings import auc_ceiling
from htrisk_dagster.evaluation.count_scores import poisson_log_score
from htrisk_dagster.evaluation.truth import CityTruth, read_truth
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.historical_mean import mean_rates
from htrisk_dagster.sources.synthetic_city.world import World
from htrisk_dagster_tests.evaluation.true_city import inputs_of, true_city, write

DAYS = [(date(2024, 4, 1) + timedelta(days=d)).isoformat() for d in range(28)]


@pytest.fixture(scope="module")
def world() -> World:
    return true_city()


@pytest.fixture(scope="module")
def inputs(world) -> FeatureInputs:
    return inputs_of(world)


@pytest.fixture(scope="module")
def truth(world, inputs, tmp_path_factory) -> CityTruth:
    folder = tmp_path_factory.mktemp("city")
    write(folder, world)
    return read_truth(folder, inputs.grid)


def test_a_block_s_ceilings_are_ordered_and_calibrated(truth, inputs):
    block, filtered = block_intensity(truth, inputs, DAYS), block_filtering(truth, inputs, DAYS)
    counts = target_counts(inputs, DAYS)
    before = [(date(2023, 9, 1) + timedelta(days=d)).isoformat() for d in range(205)]
    mean = np.tile(mean_rates(target_counts(inputs, before).sum(axis=0, dtype=float), 205), (28, 1))
    omniscient, of_filter, of_mean = (
        poisson_log_score(counts, forecast) for forecast in (block.omniscient, filtered, mean)
    )
    assert omniscient < of_filter < of_mean
    assert counts.sum() > 300
    for forecast in (block.omniscient, filtered, block.drawn_from):
        assert forecast.sum() == pytest.approx(counts.sum(), rel=0.15)
    assert no_forecast_is_beyond(
        counts, {"mean": mean, "filter": filtered},
        intensity=block.omniscient, day_shock=block.day_shock, seed=1,
    ).holds  # fmt: skip

    rows = ceilings_for(
        truth, inputs, DAYS,
        historical_mean=mean, active=mean[0] > mean.min(), n_draws=60, seed=1,
    )  # fmt: skip
    assert set(rows["model"]) == set(CEILINGS)
    assert set(rows["mask"]) == {"active", "land"}
    auc = {r["model"]: r for r in rows.filter(metric="auc", mask="land").iter_rows(named=True)}
    best = auc["ceiling_omniscient"]
    assert best["value"] == pytest.approx(auc_ceiling(block.drawn_from), abs=0.01)
    assert best["value"] > auc["ceiling_filtering"]["value"]
    assert best["difference_lower_95"] > 0


def test_the_filter_of_a_day_does_not_see_what_is_reported_later(truth, inputs):
    later = replace(
        inputs, incidents=inputs.incidents.filter(pl.col("reported_on") < date(2024, 4, 14))
    )
    whole, cut = (block_filtering(truth, i, DAYS) for i in (inputs, later))
    # The forecast for the 15th uses what was reported before the 14th.
    assert np.array_equal(whole[:15], cut[:15])
    assert not np.array_equal(whole[15:], cut[15:])
