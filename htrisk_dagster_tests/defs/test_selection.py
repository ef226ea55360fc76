"""Any offence group and period: through run configuration, and as the command's files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.hot_places import density_table, read_target
from htrisk_dagster.defs.selected import write_hot_spots
from htrisk_dagster.defs.selection import Selection
from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.schemas import grid, hot_places, hotspots
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster_tests.defs.small_city import City

FIRST, LAST = date(2023, 11, 1), date(2024, 3, 31)
ROBBERY = Selection("robbery", FIRST, LAST)


def test_days_and_groups_that_are_none_are_refused(city: City) -> None:
    with pytest.raises(SettingError, match="Give days as 2024-03-31"):
        Selection.of(None, "31/03/2024", None)
    with pytest.raises(SettingError, match=r"no offence group 'robbry'\. It has: .*robbery"):
        read_target(city.workspace, city.area, Selection("robbry"))
    with pytest.raises(SourceError, match="before 2025-01-01, the first day asked for"):
        read_target(city.workspace, city.area, Selection("robbery", date(2025, 1, 1)))


def test_what_is_read_is_the_group_in_its_days(city: City) -> None:
    placed = city.workspace.tables("nyc").read(grid.INCIDENT_CELLS)
    expected = placed.filter(
        pl.col("reported_on").is_between(FIRST, LAST), offence_group="robbery", source="complaints"
    )
    found = read_target(city.workspace, city.area, ROBBERY)
    assert found.name == "robbery"
    assert found.first == FIRST
    assert sorted(found.incidents["incident_id"]) == sorted(expected["incident_id"])
    assert expected.height > 100


def test_an_area_offers_every_group_that_it_declares(city: City) -> None:
    area = load_area("nyc")
    for group in area.offence_groups:
        name, part = Selection(group).part(city.workspace, area)
        assert (name, part.offence_groups) == (group, (group,))


def test_the_command_writes_four_tables_of_the_selection(city: City, tmp_path: Path) -> None:
    lines = list(write_hot_spots(city.workspace, city.area, ROBBERY, tmp_path))
    assert [line.split(":")[0] for line in lines] == [
        str(tmp_path / f"{t.name}.csv")
        for t in (hot_places.DENSITY, *hot_places.CLUSTER_TABLES, hotspots.CELL_WEEK_GI_STAR)
    ]
    density = pl.read_csv(tmp_path / "density.csv", try_parse_dates=True)
    points = read_target(city.workspace, city.area, ROBBERY)
    per_year = points.points.incidents.height / points.years
    assert density["incidents_per_year"].sum() == pytest.approx(per_year)
    weekly = pl.read_csv(tmp_path / "cell_week_gi_star.csv", try_parse_dates=True)
    assert weekly["series"].unique().to_list() == ["robbery"]
    assert weekly["week_on"].min() >= FIRST
    assert weekly["week_on"].max() <= LAST
    assert "station_house_pct" in lines[2], "the share stands beside every silhouette"


def test_run_configuration_selects_and_the_checks_follow(city_copy: City) -> None:
    """The table of the selection passes the checks, and a plan makes that of the target again."""
    config = {"offence_group": "robbery", "first": str(FIRST), "last": str(LAST)}
    key = dg.AssetKey(["nyc", "hotspots", "density"])
    with city_copy.instance() as instance:
        job = dg.define_asset_job("density_only", dg.AssetSelection.assets(key))
        definitions = dg.Definitions.merge(city_copy.definitions, dg.Definitions(jobs=[job]))
        result = definitions.resolve_job_def("density_only").execute_in_process(
            instance=instance,
            run_config={"ops": {"nyc__hotspots__density": {"config": config}}},
        )
    assert result.success
    assert all(e.passed for e in result.get_asset_check_evaluations())
    store = city_copy.workspace.tables("nyc")
    density = store.read(hot_places.DENSITY)
    assert density.select("target", "first_on", "last_on").unique().rows() == [
        ("robbery", FIRST, LAST)
    ]
    made = MadeFrom(city_copy.workspace, city_copy.area)
    assert store.made_from(hot_places.DENSITY) == {"all": made.hot_places(ROBBERY)}
    assert made.hot_places(ROBBERY) != made.hot_places()
    expected, _ = density_table(read_target(city_copy.workspace, city_copy.area, ROBBERY))
    assert density.equals(expected)
