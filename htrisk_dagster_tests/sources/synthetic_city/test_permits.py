from __future__ import annotations

import numpy as np
import polars as pl
from htrisk_dagster.sources.synthetic_city.permits import Permits, attraction

from .conftest import City

PATH = "events/NYC_Permitted_Events.csv"
STAMP = "%m/%d/%Y %I:%M:%S %p"


def events(city: City) -> pl.DataFrame:
    return pl.read_csv(city.folder / PATH, infer_schema=False).with_columns(
        pl.col("Start Date/Time", "End Date/Time").str.to_datetime(STAMP)
    )


def test_layout_of_values(city: City) -> None:
    table = events(city)
    assert table["Police Precinct"].str.contains(r"^(\d+, )*\d+,$").all()
    assert table["Community Board"].str.contains(r"^(\d+, )*\d+,$").all()
    assert (table["End Date/Time"] > table["Start Date/Time"]).all()


def test_identifiers_repeat_once_an_occurrence(city: City) -> None:
    table = events(city)
    assert 1.5 < table.height / table["Event ID"].n_unique() < 2.5
    weekly = table.sort("Event ID", "Start Date/Time").with_columns(
        gap=pl.col("Start Date/Time").diff().over("Event ID").dt.total_days()
    )
    assert set(weekly["gap"].drop_nulls().unique()) == {7}


def test_some_last_days_and_some_touch_two_precincts(city: City) -> None:
    table = events(city)
    days = (table["End Date/Time"].dt.date() - table["Start Date/Time"].dt.date()).dt.total_days()
    assert 0.005 < (days > 0).mean() < 0.04
    assert days.max() <= 6
    assert 0.02 < table["Police Precinct"].str.contains(", ").mean() < 0.10


def test_about_two_in_five_are_in_manhattan(city: City) -> None:
    assert abs((events(city)["Event Borough"] == "Manhattan").mean() - 0.42) < 0.06


def test_attraction_by_hand() -> None:
    # A parade (100) of two days in precincts 0 and 1, a street fair (20) on the second day in 2,
    # and another parade in 0 on day 1: 100 + 100 is cut at 100.
    permits = Permits(
        permit=np.arange(3),
        kind=np.array([6, 4, 6]),
        first=np.array([0, 1, 1]),
        last=np.array([1, 1, 1]),
        start_hour=np.array([9, 9, 9]),
        end_hour=np.array([12, 12, 12]),
        precinct=np.array([0, 2, 0]),
        second_precinct=np.array([1, -1, -1]),
    )
    expected = [[100, 100, 0], [100, 100, 20], [0, 0, 0]]
    assert attraction(permits, 3, 3).tolist() == expected


def test_one_precinct_in_a_hundred_has_a_parade_or_a_race(city: City) -> None:
    exposure = city.truth()["exposure"]
    assert abs((exposure > 2.9).mean() - 0.01) < 0.004
    assert exposure.max() < 3.0 * 1.6  # three times, and the airport's corridor besides
