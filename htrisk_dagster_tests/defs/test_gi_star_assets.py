"""The Gi* assets on the city: what they store, what they tell, and when they are made again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import grid, hotspots
from htrisk_dagster.schemas.hotspots import PATTERNS
from htrisk_dagster_tests.defs.small_city import City

SERIES = ["incidents", "trafficking_related"]
# The city's last report is of Friday 12 April 2024, and its first day Friday 1 September 2023.
FIRST, AFTER_LAST = date(2023, 9, 4), date(2024, 4, 8)


def figures(city: City, table: str) -> dict[str, object]:
    with city.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["nyc", "hotspots", table]))
    assert event is not None
    assert event.asset_materialization is not None
    return {k: v.value for k, v in event.asset_materialization.metadata.items()}


def test_weekly_counts_are_those_of_placed_incidents(city: City) -> None:
    store = city.workspace.tables("nyc")
    rows = store.read(hotspots.CELL_WEEK_GI_STAR, ["all"])
    in_weeks = pl.col("occurred_on").is_between(FIRST, AFTER_LAST, closed="left")
    incidents = store.read(grid.INCIDENT_CELLS).filter(in_weeks, source="complaints")

    expected = (
        incidents.filter(pl.col("cell_id").is_not_null())
        .group_by("cell_id", week_on=pl.col("occurred_on").dt.truncate("1w"))
        .agg(pl.len().cast(pl.Int32).alias("incidents_count"))
        .sort("week_on", "cell_id")
    )

    of_all = rows.filter(pl.col("incidents_count") > 0, series="incidents")
    found = of_all.select("cell_id", "week_on", "incidents_count").sort("week_on", "cell_id")
    assert found.equals(expected)
    assert rows["series"].unique().sort().to_list() == SERIES

    told = figures(city, "cell_week_gi_star")
    house = (incidents["location_quality"] == "station_house").mean()
    assert told["incidents_station_house_pct"] == pytest.approx(100 * house)
    assert told["fdr_level"] == 0.05
    hot = rows.filter(pl.col("series") == "incidents")["spot"] == "hot"
    assert told["incidents_hot_cells_pct"] == pytest.approx(100 * hot.mean())


def test_the_classes_told_are_the_classes_stored(city: City) -> None:
    rows = city.workspace.tables("nyc").read(hotspots.EMERGING_HOT_SPOTS, ["all"])
    told = figures(city, "emerging_hot_spots")
    for series in SERIES:
        counts = {p: told.get(f"{series}: {p}", 0) for p in PATTERNS}
        stored = rows.filter(pl.col("series") == series)["pattern"].value_counts().rows()
        assert {p: n for p, n in counts.items() if n} == dict(stored)


def test_another_target_makes_the_tables_stale(city: City) -> None:
    now = MadeFrom(city.workspace, city.area)
    stored = city.workspace.tables("nyc")
    assert stored.made_from(hotspots.CELL_WEEK_GI_STAR) == {"all": now.gi_star()}
    assert stored.made_from(hotspots.EMERGING_HOT_SPOTS) == {"all": now.emerging_hot_spots()}
    assert stored.made_from(hotspots.PERIOD_CHANGE) == {"all": now.period_change()}

    other = Workspace(city.settings.model_copy(update={"target": "robbery"}))
    assert MadeFrom(other, city.area).gi_star() != now.gi_star()


def test_a_city_without_a_covered_series_is_refused(city: City, tmp_path: Path) -> None:
    from htrisk_dagster.defs.concentrated import store_gi_star

    copy = city.copy_to(tmp_path / "city")
    store = copy.workspace.tables("nyc")
    store.drop(grid.INCIDENT_CELLS, store.keys(grid.INCIDENT_CELLS)[3:])
    with pytest.raises(SourceError, match="no hot spot to find"):
        store_gi_star(copy.workspace, copy.area)
