from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from htrisk_dagster.grid.cells import Grid, build_grid
from htrisk_dagster.grid.location_quality import place_incidents, station_house_rows
from htrisk_dagster.schemas.staging import INCIDENTS

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"
FIRST = date(2020, 1, 1)


def points_of(rows: list[tuple[str, date, float, float, int]]) -> pl.DataFrame:
    columns = ["offence_group", "reported_on", "lon", "lat", "precinct"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def incidents_of(points: pl.DataFrame) -> pl.DataFrame:
    return INCIDENTS.conform(
        points.with_row_index().with_columns(
            incident_id=pl.format("complaints:{}", "index"),
            source=pl.lit("complaints"),
            occurred_at=pl.col("reported_on").cast(pl.Datetime("us")),
            occurred_on="reported_on",
            offence_code=None,
            law_category=None,
            borough=None,
            origin=pl.lit("reported"),
        )
    )


def simulated_city(seed: int) -> tuple[pl.DataFrame, dict[int, tuple[float, float]]]:
    """Two years in ten precincts of 150 corners; 85% of sex crimes stand at the station house.

    Corners differ in how busy they are (log-normal, sd 1), all offences alike, and shops have a
    theft problem of their own.
    """
    rng = np.random.default_rng(seed)
    frames, stations = [], {}
    for precinct in range(1, 11):
        corners = np.round(
            rng.uniform(0, 0.015, (150, 2)) + np.array([-74 + 0.02 * precinct, 40.7]), 5
        )
        stations[precinct] = tuple(corners[0])
        busy = rng.lognormal(0, 1, 150)
        for group, n in (("assault", 900), ("theft", 1_800), ("sex_crimes", 130), ("rare", 25)):
            weight = busy.copy()
            if group == "theft":
                weight[rng.choice(150, 5)] *= 5
            corner = rng.choice(150, n, p=weight / weight.sum())
            if group == "sex_crimes":
                corner[rng.random(n) < 0.85] = 0
            frames.append(
                pl.DataFrame(
                    {
                        "offence_group": [group] * n,
                        "reported_on": np.datetime64(FIRST) + rng.integers(0, 731, n),
                        "lon": corners[corner, 0],
                        "lat": corners[corner, 1],
                        "precinct": np.full(n, precinct),
                    }
                )
            )
    return pl.concat(frames), stations


@pytest.fixture(scope="module")
def city() -> tuple[pl.DataFrame, dict[int, tuple[float, float]]]:
    return simulated_city(11)


def test_all_planted_stations_are_found_and_few_other_points(city):
    points, stations = city
    flagged = points.filter(pl.Series(station_house_rows(points)))
    keys = {
        (p, lon, lat, g)
        for p, lon, lat, g in flagged.select("precinct", "lon", "lat", "offence_group").rows()
    }
    planted = {(p, *at, "sex_crimes") for p, at in stations.items()}
    assert planted <= keys
    n_points = points.select("precinct", "lon", "lat").unique().height
    assert len({k[:3] for k in keys - planted}) < 0.01 * n_points
    # After half a year every row at a station is told apart.
    late = points.filter(
        (pl.col("reported_on") >= FIRST + timedelta(200))
        & (pl.col("offence_group") == "sex_crimes")
        & pl.struct("lon", "lat").is_in([{"lon": x, "lat": y} for x, y in stations.values()])
    )
    assert late.height > 500
    assert late.join(flagged, on=late.columns, how="anti").is_empty()


def test_what_comes_later_never_changes_a_row(city):
    points, _ = city
    month = date(2021, 3, 1)
    before = points.filter(pl.col("reported_on") < month)
    after = points.filter(pl.col("reported_on") >= month).with_columns(
        pl.col("lon", "lat").shuffle(seed=1), offence_group=pl.lit("sex_crimes")
    )
    altered = pl.concat([before, after, after])
    flags = pl.Series(station_house_rows(points)).filter(points["reported_on"] < month)
    assert flags.any()
    assert flags.to_list() == station_house_rows(altered)[: before.height].tolist()
    assert flags.to_list() == station_house_rows(before).tolist()


def test_rule_in_a_worked_example():
    """January: k rows of a group at a point, the rest of n elsewhere, and 99 other offences."""

    def february_row_is_flagged(k: int, n: int, others_here: int = 0, others: int = 99) -> bool:
        here, jan = (-74.0, 40.7), date(2020, 1, 9)
        rows = [("a", jan, *here, 1)] * k
        rows += [("a", jan, -74.0 - i / 1e3, 40.8, 1) for i in range(n - k)]
        rows += [("b", jan, *here, 1)] * others_here
        rows += [("b", jan, -74.0 - i / 1e3, 40.9, 1) for i in range(others - others_here)]
        rows += [("a", date(2020, 2, 1), *here, 1), ("a", date(2020, 1, 31), *here, 2)]
        flags = station_house_rows(points_of(rows))
        assert not flags[:-2].any()  # nothing lies before January
        assert not flags[-1]  # another precinct has seen nothing at this point
        return bool(flags[-2])

    # q = (0 + 1) / (99 + 1) = 0.01: P(X >= 5 of 8) = 56 q^5 (1 - q)^3 + ... = 5.5e-9.
    assert february_row_is_flagged(5, 8)
    assert not february_row_is_flagged(4, 4)  # too few
    assert not february_row_is_flagged(5, 21)  # 24% of the group
    assert not february_row_is_flagged(5, 20)  # 25%, but 15,504 q^5 is 1.6e-6
    assert february_row_is_flagged(6, 20)  # 38,760 q^6 is 3.9e-8 ...
    # ... but a point that has 4 of the 99 others, q = 0.05, is merely busy: 3.3e-4.
    assert not february_row_is_flagged(6, 20, others_here=4)
    assert not february_row_is_flagged(20, 20, others=0)  # nothing to compare with


@pytest.fixture
def grid(boroughs, precincts) -> Grid:
    return build_grid(
        boroughs, precincts, crs="EPSG:32618", cell_size_m=500, minimum_land_share=0.02
    )


def test_quality_cell_and_precinct_of_each_kind(grid, boroughs, precincts, point):
    station, corner, other = point(600, 100), point(1200, 700), point(300, 600)
    centroid = shapely.get_coordinates(shapely.centroid(shapely.from_wkb(precincts["geometry"][0])))
    january, february = date(2020, 1, 5), date(2020, 2, 1)
    rows = [("sex_crimes", january, *station, 7)] * 12
    rows += [("theft", january, *other, 7)] * 150
    rows += [
        ("sex_crimes", february, *station, 7),
        ("theft", february, *station, 7),
        ("theft", february, *corner, None),
        ("theft", february, *(centroid[0] + 1e-6), 9),
        ("theft", february, None, None, 9),
        ("theft", february, None, None, None),
        ("theft", february, *point(90_000, 0), 9),
        ("sex_crimes", february, *station, None),
    ]
    placed = place_incidents(
        incidents_of(points_of(rows)), grid, boroughs=boroughs, precincts=precincts
    )
    assert placed["incident_id"].to_list() == [f"complaints:{i}" for i in range(len(rows))]
    assert placed.tail(8).select("cell_id", "precinct", "location_quality").rows() == [
        (None, 7, "station_house"),  # cell 1 has precinct 2, and the station is 7's
        (1, 2, "exact"),  # another offence at the station
        (5, 2, "exact"),
        (None, 9, "centroid"),
        (None, 9, "missing"),
        (None, None, "missing"),
        (None, 9, "outside"),
        (1, 2, "exact"),  # no precinct published: counted with the cell's, where nothing stood out
    ]
    assert placed.head(12).select("cell_id", "location_quality").unique().rows() == [(1, "exact")]


def test_no_incident_is_no_row(grid, boroughs, precincts):
    placed = place_incidents(INCIDENTS.empty(), grid, boroughs=boroughs, precincts=precincts)
    assert placed.is_empty()


@pytest.mark.real_data
def test_few_points_of_real_felonies_are_flagged():
    """Felonies of 2014-2015: the points flagged are Rikers Island and JFK airport, nothing else.

    Both are single points at which an institution's reports are put; corners and shops are not.
    """
    path = REAL_DATA / "complaints" / "nypd_felonies_2014_2015_STHSL.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    rows = pl.read_csv(path).select(
        offence_group="Offense",
        reported_on=pl.col("Occurrence Date").str.slice(0, 10).str.to_date("%m/%d/%Y"),
        lon="Longitude",
        lat="Latitude",
        precinct="Precinct",
    )
    flagged = rows.filter(pl.Series(station_house_rows(rows)))
    places = flagged.group_by(pl.col("lon", "lat").round(2)).len().sort("len").rows()
    assert [place[:2] for place in places] == [(-73.78, 40.68), (-73.88, 40.79)]
    assert flagged.height < 0.005 * rows.height
