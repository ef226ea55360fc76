from __future__ import annotations

import polars as pl
import pytest

from .conftest import City

PATH = "restricted/verified_cases.csv"


def test_seventeen_columns_and_none_of_a_person(city: City) -> None:
    table = pl.read_csv(city.folder / PATH)
    assert len(table.columns) == 17
    assert table.columns[:9] == [
        *("Incident Reporting Date", "Type", "Sector", "Methods", "Sources", "Country"),
        *("Location Type", "Latitude", "Longitude"),
    ]
    words = " ".join(table.columns).lower()
    for word in ("victim", "name", "age", "gender", "sex", "race", "national", "suspect"):
        assert word not in words.split()


def test_four_in_five_stand_on_three_points(city: City) -> None:
    table = pl.read_csv(city.folder / PATH)
    counts = table.group_by("Latitude", "Longitude").len().sort("len", descending=True)["len"]
    assert counts.head(3).sum() / table.height == pytest.approx(0.8, abs=0.01)
    assert counts[3] <= 4
    assert counts[2] > 0.15 * table.height


def test_dates_lie_in_the_citys_span(city: City) -> None:
    days = pl.read_csv(city.folder / PATH)["Incident Reporting Date"].str.to_date("%m/%d/%Y")
    assert days.is_sorted()
    assert str(days.min()) >= "2023-09-01"
    assert str(days.max()) <= "2024-04-30"
