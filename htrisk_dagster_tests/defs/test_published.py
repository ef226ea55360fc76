"""The snapshot that a run publishes: what is in it, and above all what is not."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from htrisk_dagster.defs.published import AS_THEY_ARE, disjoint_series, snapshots_folder
from htrisk_dagster.defs.released import dossier_of
from htrisk_dagster.features.feature_matrix import Series
from htrisk_dagster.publishing.snapshot import newest_snapshot, read_header
from htrisk_dagster.schemas import hotspots, predictions, raw
from htrisk_dagster_tests.defs.small_city import APRIL, CANARY_TYPE, MARCH, City


@pytest.fixture(scope="module")
def path(city: City):
    return newest_snapshot(snapshots_folder(city.workspace, "nyc"))


@pytest.fixture(scope="module")
def connection(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


def test_a_run_ends_with_a_snapshot_of_all_its_days(city: City, connection):
    header = read_header(connection)
    assert (header.first_on, header.last_on) == (MARCH[0], APRIL[1])
    assert (header.area, header.data_origin) == ("nyc", "files")
    stored = city.workspace.tables("nyc").read(predictions.CELL_DAY_RISK)
    published = connection.sql("from predictions.cell_day_risk").pl()
    assert published.equals(stored.sort("risk_on", "cell_id"))


def test_no_hot_or_cold_week_of_a_cell_stands_on_a_small_count(city: City, connection):
    """Of the cell and the eight around it, by their columns and rows."""
    connection.register("weekly", city.workspace.tables("nyc").read(hotspots.CELL_WEEK_GI_STAR))
    around = connection.sql(
        "select s.series, s.week_on, s.cell_id, sum(w.incidents_count) as around "
        "from published.week_spots s join grid.cells c using (cell_id) "
        "join grid.cells n on abs(n.col - c.col) <= 1 and abs(n.row - c.row) <= 1 "
        "join weekly w on (w.series, w.week_on, w.cell_id) = (s.series, s.week_on, n.cell_id) "
        "group by all"
    ).pl()
    assert around.height > 0
    assert around.filter(pl.col("around").is_between(1, 10)).is_empty()
    spots = connection.sql("select count(*) from weekly where spot <> 'neither'").fetchone()
    told = connection.sql(
        "select sum(hot_cells_count + cold_cells_count), sum(hidden_cells_count) "
        "from published.hot_spot_weeks"
    ).fetchone()
    # The counts are no part of the snapshot, which other tests look through.
    connection.unregister("weekly")
    assert told[0] == around.height
    assert told[0] + told[1] == spots[0]


def test_it_names_the_dossier_that_reviewers_sign_for(city: City, connection):
    named = dict(connection.sql("select risk_on, dossier from published.map_dossiers").fetchall())
    assert len(named) == 7
    for day in (MARCH[0], APRIL[1]):
        assert named[day] == dossier_of(city.workspace, city.area, str(day)).digest


def test_the_newest_run_has_nothing_to_publish(city: City):
    with city.runner() as runner:
        assert [s.title for s in city.stale_steps(runner, *MARCH)] == []


def test_no_row_of_a_case_and_no_small_count(connection, path):
    """The canary's type and point stand nowhere; every count of incidents or cases is 0 or 11 and more."""
    assert CANARY_TYPE.encode() not in path.read_bytes()
    tables = connection.sql(
        "select table_schema, table_name from information_schema.tables"
    ).fetchall()
    assert not {name for _, name in tables} & {t.name for t in raw.RESTRICTED_TABLES}
    looked_at = 0
    for schema, name in tables:
        rows = connection.sql(f'from {schema}."{name}"').pl()
        for column in ("incidents_count", "cases_count", "located_count", "hits_count"):
            if column in rows.columns:
                small = rows[column].drop_nulls().is_between(1, 10).sum()
                assert small == 0, f"{schema}.{name}.{column}"
                looked_at += 1
    assert looked_at >= 4


def test_spread_is_that_of_the_single_models(city: City, connection):
    day = APRIL[0]
    forecasts = city.workspace.tables("nyc").read(predictions.MODEL_FORECASTS, [str(day)])
    single = forecasts.filter(
        ~pl.col("model").is_in(["stack", "champion"]) & (pl.col("cell_id") == 5)
    )
    low, high = (single["expected_count"].quantile(q, "linear") for q in (0.25, 0.75))
    assert low is not None
    assert high is not None
    found = connection.execute(
        "select spread_ratio from published.model_spread where risk_on = ? and cell_id = 5", [day]
    ).fetchall()
    assert found == [(pytest.approx(high / low),)]


def test_tables_with_small_counts_are_not_among_those_that_leave():
    warned = [
        t.full_name for t in AS_THEY_ARE if any("not for publication" in w for w in t.warnings)
    ]
    assert warned == []


class _Inputs:
    target = Series("target", ("complaints",), ("kidnapping", "robbery"))
    series = (
        Series("incidents", ("complaints",)),
        Series("robbery", ("complaints",), ("robbery",)),
        Series("burglary", ("complaints",), ("burglary",)),
        Series("property", ("complaints",), ("burglary", "larceny")),
        Series("unknown", (), ("arson",)),
    )


def test_series_that_share_incidents_are_not_both_published():
    assert list(disjoint_series("violence", _Inputs())) == ["violence", "burglary"]  # type: ignore[arg-type]
