from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest
from htrisk_dagster_tests.sources.nibrs_deliveries import (
    AGENCIES,
    REAL_NIBRS,
    agency,
    needs_real_nibrs,
    read_agencies,
)
from htrisk_dagster_tests.sources.published_files import broken_rules, write_file


def test_one_row_is_typed(tmp_path: Path):
    row = agency(2220, 2022, pub_agency_name="University of Connecticut:", population=0,
                 male_officer="65.0", female_officer="")  # fmt: skip
    write_file(tmp_path / "agencies.csv", AGENCIES, row)
    found = read_agencies(tmp_path).kept.row(0, named=True)
    assert (found["agency_id"], found["year"], found["agency"]) == (
        "2220",
        2022,
        "University of Connecticut",
    )
    assert (found["residents_count"], found["male_officers_count"]) == (0, 65)
    assert found["female_officers_count"] is None
    assert (found["county"], found["state"], found["agency_type"]) == ("TOLLAND", "CT", "City")


def test_rows_that_cannot_be_an_agency_are_refused(tmp_path: Path):
    write_file(
        tmp_path / "agencies.csv", AGENCIES, agency(1, 2022), agency(2, 22), agency(3, 2022, population=-1),
        agency(4, 2022, female_officer="five"), agency(5, 2022, pub_agency_name=""),
        agency(6, 2022, state_abbr="NY"), agency("7O", 2022), agency(8, 2090),
        agency(9, 2022, population=8_123_456_789), agency(10, 2022, male_officer=8_123_456_789),
        agency(11, 2022, county_name="45352"), agency(12, 2022, state_abbr="CTX"),
    )  # fmt: skip
    result = read_agencies(tmp_path)
    assert result.kept["agency_id"].to_list() == ["1"]
    assert result.files.select("rows_read_count", "rows_kept_count").row(0) == (12, 1)
    assert broken_rules(result) == [
        (2, "year_unreadable", "data_year", "22"),
        (3, "residents_unreadable", "population", "-1"),
        (4, "employees_unreadable", "female_officer", "five"),
        (5, "label_missing", "pub_agency_name", None),
        (7, "number_unreadable", "agency_id", "7O"),
        (8, "year_after_file", "data_year", "2090"),
        (9, "residents_too_many", "population", "8123456789"),
        (10, "employees_too_many", "male_officer", "8123456789"),
        (11, "label_without_letters", "county_name", "45352"),
        (12, "state_unreadable", "state_abbr", "CTX"),
        (6, "other_state", "STATE_ABBR", "NY"),
    ]


def test_an_agency_year_given_twice_is_that_of_the_newest_file(tmp_path: Path):
    write_file(tmp_path / "a.csv", AGENCIES, agency(1, 2022), agency(1, 2023))
    write_file(tmp_path / "b.csv", AGENCIES, agency(1, 2022, male_officer=99))
    kept = read_agencies(tmp_path).kept
    assert kept.select("year", "male_officers_count").sort("year").rows() == [
        (2022, 99),
        (2023, 20),
    ]


@pytest.mark.real_data
@needs_real_nibrs
def test_the_real_agencies_agree_with_a_second_engine():
    kept = read_agencies(REAL_NIBRS).kept
    sums = duckdb.sql(
        "SELECT CAST(data_year AS INTEGER), count(*), sum(CAST(population AS BIGINT)), "
        "sum(CAST(male_officer AS BIGINT)), sum(CAST(female_officer AS BIGINT)) "
        f"FROM read_csv('{REAL_NIBRS}/agencies_*.csv', union_by_name = true) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    ours = kept.group_by("year").agg(
        pl.len(), *(pl.col(f"{n}_count").sum() for n in ("residents", "male_officers", "female_officers"))
    )  # fmt: skip
    assert ours.sort("year").rows() == [tuple(int(v) for v in row) for row in sums]
    assert kept.filter(pl.col("agency_type") == "City").group_by("year").len()["len"].min() == 94
