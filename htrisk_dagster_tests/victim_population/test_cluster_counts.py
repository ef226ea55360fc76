"""Clusters of published counts: weights count, years are numbers, few cells are said."""

from __future__ import annotations

import polars as pl
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.victim_population.clusters import cluster_counts


@pytest.fixture
def cells() -> pl.DataFrame:
    """Two early and two late years; the late ones hold more records."""
    return pl.DataFrame(
        {
            "year": ["2002", "2003", "2015", "2016"] * 2,
            "gender": ["female"] * 4 + ["male"] * 4,
            "count": [11, 12, 400, 500, 11, 12, 300, 200],
        }
    )


def test_years_are_numbers_and_the_heavier_cluster_is_first(cells):
    found = cluster_counts(cells, ["year"], n_clusters=2)
    assert found.to_list() == [2, 2, 1, 1, 2, 2, 1, 1]


def test_labels_are_no_numbers(cells):
    assert cluster_counts(cells, ["gender"], n_clusters=2).to_list() == [1] * 4 + [2] * 4


def test_scale_decides_whether_years_outweigh_labels(cells):
    in_years = cluster_counts(cells, ["year", "gender"], n_clusters=2, scale=False)
    assert in_years.to_list() == [2, 2, 1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize(("columns", "n_clusters"), [([], 2), (["gender"], 3)])
def test_too_little_to_cluster_is_said(cells, columns, n_clusters):
    with pytest.raises(SettingError, match="choose"):
        cluster_counts(cells, columns, n_clusters=n_clusters)
