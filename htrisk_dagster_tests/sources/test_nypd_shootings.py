from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from htrisk_dagster_tests.sources.published_files import (
    REAL_FILES,
    SHOOTINGS,
    ZONE,
    broken_rules,
    needs_real_files,
    read,
    write_file,
)

REAL = REAL_FILES / "complaints/nypd_shooting_incident_2014_2015.csv"


def test_unpadded_days_and_hours_are_read(tmp_path: Path):
    write_file(tmp_path / "s.csv", SHOOTINGS, "7,9/8/2015,2:17:00,Brooklyn,79,M,40.68,-73.94\r")
    row = read("shootings", tmp_path).kept.row(0, named=True)
    assert row["occurred_at"] == datetime(2015, 9, 8, 6, 17)
    assert (row["offence"], row["borough"], row["report_id"]) == ("SHOOTING", "BROOKLYN", "7")
    assert row["reported_on"] == row["occurred_on"]


def test_rules(tmp_path: Path):
    bad = [",9/8/2015,2:17:00,BRONX,79,M,40.68,-73.94", "1,,2:17:00,BRONX,79,M,40.68,-73.94",
           "1,9/8/2015,2:77:00,BRONX,79,M,40.68,-73.94", "1,9/8/2015,2:17:00,BRONX,x,M,40.68,-73.94",
           "1,9/8/2015,2:17:00,BRONX,79,M,41.68,-73.94"]  # fmt: skip
    write_file(tmp_path / "s.csv", SHOOTINGS, *bad)
    assert [found[1:3] for found in broken_rules(read("shootings", tmp_path))] == [
        ("number_missing", "INCIDENT_KEY"),
        ("occurrence_date_unreadable", "OCCUR_DATE"),
        ("time_unreadable", "OCCUR_TIME"),
        ("code_not_a_number", "PRECINCT"),
        ("point_outside_city", "Latitude"),
    ]


@pytest.mark.real_data
@needs_real_files
def test_the_real_file_agrees_with_the_standard_library():
    kept = read("shootings", REAL_FILES).kept
    with REAL.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    local = [
        datetime.strptime(f"{r['OCCUR_DATE']} {r['OCCUR_TIME']}", "%m/%d/%Y %H:%M:%S") for r in rows
    ]
    utc = [
        t.replace(tzinfo=ZoneInfo(ZONE)).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
        for t in local
    ]
    assert len(rows) == 2898
    assert kept["occurred_at"].to_list() == utc
    assert kept["occurred_on"].to_list() == [t.date() for t in local]
    assert kept["lat"].to_list() == [float(r["Latitude"]) for r in rows]
    assert kept["report_id"].to_list() == [r["INCIDENT_KEY"] for r in rows]
    assert kept["report_id"].n_unique() == len({r["INCIDENT_KEY"] for r in rows}) == 2310
