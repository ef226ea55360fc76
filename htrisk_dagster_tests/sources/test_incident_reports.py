"""A city's own file by the columns that its study area names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import intake, layouts
from htrisk_dagster.sources.declared_layouts import files_in, layouts_in
from htrisk_dagster.study_areas.area import StudyArea, load_area
from htrisk_dagster_tests.sources.published_files import write_file

DETROIT = load_area("detroit")
HEADER = (
    "incident_entry_id,nearest_intersection,offense_category,incident_occurred_at,police_precinct,"
    "longitude,latitude,victim_name"
)
ROW = "e1,A & B,ROBBERY,2024/03/01 04:30:00+00,'02,-83.05,'42.33,JANE DOE"


def read(folder: Path, area: StudyArea = DETROIT) -> intake.Intake:
    return intake.read(
        "incident_reports", folder, time_zone=area.time_zone, bounding_box=area.bounding_box,
        area=area,
    )  # fmt: skip


def changed(**columns: object) -> StudyArea:
    assert DETROIT.incident_file is not None
    file = DETROIT.incident_file.model_copy(update=columns)
    return DETROIT.model_copy(update={"incident_file": file})


def rows_with(column: int, *values: str) -> list[str]:
    fields = ROW.split(",")
    return [
        ",".join([f"e{i}", *fields[1:column], v, *fields[column + 1 :]])
        for i, v in enumerate(values)
    ]


def test_a_row_of_detroits_download_is_typed_and_nothing_of_a_person_is_kept(tmp_path):
    write_file(tmp_path / "RMS.csv", HEADER, ROW)
    (row,) = read(tmp_path).kept.iter_rows(named=True)
    assert row["report_id"] == "e1"
    # 04:30 in UTC is half past eleven of the day before.
    assert (row["occurred_on"], row["reported_on"]) == (date(2024, 2, 29),) * 2
    assert row["occurred_at"] == datetime(2024, 3, 1, 4, 30)
    assert (row["precinct"], row["lat"], row["lon"]) == (2, 42.33, -83.05)
    assert (row["offence"], row["offence_code"], row["borough"]) == ("ROBBERY", None, "DETROIT")
    assert "JANE" not in str(row)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        (3, "", "occurrence_date_unreadable"), (3, "2024/02/31 00:00:00+00", "occurrence_date_unreadable"),
        (3, "1899/01/01 00:00:00+00", "occurrence_before_2000"),
        (3, "2031/01/01 00:00:00+00", "occurrence_after_file"),
        (3, "2024/03/01 25:30", "time_unreadable"),
        (5, "west", "coordinate_not_a_number"), (6, "12.5", "point_outside_city"),
    ],
)  # fmt: skip
def test_each_rule_refuses_its_row_alone(tmp_path, column, value, rule):
    write_file(tmp_path / "RMS.csv", HEADER, *rows_with(column, value, ROW.split(",")[column]))
    result = read(tmp_path)
    assert result.kept["report_id"].to_list() == ["e1"]
    assert result.quarantined.select("rule", "source_row").rows() == [(rule, 1)]


def test_a_report_before_its_occurrence_is_refused_and_a_missing_one_is_at_once(tmp_path):
    area = changed(reported_at="reported", times_are="local")
    header = f"{HEADER},reported"
    good = ROW.replace("04:30:00+00", "04:30")
    write_file(tmp_path / "RMS.csv", header, f"{good},2024-02-28", f"{good},", f"{good},2024-03-09")
    result = read(tmp_path, area)
    assert result.quarantined["rule"].to_list() == ["report_before_occurrence"]
    assert result.kept["reported_on"].to_list() == [date(2024, 3, 1), date(2024, 3, 9)]


def test_without_a_number_equal_rows_stay_apart_and_two_copies_of_a_file_are_one(tmp_path):
    area = changed(id=None)
    for name in ("a", "b"):
        write_file(tmp_path / f"{name}.csv", HEADER, ROW, ROW.replace("e1", "e2"))
    kept = read(tmp_path, area).kept
    assert kept.height == 4
    assert kept["report_id"].n_unique() == 2


@pytest.mark.parametrize("unit", ["cell", "area"])
def test_an_unknown_area_is_refused_and_a_missing_one_is_not(tmp_path, unit):
    write_file(tmp_path / "RMS.csv", HEADER, *rows_with(4, "'02", "'77", ""))
    grid = DETROIT.grid.model_copy(update={"unit": unit})
    result = read(tmp_path, DETROIT.model_copy(update={"grid": grid}))
    assert result.kept["precinct"].to_list() == [2, None]
    assert result.quarantined.select("rule", "value").rows() == [("area_unknown", "77")]


def test_areas_that_nobody_lists_are_numbers_from_one(tmp_path):
    write_file(tmp_path / "RMS.csv", HEADER, *rows_with(4, "07", "North", "-2", ""))
    result = read(tmp_path, DETROIT.model_copy(update={"areas": {}}))
    assert result.kept["precinct"].to_list() == [7, None]
    assert result.quarantined.select("rule", "value").rows() == [
        ("area_unknown", "North"), ("area_unknown", "-2")
    ]  # fmt: skip


def test_a_number_that_a_spreadsheet_spoilt_is_refused(tmp_path):
    rows = [ROW.replace("e1", number, 1) for number in ("2.7E+08", '"1,2"', '"1,200"', "12E5")]
    write_file(tmp_path / "RMS.csv", HEADER, *rows)
    result = read(tmp_path)
    assert result.quarantined.select("rule", "value").rows() == [
        ("number_unreadable", "2.7E+08"), ("number_unreadable", "1,2")
    ]  # fmt: skip
    assert result.kept["report_id"].to_list() == ["1200", "12E5"]


def test_an_offence_is_in_words_where_the_citys_own_are(tmp_path):
    write_file(tmp_path / "RMS.csv", HEADER, *rows_with(2, "45352", "ROBBERY"))
    assert read(tmp_path).quarantined["rule"].to_list() == ["label_without_letters"]
    groups = {"all": DETROIT.offence_groups["robbery"].model_copy(update={"labels": ("45352",)})}
    numbered = DETROIT.model_copy(update={"offence_groups": groups})
    assert read(tmp_path, numbered).kept["offence"].to_list() == ["45352", "ROBBERY"]


def test_the_district_is_the_borough_else_the_areas_own_else_the_agency(tmp_path):
    write_file(tmp_path / "RMS.csv", f"{HEADER},agency,ward", f"{ROW},DPD,West", f"{ROW},DPD,")
    both = changed(agency="agency", district="ward")
    assert read(tmp_path, both).kept["borough"].to_list() == ["WEST", "DPD"]
    place = DETROIT.areas["2"].model_copy(update={"district": "River"})
    named = both.model_copy(update={"areas": {**DETROIT.areas, "2": place}})
    result = read(tmp_path, named).kept
    assert result["borough"].to_list() == ["WEST", "RIVER"]
    assert result["agency"].to_list() == ["DPD", "DPD"]


def test_columns_are_recognised_in_any_spelling_and_a_missing_one_is_named(tmp_path):
    path = write_file(tmp_path / "RMS.csv", HEADER.replace("_", " ").upper(), ROW)
    assert [p for p, _ in files_in(tmp_path, DETROIT, "incident_reports")] == [path]
    assert read(path).kept.height == 1  # a file instead of a folder
    write_file(path, HEADER.replace("offense_category", "kind"), ROW)
    with pytest.raises(SourceError, match="lacks the columns OFFENSE_CATEGORY"):
        read(tmp_path)


def test_an_area_without_columns_of_its_own_has_no_such_file(tmp_path):
    write_file(tmp_path / "RMS.csv", HEADER, ROW)
    nyc = load_area("nyc")
    assert files_in(tmp_path, nyc, "incident_reports") == []
    assert read(tmp_path, nyc).kept.is_empty()
    for table in layouts.LAYOUTS:
        assert layouts_in(nyc, table) == (layouts.LAYOUTS[table],)


def test_liquor_licences_are_places_of_a_category(tmp_path):
    write_file(tmp_path / "licences.csv", "dba,type,status,latitude,longitude",
               "Joe's,SDD,Active,42.35,-83.06", "Mo's,SDM,Active,,", day=date(2024, 5, 1))  # fmt: skip
    write_file(tmp_path / "places.csv", "category,lat,lon", "liquor_store,42.36,-83.07")
    result = intake.read(
        "places_of_interest", tmp_path, time_zone=DETROIT.time_zone,
        bounding_box=DETROIT.bounding_box, area=DETROIT,
    )  # fmt: skip
    assert result.kept.select("category", "lat").rows() == [
        ("liquor_store", 42.35),
        ("liquor_store", 42.36),
    ]
    assert result.quarantined["source_file"].to_list() == ["licences.csv"]
    assert "Joe" not in str(result.kept.rows())


@pytest.mark.real_data
def test_every_row_of_connecticuts_real_files_is_kept():
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "connecticut"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the FBI's merged files are needed")
    result = read(folder, load_area("connecticut"))
    assert (result.kept.height, result.quarantined.height) == (17_474 + 17_987, 0)
    # An independent count: 103 agencies in 2021, 102 in 2022, 105 in all.
    assert result.kept["precinct"].n_unique() == 105
    assert set(result.kept["occurred_on"].dt.year()) == {2021, 2022}
    hours = result.kept.select(
        pl.col("occurred_at")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("America/New_York")
        .dt.hour()
    )
    assert hours.to_series().n_unique() == 24
    assert datetime.now(UTC).date() >= result.kept["pulled_on"].max()
