from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.feature_matrix import Series
from htrisk_dagster.features.inputs import (
    declared_series,
    newest_report,
    read_grid,
    read_inputs,
    recent_daily_mean,
    target_counts,
)
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster.warehouse.partitions import Partitions, by_month

NYC = load_area("nyc")
SHOOTINGS = NYC.targets["shootings"]
ROWS = {
    "source": pl.String, "offence_group": pl.String, "occurred_on": pl.Date,
    "reported_on": pl.Date, "cell_id": pl.Int32,
}  # fmt: skip


def incidents_of(rows: list[tuple]) -> pl.DataFrame:
    """Rows of source, group, day of occurrence, day of report and cell."""
    frame = pl.DataFrame(rows, schema=ROWS, orient="row").with_row_index("incident_id")
    quality = (
        pl.when(pl.col("cell_id").is_null()).then(pl.lit("missing")).otherwise(pl.lit("exact"))
    )
    return grid_tables.INCIDENT_CELLS.conform(
        frame.with_columns(
            quality.alias("location_quality"), pl.lit(5, dtype=pl.Int32).alias("precinct")
        )
    )


def daily(source: str, first: date, stop: date) -> list[tuple]:
    return [
        (source, "robbery", first + timedelta(i), first + timedelta(i), i % 16)
        for i in range((stop - first).days)
    ]


@pytest.fixture
def store(tmp_path, grid, holidays):
    """Returns a function that stores incidents, and gives the warehouse."""
    tables = Partitions(tmp_path, "nyc")

    def fill(rows: list[tuple]) -> Partitions:
        tables.write(grid_tables.CELLS, grid.cells)
        tables.write(raw.HOLIDAYS, holidays)
        for table in (staging.EVENTS, staging.MOBILITY):
            tables.write(table, table.empty())
        for month, of_month in by_month(incidents_of(rows), "reported_on").items():
            tables.write(grid_tables.INCIDENT_CELLS, of_month, month)
        return tables

    return fill


def test_grid_is_read_back(store, grid):
    found = read_grid(store(daily("felonies", date(2014, 1, 1), date(2014, 2, 1))), NYC)
    assert found.cells.equals(grid.cells)
    assert (found.crs, found.cell_size_m) == ("EPSG:32618", 500)


def test_each_series_gets_the_first_source_that_covers_the_target_s_history(store):
    stop = date(2015, 1, 1)
    tables = store(
        daily("shootings", date(2014, 1, 1), stop)
        + daily("felonies", date(2014, 1, 1), stop)
        + daily("complaints", date(2014, 5, 1), stop)  # too late to say what was before
    )
    inputs = read_inputs(tables, NYC, SHOOTINGS, date(2014, 12, 31))
    assert inputs.history_start == date(2014, 1, 1)
    assert inputs.target == Series("target", ("shootings",), ())
    assert [s.name for s in inputs.series] == ["incidents", *NYC.series]
    sources = {s.name: s.sources for s in inputs.series}
    assert sources["incidents"] == sources["robbery"] == ("felonies",)
    assert sources["sex_crimes"] == sources["disorder"] == ()  # complaints alone
    assert inputs.series[-1].offence_groups == ("drugs", "weapons", "harassment")
    assert (inputs.lag_days, inputs.mobility_lag_days) == (1, {"airport": 45, "transit": 2})
    assert inputs.incidents.height == 365 + 365 + 245

    later = read_inputs(tables, NYC, SHOOTINGS, date(2014, 12, 31), since=date(2014, 5, 10))
    assert later.history_start == date(2014, 5, 10)
    assert {s.sources for s in later.series} == {("complaints",)}


def test_since_never_stretches_history(store):
    tables = store(daily("shootings", date(2014, 1, 1), date(2015, 1, 1)))
    end = date(2014, 12, 31)
    early = read_inputs(tables, NYC, SHOOTINGS, end, since=date(2010, 1, 1))
    assert early.history_start == date(2014, 1, 1)
    assert read_inputs(tables, NYC, SHOOTINGS, end, since=end).history_start == end


def test_a_target_without_a_source_is_refused(store):
    tables = store(daily("shootings", date(2014, 1, 1), date(2014, 6, 1)))
    with pytest.raises(
        SourceError, match=r"^No source of the target 'shooting incidents' \(shoot"
    ) as e:
        read_inputs(tables, NYC, SHOOTINGS, date(2014, 6, 30))
    assert "covers six months in a row up to 2014-06-30" in str(e.value)


def test_history_that_starts_after_the_end_is_refused(store):
    tables = store(daily("shootings", date(2014, 1, 1), date(2015, 1, 1)))
    with pytest.raises(
        SourceError, match="2015-01-01 by the setting history_start, after the last"
    ):
        read_inputs(tables, NYC, SHOOTINGS, date(2014, 12, 31), since=date(2015, 1, 1))


def test_declared_series_are_named_as_in_features():
    found = declared_series(NYC, SHOOTINGS)
    assert list(found) == ["target", "incidents", *NYC.series]
    assert (found["target"], found["incidents"]) == (SHOOTINGS, NYC.incidents)


@pytest.mark.parametrize("known_before", [None, date(2014, 3, 20), date(2014, 3, 1)])
def test_target_counts_are_those_of_a_loop(inputs_with, known_before):
    inputs = inputs_with()
    days = [(date(2014, 3, 1) + timedelta(i)).isoformat() for i in range(40)]
    expected = np.zeros((40, inputs.grid.n_cells))
    for row in inputs.incidents.iter_rows(named=True):
        index = (row["occurred_on"] - date(2014, 3, 1)).days
        wanted = row["source"] == "complaints" and row["offence_group"] == "robbery"
        known = known_before is None or row["reported_on"] < known_before
        if wanted and known and 0 <= index < 40 and row["cell_id"] is not None:
            expected[index, row["cell_id"]] += 1
    found = target_counts(inputs, days, known_before=known_before)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    # Not trivially: a later day knows more.
    assert found.sum() > 20 or known_before == date(2014, 3, 1)


def few(inputs_with, rows):
    target = Series("target", ("complaints",), ("robbery",))
    return inputs_with(incidents=incidents_of(rows), target=target, lag_days=3)


def test_recent_daily_mean_counts_what_was_known_by_the_cutoff(inputs_with):
    # For 20 April with a lag of 3 days the cutoff is 17 April, and ten days run from the 7th.
    def row(occurred: int, reported: int, source="complaints", group="robbery", cell=0):
        return (source, group, date(2014, 4, occurred), date(2014, 4, reported), cell)

    inputs = few(
        inputs_with,
        [
            row(7, 7), row(7, 16, cell=3), row(16, 16), row(10, 12),  # four that count
            row(6, 6),  # before the window
            row(16, 17), row(17, 17),  # not reported before the cutoff
            row(10, 10, source="felonies"), row(10, 10, group="burglary"),
            row(10, 10, cell=None),  # has no cell, and no forecast is made for it
        ],
    )  # fmt: skip
    assert recent_daily_mean(inputs, date(2014, 4, 20), window_days=10) == 0.4
    assert recent_daily_mean(inputs, date(2014, 4, 20)) == pytest.approx(5 / 91)


def test_newest_report_is_of_the_source_not_of_the_rare_target(inputs_with):
    day = date(2014, 4, 1)
    inputs = few(
        inputs_with,
        [
            ("complaints", "robbery", day, day, 0),
            ("complaints", "burglary", day, date(2014, 4, 9), 0),
            ("complaints", "burglary", date(2014, 4, 12), date(2014, 4, 12), None),
            ("felonies", "robbery", date(2014, 5, 1), date(2014, 5, 1), 0),
        ],
    )
    assert newest_report(inputs) == date(2014, 4, 12)
    assert newest_report(inputs, before=date(2014, 4, 12)) == date(2014, 4, 9)
    assert newest_report(inputs, before=date(2014, 4, 1)) is None
