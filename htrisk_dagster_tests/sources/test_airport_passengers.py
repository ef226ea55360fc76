from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster_tests.sources.published_files import (
    REAL_FILES,
    broken_rules,
    needs_real_files,
    read,
    write_file,
)

HEADER = "Activity Period,Revenue Passenger Volume,Freight Volume,Mail Volume,Total Flights"
REAL = REAL_FILES / "mobility/Passenger_volume_JFKinbound_2021_2024.csv"


def test_months_and_counts(tmp_path: Path):
    rows = ["2021-01-01,611259,1,2,3", '2/15/2021,"490,626",1,2,3', "2021-03-01,-5,1,2,3",
            "2021-04-01,,1,2,3", "2030-01-01,5,1,2,3"]  # fmt: skip
    write_file(tmp_path / "a.csv", HEADER, *rows)
    result = read("airport_passengers", tmp_path)
    assert result.kept.select("airport", "month_on", "passengers_count").rows() == [
        ("JFK", date(2021, 1, 1), 611259),
        ("JFK", date(2021, 2, 1), 490626),
    ]
    assert broken_rules(result) == [
        (3, "count_unreadable", "Revenue Passenger Volume", "-5"),
        (4, "count_unreadable", "Revenue Passenger Volume", None),
        (5, "period_after_file", "Activity Period", "2030-01-01"),
    ]


@pytest.mark.real_data
@needs_real_files
def test_the_real_file():
    result = read("airport_passengers", REAL_FILES)
    with REAL.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert result.kept.height == len(rows) == 48
    total = sum(int(row["Revenue Passenger Volume"]) for row in rows)
    assert result.kept["passengers_count"].sum() == total
    months = {(day.year, day.month) for day in result.kept["month_on"]}
    assert months == {(year, month) for year in range(2021, 2025) for month in range(1, 13)}
