from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from htrisk_dagster.models.volume_forecast import VolumeForecaster
from htrisk_dagster_tests.models.agency_world import HOLIDAYS, LEVELS, N_DAYS, agency_world, means


@pytest.fixture(scope="module")
def fitted() -> VolumeForecaster:
    model = VolumeForecaster(n_origins=2)
    model.fit(agency_world(), HOLIDAYS, seed=3)
    return model


def test_a_known_world_is_forecast_well_days_ahead(fitted: VolumeForecaster):
    truth = means(N_DAYS + 30)[N_DAYS:]
    found = fitted.forecast(agency_world(), 30, HOLIDAYS)
    assert fitted.n_trees > 0
    assert found.shape == (30, 6)
    assert found[:, :3].mean(axis=0) == pytest.approx(truth[:, :3].mean(axis=0), rel=0.15)
    # Sundays have half of Wednesdays.
    level_alone = np.abs(LEVELS[:2] - truth[:, :2]).mean()
    assert np.abs(found[:, :2] - truth[:, :2]).mean() < 0.6 * level_alone
    assert (found > 0).all()


def test_the_same_days_and_seed_give_the_same_bytes_and_read_back_equal(fitted: VolumeForecaster):
    again = VolumeForecaster(n_origins=2)
    again.fit(agency_world(), HOLIDAYS, seed=3)
    files = fitted.to_bytes()
    assert again.to_bytes() == files
    forecast = fitted.forecast(agency_world(), 10, HOLIDAYS)
    read = VolumeForecaster.from_bytes(files).forecast(agency_world(), 10, HOLIDAYS)
    assert read.tobytes() == forecast.tobytes()


def test_pure_noise_keeps_few_trees_or_none():
    world = agency_world(240)
    flat = np.random.default_rng(9).poisson(LEVELS, (240, 6)).astype(float)
    model = VolumeForecaster(n_origins=2)
    model.fit(replace(world, counts=flat), HOLIDAYS, seed=3)
    found = model.forecast(replace(world, counts=flat), 30, HOLIDAYS)
    assert found[:, :3] == pytest.approx(np.tile(LEVELS[:3], (30, 1)), rel=0.3)
    assert model.n_trees <= 20


def test_days_that_do_not_suffice_are_a_sentence():
    short = agency_world().before(date(2021, 5, 1))
    with pytest.raises(ValueError, match="120 days are too few for the volume forecast"):
        VolumeForecaster().fit(short, HOLIDAYS, seed=3)
