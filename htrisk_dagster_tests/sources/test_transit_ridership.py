from __future__ import annotations

import csv
import json
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.sources.transit_ridership import SERVICES
from htrisk_dagster_tests.sources.published_files import (
    REAL_FILES,
    broken_rules,
    needs_real_files,
    read,
    write_file,
)

HEADER = (
    "Date,Subways: Total Estimated Ridership,Buses: Total Estimated Ridership,"
    "LIRR: Total Estimated Ridership,Metro-North: Total Estimated Ridership,"
    "Access-A-Ride: Total Scheduled Trips,Bridges and Tunnels: Total Traffic,"
    "Staten Island Railway: Total Estimated Ridership"
)
REAL = REAL_FILES / "mobility/MTA_Daily_Ridership_Data__Beginning_2020_brandonkeung.csv"


def test_a_day_becomes_a_row_a_service_and_an_empty_service_none(tmp_path: Path):
    write_file(
        tmp_path / "m.csv", HEADER, '01/02/2021,"613,692",2,3,4,5,6,', "01/01/2021,1,2,3,4,5,6,7"
    )
    result = read("transit_ridership", tmp_path)
    assert result.kept.height == 13
    assert result.kept.select("service", "ridden_on", "riders_count").rows()[-1] == (
        "subway", date(2021, 1, 2), 613692,
    )  # fmt: skip
    assert result.kept["ridden_on"].is_sorted()
    assert result.files.select("rows_read_count", "rows_kept_count").row(0) == (2, 2)


def test_a_bad_figure_refuses_its_day_once(tmp_path: Path):
    rows = ["01/01/2021,1,2,3,4,5,6,7", "01/02/2021,1,few,3,-4,5,6,7", "soon,1,2,3,4,5,6,7"]
    write_file(tmp_path / "m.csv", HEADER, *rows)
    result = read("transit_ridership", tmp_path)
    assert broken_rules(result) == [
        (2, "count_unreadable", "Buses: Total Estimated Ridership", "few"),
        (3, "travel_date_unreadable", "Date", "soon"),
    ]
    assert result.kept["riders_count"].to_list() == [5, 6, 2, 3, 4, 7, 1]  # by name of service


def test_the_api_spells_one_column_wrong(tmp_path: Path):
    row = {"date": "2021-01-01T00:00:00.000", "subways_total_estimated_ridership": "1",
           "buses_total_estimated_ridersip": "2", "lirr_total_estimated_ridership": "3",
           "metro_north_total_estimated_ridership": "4",
           "bridges_and_tunnels_total_traffic": "6"}  # fmt: skip
    write_file(tmp_path / "p.json", json.dumps([row]))
    kept = read("transit_ridership", tmp_path).kept
    counts = dict(kept.select("service", "riders_count").rows())
    assert counts == {
        "subway": 1, "bus": 2, "lirr": 3, "metro_north": 4, "bridges_and_tunnels": 6,
    }  # fmt: skip


@pytest.mark.real_data
@needs_real_files
def test_the_real_file_sums_to_what_the_csv_module_reads():
    result = read("transit_ridership", REAL_FILES)
    with REAL.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert result.files.select("rows_read_count", "rows_kept_count").row(0) == (1720, 1720)
    days = [datetime.strptime(row["Date"], "%m/%d/%Y").date() for row in rows]
    assert (min(days), max(days)) == (date(2020, 3, 1), date(2024, 11, 14))
    assert days != sorted(days)  # the publisher's order is not the calendar's
    sums = result.kept.group_by("service").agg(pl.col("riders_count").sum())
    found = dict(sums.rows())
    columns = dict(zip(SERVICES, HEADER.split(",")[1:], strict=True))
    assert found == {name: sum(int(r[column]) for r in rows) for name, column in columns.items()}
