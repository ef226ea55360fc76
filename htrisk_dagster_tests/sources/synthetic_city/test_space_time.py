from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.sources.synthetic_city.land import read_land
from htrisk_dagster.sources.synthetic_city.space_time import (
    correlated_noise,
    daily_noise,
    log_normal_field,
)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return daily_noise(read_land(), 300, np.random.default_rng(8))


def test_noise_has_variance_one_and_falls_over_a_kilometre(noise: np.ndarray) -> None:
    land = read_land()
    assert noise.shape == (300, len(land.col))
    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1, abs=0.01)
    index = {place: i for i, place in enumerate(zip(land.col, land.row, strict=True))}
    for steps in (1, 2, 4):
        pairs = [(i, index[c + steps, r]) for (c, r), i in index.items() if (c + steps, r) in index]
        here, there = np.array(pairs).T
        found = np.mean(noise[:, here] * noise[:, there])
        # White noise filtered by a Gaussian of sd s has correlation exp(-d^2 / (4 s^2)), s^2 = 2.
        assert found == pytest.approx(np.exp(-(steps**2) / 8), abs=0.02)


def test_field_has_mean_one_and_remembers_nine_tenths(noise: np.ndarray) -> None:
    field = log_normal_field(noise, 0.7)
    log = np.log(field.astype(np.float64))
    assert log.std() == pytest.approx(0.7, abs=0.02)
    assert log.mean() == pytest.approx(-0.245, abs=0.02)
    assert field.mean() == pytest.approx(1, abs=0.02)
    for lag in (1, 7):
        found = np.corrcoef(log[:-lag].ravel(), log[lag:].ravel())[0, 1]
        assert found == pytest.approx(0.9**lag, abs=0.03)
    assert log[0].std() == pytest.approx(0.7, abs=0.05)  # stationary from the first day


def test_days_are_drawn_one_after_the_other(noise: np.ndarray) -> None:
    # A longer span begins with the days of a shorter one, whatever is drawn at once.
    np.testing.assert_array_equal(
        daily_noise(read_land(), 130, np.random.default_rng(8)), noise[:130]
    )


def test_fields_of_target_and_common_offences_go_together() -> None:
    shared, own = correlated_noise(read_land(), 120, np.random.default_rng(4))
    assert np.corrcoef(shared.ravel(), own.ravel())[0, 1] == pytest.approx(0.8, abs=0.02)
    assert own.std() == pytest.approx(1, abs=0.02)
