from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from htrisk_dagster_tests.sources.published_files import (
    FELONIES,
    REAL_FILES,
    broken_rules,
    needs_real_files,
    read,
    write_file,
)

ROW = "10/02/2015 12:11:00 PM,Monday,GRAND LARCENY,B,25,40.80438,-73.93742"
REAL = REAL_FILES / "complaints/nypd_felonies_2014_2015_STHSL.csv.gz"


def test_one_row_is_typed(tmp_path: Path):
    write_file(tmp_path / "f.csv.gz", FELONIES, ROW)
    row = read("felonies", tmp_path).kept.row(0, named=True)
    assert row["occurred_at"] == datetime(2015, 10, 2, 16, 11)
    assert row["occurred_on"] == row["reported_on"] == date(2015, 10, 2)
    assert (row["offence"], row["law_category"], row["precinct"]) == ("GRAND LARCENY", "felony", 25)
    assert row["borough"] is None
    assert row["report_id"] == ("10/02/2015 12:11:00 PM|GRAND LARCENY|B|25|40.80438|-73.93742|1")


def test_equal_rows_are_numbered_and_reading_again_gives_the_same(tmp_path: Path):
    other = ROW.replace("B,25", "C,25")
    write_file(tmp_path / "f.csv", FELONIES, ROW, other, ROW, ROW)
    first = read("felonies", tmp_path)
    ends = [number.rsplit("|", 1)[1] for number in first.kept["report_id"]]
    assert ends == ["1", "1", "2", "3"]
    assert first.kept["report_id"].n_unique() == 4
    assert read("felonies", tmp_path).kept.equals(first.kept)


def test_a_copy_of_the_file_gives_the_same_numbers(tmp_path: Path):
    for name in ("a.csv", "b.csv"):
        write_file(tmp_path / name, FELONIES, ROW, ROW)
    kept = read("felonies", tmp_path).kept
    assert kept.height == 4
    assert kept["report_id"].n_unique() == 2  # staging keeps one row a number


def test_rows_without_a_day_or_an_offence_are_refused(tmp_path: Path):
    bad = [ROW.replace("10/02/2015", "10/32/2015"), ROW.replace("GRAND LARCENY", ""),
           ROW.replace("12:11", "12:61"), ROW.replace(",25,", ",25th,")]  # fmt: skip
    write_file(tmp_path / "f.csv", FELONIES, *bad, ROW)
    result = read("felonies", tmp_path)
    assert [found[:3] for found in broken_rules(result)] == [
        (1, "occurrence_date_unreadable", "Occurrence Date"),
        (2, "offence_missing", "Offense"),
        (3, "time_unreadable", "Occurrence Date"),
        (4, "code_not_a_number", "Precinct"),
    ]
    assert result.kept["source_row"].to_list() == [5]


@pytest.mark.real_data
@needs_real_files
def test_the_real_file_agrees_with_a_second_engine():
    kept = read("felonies", REAL_FILES).kept
    table = f"read_csv('{REAL}', all_varchar = true)"
    when = "strptime(\"Occurrence Date\", '%m/%d/%Y %I:%M:%S %p')"
    by_day = duckdb.sql(
        f"SELECT CAST({when} AS DATE) AS occurred_on, Offense AS offence, count(*) AS n "
        f"FROM {table} GROUP BY ALL ORDER BY ALL"
    ).pl()
    found = kept.group_by("occurred_on", "offence").agg(pl.len().cast(pl.Int64).alias("n"))
    assert found.sort("occurred_on", "offence").equals(by_day)
    assert kept.height == 191_580
    distinct = duckdb.sql(f"SELECT count(*) FROM (SELECT DISTINCT * FROM {table})").fetchone()
    assert distinct == (191_580 - 2_703,)
    is_repeat = ~kept["report_id"].str.ends_with("|1")
    assert is_repeat.sum() == 2_703
    assert kept["report_id"].n_unique() == 191_580
    assert kept["occurred_on"].n_unique() == 730
