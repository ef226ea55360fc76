"""Two invented cities in unlike layouts, from `htrisk area new` to a risk map, through Dagster.

One lies in the south and publishes points but no outline; the other publishes beats and nothing else.
Steps that no map needs (hot spots, context, comparison) are left out, to save minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.cli import app
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.plan import Plan
from htrisk_dagster.defs.runs import Runner, local_runner
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.grid.area_losses import as_staged, find_losses
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.schemas import grid, predictions, raw, series, staging
from htrisk_dagster.settings import Settings
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster_tests.defs.small_city import refuse_network
from htrisk_dagster_tests.invented_cities import (
    BEATS,
    SUR_MIDDLE,
    write_beats,
    write_falls,
    write_sur,
)
from typer.testing import CliRunner

DAY = date(2024, 4, 1)
FOR_MAPS = {
    "raw",
    "restricted",
    "staging",
    "marts",
    "grid",
    "features",
    "models",
    "predictions",
    "governance",
    "publishing",
}
PLACES = {"raw", "restricted", "staging", "marts", "grid"}


@dataclass(frozen=True)
class AnyCity:
    """A city's file, the study area that was made of it, and a workspace."""

    folder: Path
    name: str

    @property
    def settings(self) -> Settings:
        return Settings(
            origin="files", data_dir=self.folder / "data", home=self.folder / "home",
            study_areas=self.folder / "mine", area=self.name, profile="smoke",
            history_start=date(2023, 9, 1),
        )  # fmt: skip

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.settings)

    @property
    def area(self) -> StudyArea:
        return self.workspace.area(self.name)

    def propose(self, *arguments: str) -> None:
        path = next(p for p in (self.folder / "data").iterdir() if p.suffix != ".geojson")
        done = CliRunner().invoke(
            app,
            ["area", "new", self.name, "--from", str(path), "--to", str(self.folder / "mine"),
             "--yes", *arguments],
        )  # fmt: skip
        assert done.exit_code == 0, done.output

    def run(self, layers: Sequence[str] | set[str]) -> None:
        home = self.settings.dagster_home
        with pytest.MonkeyPatch.context() as patch, refuse_network() as tried:
            patch.setenv("DAGSTER_HOME", str(home))
            definitions = build_definitions(self.settings, [self.name])
            with local_runner(definitions, self.workspace, self.area) as runner:
                self._steps(runner, layers)
        assert not tried

    def _steps(self, runner: Runner, layers: Sequence[str] | set[str]) -> None:
        for step in Plan(self.workspace, self.area, DAY, DAY, runner.refused).steps():
            layer = step.assets[0].split("/")[0]
            if layer not in layers:
                # What comes next would wait for features that are not made.
                if "features" not in layers and layer in ("features", "hotspots"):
                    return
                continue
            runner.materialise(step)

    def risk(self) -> pl.DataFrame:
        tables = self.workspace.tables(self.name)
        cells = tables.read(grid.CELLS)
        return tables.read(predictions.CELL_DAY_RISK, [str(DAY)]).join(cells, on="cell_id")


def daily_mean(staged: pl.DataFrame, group: str) -> float:
    """Incidents of a group a day, of March, counted from staging alone."""
    march = pl.col("occurred_on").is_between(date(2024, 3, 1), date(2024, 3, 31))
    return staged.filter(march, pl.col("offence_group") == group).height / 31


@pytest.mark.slow  # 50 s on one core
def test_a_city_of_points_without_an_outline_in_the_south_gets_its_map(tmp_path: Path) -> None:
    city = AnyCity(tmp_path, "sur_de_la_plata")
    write_sur(tmp_path / "data", per_day=40)
    city.propose("--time-zone", "America/Montevideo")
    city.run(FOR_MAPS)

    page = map_path(city.workspace, city.area, str(DAY)).read_text()
    assert "Map of Sur De La Plata" in page
    risk = city.risk()
    staged = city.workspace.tables(city.name).read(staging.INCIDENTS)
    # Grouped by label in the case that the city writes, and in local time: 23:30 on a day in Montevideo
    # is 02:30 of the next in UTC.
    assert set(staged["offence_group"]) == {
        "trafficking_related", "hurto", "rapina", "violencia_domestica",
    }  # fmt: skip
    utc_day = staged["occurred_at"].dt.date() != staged["occurred_on"]
    assert utc_day.mean() == pytest.approx(3 / 24, abs=0.02)
    recent = daily_mean(staged, "trafficking_related")
    assert 0.6 * recent < risk["expected_count"].sum() < 1.6 * recent
    # Two places of 0.0025 degrees hold seven incidents in ten.
    spots = np.add(SUR_MIDDLE, [[-0.012, 0.006], [0.010, -0.008]])
    near = np.zeros(risk.height, dtype=bool)
    at_lon, at_lat = risk["lon"].to_numpy(), risk["lat"].to_numpy()
    for lon, lat in spots:
        near |= (np.abs(at_lon - lon) < 0.008) & (np.abs(at_lat - lat) < 0.008)
    share = risk.filter(pl.Series(near))["expected_count"].sum() / risk["expected_count"].sum()
    assert share > 0.55
    assert near.mean() < 0.4
    assert risk["lat"].max() < -34.8
    assert city.area.grid.crs == "EPSG:32721"


@pytest.mark.slow  # 30 s on one core
def test_a_city_of_beats_without_points_gets_its_map(tmp_path: Path) -> None:
    city = AnyCity(tmp_path, "prairie_falls")
    write_falls(tmp_path / "data", per_day=30)
    city.propose(
        "--time-zone", "America/Chicago", "--centre", "40.8,-96.7", "--target", "Prostitution"
    )
    city.run(FOR_MAPS)

    page = map_path(city.workspace, city.area, str(DAY)).read_text()
    assert "Map of Prairie Falls" in page
    # The reader sees the publisher's own codes.
    assert all(f"<td>{beat}</td>" in page for beat in BEATS)
    risk = city.risk().sort("precinct")
    assert risk.height == len(BEATS)
    staged = city.workspace.tables(city.name).read(staging.INCIDENTS)
    recent = daily_mean(staged, "prostitution")
    assert 0.6 * recent < risk["expected_count"].sum() < 1.6 * recent
    # The city was written with weights from 1 to 4 in order of beat.
    truth = np.linspace(1, 4, len(BEATS))
    assert np.corrcoef(risk["expected_count"].to_numpy(), truth)[0, 1] > 0.7
    assert set(risk["borough"]) == {"PRAIRIE FALLS PD", "COUNTY SHERIFF"}


@pytest.mark.extended  # 30 s on one core
def test_a_city_of_beats_has_its_series_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = AnyCity(tmp_path, "prairie_falls")
    write_falls(tmp_path / "data", per_day=30)
    city.propose("--time-zone", "America/Chicago", "--centre", "40.8,-96.7")
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("HTRISK_STUDY_AREAS", str(tmp_path / "mine"))
    done = CliRunner().invoke(
        app,
        ["series", "--area", city.name, "--data", str(tmp_path / "data"), "--month", "2024-04-01",
         "--home", str(tmp_path / "home"), "--profile", "smoke"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "By month: too little history to forecast" in done.output
    assert f"By day: {len(BEATS)} areas, 31 days from 2024-04-" in done.output
    tables = city.workspace.tables(city.name)
    days = tables.read(series.DAY_FORECASTS, ["2024-04-01"])
    # The publisher's own codes, and nothing of reports from the seventh on.
    assert set(days["place"]) == {*BEATS, "(all)"}
    assert days["made_from_on"].max() <= date(2024, 4, 7)
    recent = tables.read(series.AREA_PERIODS).filter(frequency="day", place="B6")
    rate = recent.sort("period_on")["incidents_count"].tail(90).mean()
    assert days.filter(place="B6")["expected_count"].mean() == pytest.approx(rate, rel=0.3)


@pytest.mark.extended  # 30 s on one core
def test_shapes_of_beats_say_who_is_a_neighbour(tmp_path: Path) -> None:
    city = AnyCity(tmp_path, "prairie_falls")
    write_falls(tmp_path / "data", per_day=5)
    beats = write_beats(tmp_path / "data")
    city.propose("--time-zone", "America/Chicago", "--areas", f"{beats}:beat_id")
    city.run(PLACES)

    tables = city.workspace.tables(city.name)
    made = read_grid(tables, city.area)
    # Two rows of six: the corners have 3 neighbours, the others 5.
    degree = queen_contiguity(made).sum(axis=1)
    assert sorted(degree.tolist()) == [3] * 4 + [5] * 8
    # The map's squares lie as the beats do: A south of B, 1 to 6 eastwards.
    cells = made.cells.sort("precinct")
    assert cells["row"].to_list() == [0] * 6 + [1] * 6
    assert cells["col"].to_list() == [*range(6)] * 2
    # `htrisk area check` groups and places as staging and the grid do.
    reports = tables.read(raw.INCIDENT_REPORTS)
    staged = tables.read(staging.INCIDENTS).sort("incident_id")
    told = as_staged(reports, city.area).sort("incident_id")
    assert told.drop("origin").equals(staged.drop("origin"))
    losses = find_losses(city.area, tmp_path / "data")
    assert losses.rows_kept == staged.height
    assert losses.rows_read == staged.height + 2
    placed = tables.read(grid.INCIDENT_CELLS)
    assert placed["location_quality"].unique().to_list() == ["exact"]
