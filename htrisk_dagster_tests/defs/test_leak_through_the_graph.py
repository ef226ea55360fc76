"""Nothing that is reported on or after a day's cutoff moves anything made for the day.

The whole way is run again, from the publisher's file over dbt and the grid to the forecast.
"""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.defs.featured import features_table
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.staged import DBT_TABLES
from htrisk_dagster.schemas import grid, predictions, staging
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster_tests.defs.small_city import REPORTS, City

DAY = "2024-04-03"
CUTOFF = date(2024, 4, 2)
FEATURES = features_table(load_area("nyc"))


@pytest.mark.slow
def test_reports_from_the_cutoff_on_change_nothing_of_the_day(city_copy: City) -> None:
    store = city_copy.workspace.tables("nyc")
    before = {t: store.contents(t)[DAY] for t in (FEATURES, predictions.MODEL_FORECASTS)}
    n_before = store.read(staging.INCIDENTS)["reported_on"]
    _rewrite_the_future(city_copy)

    with city_copy.runner() as runner:
        for layer, names, keys in (
            ("raw", ("complaints",), ("2024-03-01", "2024-04-01")),
            ("staging", None, ()),
            ("grid", ("incident_cells",), ()),
            ("features", ("cell_day",), (DAY,)),
            ("predictions", ("model_forecasts",), (DAY,)),
        ):
            assets = (
                tuple(f"{t.layer}/{t.name}" for t in DBT_TABLES)
                if names is None
                else tuple(f"{layer}/{name}" for name in names)
            )
            runner.materialise(Step(layer, assets, keys))

    after = store.read(staging.INCIDENTS)["reported_on"]
    assert (after < CUTOFF).sum() == (n_before < CUTOFF).sum()
    assert 0 < (after >= CUTOFF).sum() < (n_before >= CUTOFF).sum(), "the future has changed"
    moved = store.read(grid.INCIDENT_CELLS).filter(pl.col("reported_on") >= CUTOFF)
    assert moved["cell_id"].drop_nulls().n_unique() == 1
    for table, digest in before.items():
        assert store.contents(table)[DAY] == digest, table.full_name


@pytest.mark.slow
def test_a_report_from_before_the_cutoff_does_change_it(city_copy: City) -> None:
    """The other test could not fail if features were not made from these rows at all."""
    store = city_copy.workspace.tables("nyc")
    before = store.contents(FEATURES)[DAY]
    known = store.read(grid.INCIDENT_CELLS, ["2024-04-01"])
    last = known.filter(pl.col("reported_on") == date(2024, 4, 1)).select(pl.len()).item()
    assert last > 0
    store.write(
        grid.INCIDENT_CELLS,
        known.filter(pl.col("reported_on") != date(2024, 4, 1)),
        "2024-04-01",
    )

    with city_copy.runner() as runner:
        runner.materialise(Step("features", ("features/cell_day",), (DAY,)))

    assert store.contents(FEATURES)[DAY] != before


def _rewrite_the_future(city: City) -> None:
    """Lose every second report from the cutoff on, and move the others to one street corner."""
    path = city.published / REPORTS
    rows = pl.read_csv(path, infer_schema=False)
    reported = pl.col("RPT_DT").str.to_date("%m/%d/%Y")
    future = rows.filter(reported >= CUTOFF)
    corner = rows.filter(pl.col("Latitude").is_not_null() & (reported < CUTOFF)).row(0, named=True)
    kept = future.gather_every(2).with_columns(
        pl.lit(corner[name]).alias(name)
        for name in ("Latitude", "Longitude", "ADDR_PCT_CD", "BORO_NM", "KY_CD", "OFNS_DESC")
    )
    assert future.height > 500
    pl.concat([rows.filter(reported < CUTOFF), kept]).write_csv(path)
