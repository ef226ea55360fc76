from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.input_drift import (
    ALL_INPUTS,
    InputProfile,
    input_drift,
    profile_inputs,
    stability_index,
    watched_features,
    weekly_classes,
)
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import feature_catalogue

NAMES = ("target_lag_1", "incidents_mean_28", "transit_subway_ratio", "x_km")
WEEKS, CELLS = 44, 30


def block_of(features: np.ndarray, names=NAMES) -> CellDayBlock:
    n_days, n_cells, _ = features.shape
    return CellDayBlock(
        days=np.datetime64("2015-01-01") + np.arange(n_days),
        features=features.astype(np.float32),
        names=names,
        precinct_index=np.zeros(n_cells, dtype=np.int32),
        borough_index=np.zeros(n_cells, dtype=np.int32),
    )


def series(seed: int, n_days: int) -> np.ndarray:
    """A rare count, a slow mean and a city-wide series, all led by one AR(1) of the whole city."""
    rng = np.random.default_rng(seed)
    city = rng.normal(0, 1, n_days)
    for day in range(1, n_days):
        city[day] = 0.9 * city[day - 1] + np.sqrt(1 - 0.9**2) * city[day]
    place = rng.normal(0, 1, CELLS)
    made = np.empty((n_days, CELLS, len(NAMES)))
    made[:, :, 0] = rng.poisson(np.exp(-2 + 0.3 * city[:, None] + place))
    made[:, :, 1] = np.exp(0.3 * city[:, None] + place + rng.normal(0, 0.1, (n_days, CELLS)))
    made[:, :, 2] = city[:, None]
    made[:, :, 3] = place
    return made


def drift_of(seed: int, change=None):
    days = series(seed, 7 * (WEEKS + 4))
    if change is not None:
        change(days[-28:])
    profile = profile_inputs(block_of(days[:-28]))
    return input_drift(profile, block_of(days[-28:]))


def test_what_is_watched():
    names = [f.name for f in feature_catalogue(("incidents", "burglary"))]
    watched = watched_features(names)
    assert {"target_lag_1", "events_lag_1", "burglary_mean_28", "transit_subway_ratio"} <= {
        *watched
    }
    assert not {"target_lag_2", "incidents_mean_364", "target_mean_91", "x_km", "is_holiday"} & {
        *watched
    }
    assert list(watched) == [n for n in names if n in watched]


def test_index_by_hand():
    one, other = np.array([59.5, 39.5]), np.array([29.5, 69.5])
    by_hand = (0.6 - 0.3) * np.log(0.6 / 0.3) + (0.4 - 0.7) * np.log(0.4 / 0.7)
    assert stability_index(one, other) == pytest.approx(by_hand, rel=1e-12)
    assert stability_index(one, one) == 0


def test_classes_by_hand():
    values = np.full((14, 1, 1), np.nan)
    values[:10, 0, 0] = [0, 0, 1, 2, 3, 9, 9, 0, 5, 2]
    found = weekly_classes(
        block_of(values, ("target_lag_1",)), ("target_lag_1",), np.array([[0, 2.0]])
    )
    # To 0, to 2, above, absent.
    np.testing.assert_array_equal(found[:, 0], [[2, 2, 3, 0], [1, 1, 1, 4]])


def test_false_alarms_are_as_seldom_as_stated_although_days_hang_together():
    rows = [drift_of(seed).row(-1, named=True) for seed in range(200)]
    assert {row["measure"] for row in rows} == {ALL_INPUTS}
    share = np.mean([row["is_alarm"] for row in rows])
    # Stated: at most 5%. The standard error of 200 runs is 1.5%.
    assert 0.005 < share < 0.085


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        (lambda recent: recent[:, :, 2].fill(np.nan), "transit_subway_ratio"),
        (lambda recent: recent[:, :, 0].fill(0), "target_lag_1"),
        (lambda recent: np.multiply(recent, 4, out=recent), "incidents_mean_28"),
    ],
    ids=["a feed stops", "reports stop", "units change"],
)
def test_a_change_is_found_and_named(change, culprit):
    found = drift_of(3, change)
    assert found.row(-1, named=True)["is_alarm"]
    assert culprit in found.filter("is_alarm")["measure"].to_list()
    assert found["measure"].to_list() == [*NAMES[:3], ALL_INPUTS]


def test_too_little_training_tells_nothing():
    days = series(1, 7 * 14)
    days[-28:, :, 2] = np.nan
    found = input_drift(profile_inputs(block_of(days[:-28])), block_of(days[-28:]))
    assert not found["is_alarm"].any()
    assert found["upper"].is_infinite().all()
    with pytest.raises(ValueError, match="27 days were given"):
        input_drift(profile_inputs(block_of(days)), block_of(days[-27:]))


def test_bytes_round_trip():
    profile = profile_inputs(block_of(series(2, 70)))
    again = InputProfile.from_bytes(profile.to_bytes())
    assert again.names == profile.names
    np.testing.assert_array_equal(again.edges, profile.edges)
    np.testing.assert_array_equal(again.weekly, profile.weekly)
    assert again.to_bytes() == profile.to_bytes()
