from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from htrisk_dagster.sources import intake
from htrisk_dagster_tests.sources.published_files import (
    COMPLAINTS_24,
    REAL_FILES,
    broken_rules,
    complaint,
    needs_real_files,
    read,
    write_file,
)

FOLDER = REAL_FILES / "complaints"
COLUMNS_24 = FOLDER / "nypd_complaint_historic_24col_2days2015_cunyauthor.csv"
COLUMNS_35 = FOLDER / "nypd_complaint_historic_35col_random2000_samado.csv"
COLUMNS_36 = FOLDER / "nypd_complaint_ytd2025_36col_quoted_lugisz.csv"


def test_one_row_is_typed(tmp_path: Path):
    write_file(tmp_path / "a.csv", COMPLAINTS_24, complaint())
    row = read("complaints", tmp_path).kept.row(0, named=True)
    assert row == {
        "report_id": "1",
        "occurred_at": datetime(2016, 1, 1, 4, 45),
        "occurred_on": date(2015, 12, 31),
        "reported_on": date(2015, 12, 31),
        "offence_code": 113,
        "offence_detail_code": 729,
        "offence": "FORGERY",
        "law_category": "felony",
        "borough": "BRONX",
        "precinct": 44,
        "lon": -73.916661142,
        "lat": 40.828848333,
        "source_file": "a.csv",
        "source_row": 1,
        "pulled_on": date(2026, 3, 10),
    }


@pytest.mark.parametrize(
    ("values", "rule", "column"),
    [
        ({"CMPLNT_NUM": ""}, "number_missing", "CMPLNT_NUM"),
        ({"CMPLNT_FR_DT": ""}, "occurrence_date_unreadable", "CMPLNT_FR_DT"),
        ({"CMPLNT_FR_DT": "02/30/2015"}, "occurrence_date_unreadable", "CMPLNT_FR_DT"),
        ({"CMPLNT_FR_DT": "10/11/1919"}, "occurrence_before_2000", "CMPLNT_FR_DT"),
        ({"CMPLNT_FR_DT": "1018-05-05T00:00:00.000"}, "occurrence_before_2000", "CMPLNT_FR_DT"),
        ({"CMPLNT_FR_DT": "01/01/2090"}, "occurrence_after_file", "CMPLNT_FR_DT"),
        ({"CMPLNT_FR_TM": "noon"}, "time_unreadable", "CMPLNT_FR_TM"),
        ({"RPT_DT": "(null)"}, "report_date_unreadable", "RPT_DT"),
        ({"RPT_DT": "03/12/2026"}, "report_after_file", "RPT_DT"),
        ({"RPT_DT": "12/30/2015"}, "report_before_occurrence", "RPT_DT"),
        ({"KY_CD": "1O9"}, "code_not_a_number", "KY_CD"),
        ({"PD_CD": "7.5"}, "code_not_a_number", "PD_CD"),
        ({"ADDR_PCT_CD": "UNKNOWN"}, "code_not_a_number", "ADDR_PCT_CD"),
        ({"LAW_CAT_CD": "CRIME"}, "law_category_unknown", "LAW_CAT_CD"),
        ({"Latitude": "north"}, "coordinate_not_a_number", "Latitude"),
        ({"Longitude": "-76.78"}, "point_outside_city", "Longitude"),
        ({"Latitude": "0"}, "point_outside_city", "Latitude"),
    ],
)
def test_each_rule_refuses_its_row_and_spares_the_neighbours(tmp_path, values, rule, column):
    good = complaint(CMPLNT_NUM="2")
    write_file(tmp_path / "a.csv", COMPLAINTS_24, good, complaint(**values), good)
    result = read("complaints", tmp_path)
    assert [found[:3] for found in broken_rules(result)] == [(2, rule, column)]
    shown = broken_rules(result)[0][3]
    assert shown == (None if values[column] in {"", "(null)"} else values[column])
    assert result.kept["source_row"].to_list() == [1, 3]


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        ({"CMPLNT_NUM": "522,575,447.0"}, "report_id", "522575447"),
        ({"KY_CD": "113.0"}, "offence_code", 113),
        ({"PD_CD": "1,729"}, "offence_detail_code", 1729),
        ({"ADDR_PCT_CD": "75.0"}, "precinct", 75),
        ({"BORO_NM": "(null)"}, "borough", None),
        ({"LAW_CAT_CD": "NA"}, "law_category", None),
        ({"Latitude": "0", "Longitude": "0"}, "lat", None),
        ({"Latitude": ""}, "lon", None),
        ({"CMPLNT_FR_DT": "1/2/2000"}, "occurred_on", date(2000, 1, 2)),
        ({"CMPLNT_FR_TM": "24:00:00"}, "occurred_at", datetime(2016, 1, 1, 4, 59, 59)),
        ({"CMPLNT_FR_TM": ""}, "occurred_at", datetime(2015, 12, 31, 5)),
        ({"RPT_DT": "03/11/2026"}, "reported_on", date(2026, 3, 11)),
    ],
)
def test_odd_but_good_values_are_kept(tmp_path: Path, values, column, expected):
    write_file(tmp_path / "a.csv", COMPLAINTS_24, complaint(**values))
    result = read("complaints", tmp_path)
    assert broken_rules(result) == []
    assert result.kept[column].to_list() == [expected]


def test_api_rows_lack_keys_and_give_the_point_in_two_shapes(tmp_path: Path):
    row = {"cmplnt_num": "9", "cmplnt_fr_dt": "2006-08-29T00:00:00.000", "cmplnt_fr_tm": "13:00:00",
           "rpt_dt": "2006-08-30T00:00:00.000", "addr_pct_cd": "43", "law_cat_cd": "VIOLATION",
           "ofns_desc": "HARRASSMENT 2", "boro_nm": "BRONX", "latitude": "40.82", "longitude": "-73.87",
           "vic_sex": "SECRET"}  # fmt: skip
    shapes = [{"lat_lon": {"type": "Point", "coordinates": [-73.87, 40.82]}},
              {"lat_lon": {"latitude": "40.82", "longitude": "-73.87"}}]  # fmt: skip
    write_file(tmp_path / "p.json", json.dumps([row | shape for shape in shapes]))
    kept = read("complaints", tmp_path).kept
    assert kept["lat"].to_list() == [40.82, 40.82]
    assert kept["offence_code"].to_list() == [None, None]
    assert kept["occurred_at"].to_list() == [datetime(2006, 8, 29, 17)] * 2


@pytest.fixture(scope="module")
def real() -> intake.Intake:
    return read("complaints", REAL_FILES)


def _of(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    return frame.filter(pl.col("source_file") == f"complaints/{path.name}")


def _sql(path: Path, select: str) -> tuple[object, ...]:
    row = duckdb.sql(f"SELECT {select} FROM read_csv('{path}', all_varchar = true)").fetchone()
    assert row is not None
    return row


@pytest.mark.real_data
@needs_real_files
def test_real_files_are_accounted_for(real: intake.Intake):
    counts = real.files.select(
        "layout", "rows_read_count", "rows_kept_count", "rows_quarantined_count"
    ).rows()
    assert counts == [
        ("CSV, 24 columns", 2464, 2464, 0),
        ("CSV, 35 columns", 2000, 1998, 2),
        ("CSV, 36 columns", 1862, 1862, 0),
        ("JSON", 1, 1, 0),
        ("JSON", 1000, 1000, 0),
    ]
    by_duckdb = [_sql(path, "count(*)")[0] for path in (COLUMNS_24, COLUMNS_35, COLUMNS_36)]
    by_json = [
        len(json.loads((FOLDER / name).read_text()))
        for name in ("soda_nypd_complaint_ytd_2026_1row.json", "soda_qgea-i56i_1000rows.json")
    ]
    assert real.files["rows_read_count"].to_list() == by_duckdb + by_json


@pytest.mark.real_data
@needs_real_files
def test_the_1919_date_and_the_point_outside_the_city_are_refused(real: intake.Intake):
    assert broken_rules(real) == [
        (1001, "occurrence_before_2000", "CMPLNT_FR_DT", "10/11/1919"),
        (1065, "point_outside_city", "Longitude", "-76.781658153"),
    ]
    assert _sql(COLUMNS_35, "count(*) FILTER (CMPLNT_FR_DT LIKE '%/1919'), "
                "count(*) FILTER (Longitude::DOUBLE < -74.3)") == (1, 1)  # fmt: skip


@pytest.mark.real_data
@needs_real_files
def test_rows_without_coordinates_are_kept_without_a_place(real: intake.Intake):
    assert _of(real.kept, COLUMNS_24)["lon"].null_count() == 123
    assert _sql(COLUMNS_24, "count(*) FILTER (Longitude IS NULL)") == (123,)
    zeros = _sql(COLUMNS_36, "count(*) FILTER (Latitude::DOUBLE = 0)")
    assert zeros == (7,)
    assert _of(real.kept, COLUMNS_36)["lat"].null_count() == 7


@pytest.mark.real_data
@needs_real_files
def test_null_strings_and_floats_are_read(real: intake.Intake):
    assert _sql(COLUMNS_36, "count(*) FILTER (BORO_NM = '(null)')") == (3,)
    assert _of(real.kept, COLUMNS_36)["borough"].null_count() == 3
    total = "sum(PD_CD::DOUBLE)::BIGINT, sum(ADDR_PCT_CD::DOUBLE)::BIGINT"
    lines = _sql(COLUMNS_35, f"{total}, count(*) FILTER (ADDR_PCT_CD LIKE '%.0')")
    both = pl.read_csv(COLUMNS_35, infer_schema=False)[[1000, 1064]]  # the two refused rows
    refused = both.select(pl.col("PD_CD", "ADDR_PCT_CD").cast(pl.Float64).sum()).row(0)
    kept = _of(real.kept, COLUMNS_35).select("offence_detail_code", "precinct").sum().row(0)
    assert (kept[0] + refused[0], kept[1] + refused[1]) == lines[:2]
    assert lines[2] == 2000


@pytest.mark.real_data
@needs_real_files
def test_an_occurrence_years_before_its_report_is_kept(real: intake.Intake):
    longest = (pl.col("reported_on") - pl.col("occurred_on")).dt.total_days().max()
    assert _of(real.kept, COLUMNS_36).select(longest).item() == 3194
