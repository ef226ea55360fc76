from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.models.attribution import (
    GROUPS,
    Attribution,
    by_group,
    group_importance,
    group_of,
    importance,
    top_reasons,
)

BY_HAND = Attribution(
    ("target_lag_1", "target_mean_28", "events_lag_1", "hotels_count", "rate_of_cell"),
    np.array([[0.5, -0.4, 0.2, 0.0, -1.0], [0.1, 0.1, 0.0, -0.3, 0.25]]),
    -3.0,
)


def test_reasons_are_the_strongest_groups_with_their_sign():
    terms, contributions = top_reasons(BY_HAND, k=3)
    assert np.array(GROUPS)[terms].tolist() == [
        ["long-run rate of the cell", "events", "own recent history"],
        ["place", "long-run rate of the cell", "own recent history"],
    ]
    np.testing.assert_allclose(contributions, [[-1.0, 0.2, 0.1], [-0.3, 0.25, 0.2]], atol=1e-12)


def test_importance_by_feature_and_by_group():
    """A group's features cancel within a cell-day first: |.5 - .4| and |.1 + .1| give .15."""
    by_name = importance(BY_HAND)
    assert list(by_name) == [
        "rate_of_cell", "target_lag_1", "target_mean_28", "hotels_count", "events_lag_1",
    ]  # fmt: skip
    assert by_name["target_mean_28"] == pytest.approx(0.25)
    grouped = group_importance(BY_HAND)
    assert grouped["own recent history"] == pytest.approx(0.15)
    assert grouped["long-run rate of the cell"] == pytest.approx(0.625)
    assert set(grouped) == set(GROUPS)
    assert list(grouped.values()) == sorted(grouped.values(), reverse=True)


def test_grouping_loses_nothing():
    grouped = by_group(BY_HAND)
    assert grouped.names == GROUPS
    np.testing.assert_allclose(
        grouped.contributions.sum(axis=1), BY_HAND.contributions.sum(axis=1), atol=1e-12
    )


def test_equal_strengths_keep_the_order_of_the_groups():
    even = Attribution(("x_km", "target_lag_1", "events_lag_1"), np.full((1, 3), 0.2), 0.0)
    terms, _ = top_reasons(even, k=2)
    assert [GROUPS[term] for term in terms[0]] == ["own recent history", "events"]


def test_every_feature_of_the_catalogue_has_the_group_a_reader_expects():
    names = [f.name for f in feature_catalogue(["incidents", "robbery"])]
    found = {name: group_of(name) for name in names}
    expected = {
        "target_lag_3": "own recent history",
        "target_ewm_14": "own recent history",
        "target_same_weekday_mean_8": "own recent history",
        "target_mean_364": "long-run rate of the cell",
        "target_near_mean_28": "surroundings",
        "incidents_near_mean_364": "other offences",
        "incidents_lag_2": "other offences",
        "robbery_mean_28": "other offences",
        "precinct_robbery_mean_364": "other offences",
        "precinct_target_mean_364": "precinct",
        "city_target_mean_28": "city level",
        "events_radius_1000m_count": "events",
        "events_lag_7": "events",
        "airport_jfk_anomaly": "airport and transit",
        "transit_subway_ratio": "airport and transit",
        "weekday_cos": "weekday",
        "is_weekend": "weekday",
        "is_holiday": "season and holidays",
        "is_first_of_month": "season and holidays",
        "year_day_sin": "season and holidays",
        "x_km": "place",
        "land_share": "place",
        "borough_code": "borough",
    }
    assert {name: found[name] for name in expected} == expected
    places = {name for name, group in found.items() if group == "place"}
    assert places == {"x_km", "y_km", "land_share"}
    assert set(found.values()) == set(GROUPS)
