from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.features import store
from htrisk_dagster.features.catalogue import FeatureSpec, feature_catalogue
from htrisk_dagster.features.feature_matrix import Series, build_block
from htrisk_dagster.warehouse.partitions import Partitions

DAYS = ["2014-02-01", "2014-02-02", "2014-02-03"]


@pytest.fixture
def block(inputs_with):
    """Three days with true numbers, some of them absent: felonies have no source."""
    inputs = inputs_with(
        series=(Series("incidents", ("complaints",)), Series("felony", ())),
        history_start=date(2014, 1, 25),
    )
    return build_block(inputs, date(2014, 2, 1), date(2014, 2, 4), with_counts=True)


@pytest.fixture
def table():
    return store.cell_day_table(feature_catalogue(("incidents", "felony")))


@pytest.fixture
def tables(tmp_path):
    return Partitions(tmp_path, "toy")


def test_block_to_days_to_block_is_exact(block, table, tables, grid):
    store.write_days(tables, table, block, {day: f"from {day}" for day in DAYS})
    found = store.read_block(tables, table, DAYS, grid)
    absent = np.isnan(block.features)
    assert 0 < absent.sum() < absent.size
    # Bit by bit, NaN included.
    np.testing.assert_array_equal(found.features, block.features)
    assert found.features.dtype == np.float32
    assert found.names == block.names
    np.testing.assert_array_equal(found.days, block.days)
    np.testing.assert_array_equal(found.precinct_index, block.precinct_index)
    np.testing.assert_array_equal(found.borough_index, block.borough_index)
    assert found.counts is None
    assert tables.made_from(table) == {day: f"from {day}" for day in DAYS}


def test_a_day_on_disk_has_a_row_a_cell_and_missing_values_for_nan(block, table, tables, grid):
    store.write_days(tables, table, block, dict.fromkeys(DAYS, ""))
    day = tables.read(table, ["2014-02-02"])
    assert table.problems(day) == []
    assert day["risk_on"].unique().to_list() == [date(2014, 2, 2)]
    assert day["cell_id"].to_list() == list(range(grid.n_cells))
    assert day["felony_mean_28"].null_count() == grid.n_cells
    assert not any(day[name].is_nan().any() for name in block.names)
    expected = [None if np.isnan(v) else v for v in block.column("target_lag_20")[1]]
    assert day["target_lag_20"].to_list() == expected
    # The truth does not lie beside the features.
    assert day.columns == ["risk_on", "cell_id", *block.names]


def test_part_of_the_days_is_read_in_the_order_asked(block, table, tables, grid):
    store.write_days(tables, table, block, dict.fromkeys(DAYS, ""))
    found = store.read_block(tables, table, DAYS[1:], grid)
    np.testing.assert_array_equal(found.features, block.features[1:])


def test_a_day_that_was_not_made_is_named(block, table, tables, grid):
    store.write_days(tables, table, block, dict.fromkeys(DAYS, ""))
    with pytest.raises(
        MissingPartitionError, match=r"'2014-02-04' of features\.cell_day for area 'toy'"
    ):
        store.read_block(tables, table, [*DAYS, "2014-02-04"], grid)


def test_the_table_follows_the_catalogue():
    spec = FeatureSpec("a_mean_7", "incidents per day", "grid.incident_cells", "none", "Mean.")
    table = store.cell_day_table([spec])
    assert table.column_names == ["risk_on", "cell_id", "a_mean_7"]
    column = table.columns[2]
    assert (column.unit, column.description, column.nullable) == (spec.unit, "Mean.", True)
    assert (table.full_name, table.key) == ("features.cell_day", ("risk_on", "cell_id"))
    assert table.polars_schema()["a_mean_7"] == pl.Float32


def test_area_codes_are_ranks_of_number_and_name(grid, block):
    precincts, boroughs = store.area_codes(grid)
    order = sorted(set(grid.cells["precinct"].to_list()))
    assert order == [5, 7, 40]  # by number, not as text
    assert precincts.tolist() == [order.index(p) for p in grid.cells["precinct"]]
    assert boroughs.tolist() == ["AB".index(b) for b in grid.cells["borough"]]
    assert precincts.dtype == boroughs.dtype == np.int32
    np.testing.assert_array_equal(precincts, block.precinct_index)


def test_a_block_written_again_replaces_its_days_alone(block, table, tables, grid):
    store.write_days(tables, table, block, dict.fromkeys(DAYS, ""))
    changed = replace(block, features=block.features + 1).between(block.days[1], block.days[2])
    store.write_days(tables, table, changed, {DAYS[1]: "new"})
    found = store.read_block(tables, table, DAYS, grid)
    np.testing.assert_array_equal(found.features[[0, 2]], block.features[[0, 2]])
    np.testing.assert_array_equal(found.features[1], block.features[1] + 1)
