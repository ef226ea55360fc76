from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from htrisk_dagster_tests.sources.published_files import (
    EVENTS,
    REAL_FILES,
    broken_rules,
    needs_real_files,
    read,
    write_file,
)

NAME = "Jane Roe's Birthday"
FOLDER = REAL_FILES / "events"
PRINTED = FOLDER / "nyc_permitted_events_tvpp-9vvx_feb2022_TZgroup4.csv"
API_NAMES = FOLDER / "soda_nyc_permitted_events_historic_bkfu-528j_10000rows_jatixx.csv"


def event(
    number: str = "611810", start: str = "05/05/2022 09:00:00 AM",
    end: str = "05/05/2022 04:00:00 PM", kind: str = "Special Event", precincts: str = "45,",
) -> str:  # fmt: skip
    return (
        f"{number},{NAME},{start},{end},Parks Department,{kind},Bronx,A park,,N/A,"
        f'"28,","{precincts}"'
    )


def test_one_row_is_typed_and_the_name_is_gone(tmp_path: Path):
    write_file(tmp_path / "e.csv", EVENTS, event(precincts="45, 47, "))
    result = read("permitted_events", tmp_path)
    assert result.kept.row(0, named=True) == {
        "event_id": "611810",
        "starts_at": datetime(2022, 5, 5, 13),
        "ends_at": datetime(2022, 5, 5, 20),
        "starts_on": date(2022, 5, 5),
        "ends_on": date(2022, 5, 5),
        "event_type": "Special Event",
        "agency": "Parks Department",
        "borough": "BRONX",
        "precincts": [45, 47],
        "source_file": "e.csv",
        "source_row": 1,
        "pulled_on": date(2026, 3, 10),
    }


def test_the_three_layouts_give_the_same_rows(tmp_path: Path):
    write_file(tmp_path / "1.csv", EVENTS, event())
    write_file(
        tmp_path / "2.csv",
        "event_id,event_name,start_date_time,end_date_time,event_agency,event_type,event_borough,"
        "event_location,street_closure_type,community_board,police_precinct,event_street_side,"
        "event_date",
        f"611810,{NAME},2022-05-05 09:00:00,2022-05-05 16:00:00,Parks Department,Special Event,"
        'Bronx,A park,N/A,"28, ","45, ",,2022-05-05',
    )
    row = {"event_id": "611810", "event_name": NAME, "start_date_time": "2022-05-05T09:00:00.000",
           "end_date_time": "2022-05-05T16:00:00.000", "event_agency": "Parks Department",
           "event_type": "Special Event", "event_borough": "Bronx", "police_precinct": "45, "}  # fmt: skip
    write_file(tmp_path / "3.json.gz", json.dumps([row]))
    kept = read("permitted_events", tmp_path).kept
    assert kept.height == 3
    assert kept.drop("source_file").unique().height == 1


@pytest.mark.parametrize(
    ("row", "rule", "column"),
    [
        (event(number=""), "number_missing", "Event ID"),
        (event(start="05/35/2022 09:00:00 AM"), "start_date_unreadable", "Start Date/Time"),
        (event(start="05/05/0202 09:00:00 AM"), "start_before_2000", "Start Date/Time"),
        (event(end=""), "end_date_unreadable", "End Date/Time"),
        (event(end="05/05/2022 19:00:00 PM"), "time_unreadable", "End Date/Time"),
        (event(end="05/05/2022 08:59:59 AM"), "end_before_start", "End Date/Time"),
        (event(kind=""), "type_missing", "Event Type"),
        (event(precincts="45, MTN"), "precincts_not_a_list", "Police Precinct"),
    ],
)
def test_each_rule(tmp_path: Path, row: str, rule: str, column: str):
    write_file(tmp_path / "e.csv", EVENTS, event(), row, event())
    result = read("permitted_events", tmp_path)
    assert [found[:3] for found in broken_rules(result)] == [(2, rule, column)]
    assert result.kept["source_row"].to_list() == [1, 3]


def test_a_permit_for_the_future_and_a_missing_precinct_are_kept(tmp_path: Path):
    future = event(start="05/05/2030 09:00:00 AM", end="05/09/2030 04:00:00 PM", precincts="")
    write_file(tmp_path / "e.csv", EVENTS, future)
    kept = read("permitted_events", tmp_path).kept
    assert kept["ends_on"].to_list() == [date(2030, 5, 9)]
    assert kept["precincts"].to_list() == [[]]


@pytest.mark.real_data
@needs_real_files
def test_the_real_files_agree_with_second_engines():
    result = read("permitted_events", REAL_FILES)
    assert result.files["rows_read_count"].to_list() == [8501, 10_000]
    assert result.files["rows_quarantined_count"].to_list() == [0, 46]
    assert set(result.quarantined["rule"]) == {"end_before_start"}
    refused = duckdb.sql(
        f"SELECT count(*), count(*) FILTER (end_date_time::TIMESTAMP < start_date_time::TIMESTAMP) "
        f"FROM read_csv('{API_NAMES}', all_varchar = true)"
    ).fetchone()
    assert refused == (10_000, 46)
    with PRINTED.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    kept = result.kept.filter(source_file=f"events/{PRINTED.name}")
    lists = [[int(p) for p in row["Police Precinct"].split(",") if p.strip()] for row in rows]
    assert all(row["Police Precinct"].rstrip().endswith(",") for row in rows)
    assert kept["precincts"].to_list() == lists
    repeats = Counter(row["Event ID"] for row in rows)
    assert kept["event_id"].n_unique() == len(repeats) == 2437
    assert kept.filter(kept["ends_on"] > kept["starts_on"]).height > 0  # several days, one row
