from __future__ import annotations

import re

import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.features.catalogue import feature_catalogue


def test_catalogue_lists_the_agreed_features_once():
    specs = feature_catalogue(("incidents", "robbery"))
    names = [spec.name for spec in specs]
    assert len(names) == len(set(names))
    both = ("target", "incidents")
    expected = [f"target_lag_{k}" for k in range(1, 29)]
    expected += [f"{s}_lag_{k}" for s in ("incidents", "events") for k in range(1, 8)]
    expected += [f"{s}_mean_{w}" for s in both for w in (7, 28, 91, 364)]
    expected += ["robbery_mean_28", "robbery_mean_364", "target_ewm_14", "incidents_ewm_14"]
    expected += [f"{s}_near_mean_{w}" for s in both for w in (28, 364)]
    expected += [f"{s}_same_weekday_mean_8" for s in both]
    expected += [f"precinct_{s}_mean_364" for s in (*both, "robbery")]
    expected += ["city_target_mean_28", "events_radius_1000m_count"]
    expected += ["airport_jfk_anomaly", "transit_subway_ratio", "weekday_sin", "weekday_cos"]
    expected += ["is_weekend", "year_day_sin", "year_day_cos", "is_holiday"]
    expected += ["is_day_before_holiday", "is_day_after_holiday", "is_first_of_month"]
    expected += ["x_km", "y_km", "land_share", "borough_code"]
    assert names == expected


def test_every_feature_says_what_it_is():
    for spec in feature_catalogue(("incidents", "robbery")):
        assert spec.unit
        assert spec.lag
        assert re.fullmatch(r"calendar|(grid|staging|raw)\.[a-z_]+", spec.source), spec
        assert re.fullmatch(r"\S.*\S\.", spec.description), spec


@pytest.mark.parametrize(
    "names", [(), ("robbery", "incidents"), ("incidents", "a", "a"), ("incidents", "target")]
)
def test_series_that_would_collide_are_refused(names):
    with pytest.raises(SettingError):
        feature_catalogue(names)
