from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.risk_terrain import RiskTerrain, place_features

N_DAYS, N_CELLS = 20, 900


@pytest.fixture(scope="module")
def city():
    """Burglaries follow robbery in the cell and events nearby; what is in the precinct is noise."""
    rng = np.random.default_rng(1)
    robbery, events = rng.gamma(1.0, 0.02, N_CELLS), rng.gamma(1.0, 0.1, N_CELLS)
    columns = {
        "target_mean_364": rng.gamma(1.0, 1.0, N_CELLS),
        "robbery_mean_364": robbery,
        "robbery_near_mean_364": rng.gamma(1.0, 0.02, N_CELLS),
        "precinct_robbery_mean_364": rng.gamma(1.0, 0.02, N_CELLS),
        "precinct_target_mean_364": rng.gamma(1.0, 1.0, N_CELLS),
        "city_target_mean_28": np.full(N_CELLS, 0.3),
        "events_radius_1000m_count": events,
        "land_share": rng.uniform(0.1, 1, N_CELLS),
        "target_lag_1": rng.poisson(0.1, N_CELLS),
    }
    rates = 0.02 * (364 * robbery + 0.5) ** 0.6 * (364 * events + 0.5) ** 0.3
    features = np.stack(list(columns.values()), axis=-1).astype(np.float32)
    return CellDayBlock(
        days=np.datetime64("2014-01-06") + np.arange(N_DAYS),
        features=np.broadcast_to(features, (N_DAYS, *features.shape)),
        names=tuple(columns),
        precinct_index=np.zeros(N_CELLS, dtype=np.int32),
        borough_index=np.zeros(N_CELLS, dtype=np.int32),
        counts=rng.poisson(rates, (N_DAYS, N_CELLS)).astype(np.float32),
    )


def test_the_targets_own_past_and_the_citys_level_are_no_features(city):
    names, values = place_features(city)
    # The series is part of nothing here: it exceeds the target in some cells only.
    assert names == (
        "robbery_mean_364", "robbery_near_mean_364", "precinct_robbery_mean_364",
        "events_radius_1000m_count", "land_share",
    )  # fmt: skip
    np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-6)


def test_relative_risks_are_near_statsmodels_and_name_what_matters(city):
    model = RiskTerrain()
    params = model.fit(city, seed=0).params
    names, values = place_features(city)
    totals = city.counts.sum(axis=0)
    glm = sm.GLM(totals, sm.add_constant(values), family=sm.families.Poisson()).fit()
    for i, name in enumerate(names, start=1):
        low, high = np.exp(glm.params[i] + np.array([-2.5, 2.5]) * glm.bse[i])
        assert low < params[f"relative_risk_{name}"] < high
    assert params["relative_risk_robbery_mean_364"] > 1.4
    assert params["relative_risk_events_radius_1000m_count"] > 1.2
    assert params["relative_risk_precinct_robbery_mean_364"] == pytest.approx(1, abs=0.1)
    assert model.predict(city.without_truth()).sum() == pytest.approx(totals.sum())


def test_without_features_all_cells_are_alike(city):
    bare = replace(city, features=city.features[:, :, -1:], names=("target_lag_1",))
    model = RiskTerrain()
    model.fit(bare, seed=0)
    expected = model.predict(bare.without_truth())
    np.testing.assert_allclose(expected, city.counts.mean(), rtol=1e-6)
