from __future__ import annotations

import hashlib
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import raw
from htrisk_dagster.sources import intake, layouts
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster_tests.sources.published_files import (
    COMPLAINTS_24,
    EVENTS,
    REAL_FILES,
    SHOOTINGS,
    broken_rules,
    complaint,
    needs_real_files,
    read,
    set_day,
    write_file,
)
from hypothesis import given, settings
from hypothesis import strategies as st

PERSON = ("susp", "vic_", "perp", "event_name")
MONTHS = "Activity Period,Revenue Passenger Volume"


def shooting(number: int) -> str:
    return f'{number},9/9/2015,23:08:00,BRONX,47,"M,",40.88,-73.84'


def test_a_table_without_a_file_is_empty_and_typed(tmp_path: Path):
    for table in layouts.LAYOUTS:
        result = read(table, tmp_path)
        assert result.files.is_empty()
        assert result.quarantined.schema == raw.QUARANTINE.polars_schema()
        assert result.kept.is_empty()
        assert result.kept.width > 0


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(SourceError, match=r"no folder .*nowhere"):
        read("complaints", tmp_path / "nowhere")


def test_each_file_is_accounted_for(tmp_path: Path):
    write_file(tmp_path / "b.csv", SHOOTINGS)
    path = write_file(tmp_path / "a/one.csv", SHOOTINGS, shooting(1), "2,9/9/2015", shooting(3))
    files = read("shootings", tmp_path).files
    assert files.rows(named=True)[0] == {
        "source": "shootings",
        "source_file": "a/one.csv",
        "layout": "CSV, 8 columns",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "rows_read_count": 3,
        "rows_kept_count": 2,
        "rows_quarantined_count": 1,
        "first_on": date(2015, 9, 9),
        "last_on": date(2015, 9, 9),
        "columns": SHOOTINGS.split(","),
    }
    assert files.rows()[1][4:9] == (0, 0, 0, None, None)  # a day without an incident


def test_reading_again_later_gives_the_same(tmp_path: Path):
    write_file(tmp_path / "a.csv", SHOOTINGS, shooting(1), "bad", day=date(2020, 2, 2))
    first, second = read("shootings", tmp_path), read("shootings", tmp_path)
    assert first.kept.equals(second.kept)
    assert first.quarantined.equals(second.quarantined)
    assert set(first.kept["pulled_on"]) == {date(2020, 2, 2)}


def test_of_a_repeated_key_the_newest_file_is_kept(tmp_path: Path):
    write_file(tmp_path / "z.csv", MONTHS, "2021-01-01,1", "2021-02-01,2", day=date(2022, 1, 1))
    write_file(
        tmp_path / "a.csv", MONTHS, "2021-02-01,20", "2021-02-15,21", "x,9", "y,9",
        day=date(2023, 1, 1),
    )  # fmt: skip
    result = read("airport_passengers", tmp_path)
    assert result.kept.sort("month_on")["passengers_count"].to_list() == [1, 21]
    assert result.quarantined["source_file"].to_list() == ["a.csv", "a.csv", "a.csv", "z.csv"]
    assert broken_rules(result) == [
        (1, "repeated_key", "ACTIVITY_PERIOD", "2021-02-01"),
        (3, "period_date_unreadable", "Activity Period", "x"),
        (4, "period_date_unreadable", "Activity Period", "y"),
        (2, "repeated_key", "ACTIVITY_PERIOD", "2021-02-01"),
    ]
    assert result.files["rows_kept_count"].to_list() == [1, 1]


def test_the_default_box_is_new_yorks_own():
    assert load_area("nyc").bounding_box == intake.NEW_YORK


LINES = [shooting(i) for i in range(6)]
MARKS = st.sampled_from(['"', ",", "\n", '",', "\r", "é", "\0", "(null)", "0", "/", "x" * 90])
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 60), st.sampled_from(["insert", "cut", "drop"]), MARKS
    ),
    max_size=5,
)


def damaged(line: str, place: int, how: str, mark: str) -> str:
    if how == "insert":
        return line[:place] + mark + line[place:]
    return line[:place] if how == "cut" else line[:place] + line[place + 3 :]


@settings(max_examples=150)
@given(CHANGES)
def test_no_damage_loses_a_row_or_a_good_neighbour(tmp_path_factory, changes):
    lines = list(LINES)
    for number, place, how, mark in changes:
        lines[number] = damaged(lines[number], place, how, mark)
    folder = tmp_path_factory.mktemp("damaged")
    write_file(folder / "a.csv", SHOOTINGS, *lines)
    result = read("shootings", folder)
    read_count, kept_count, refused_count = result.files.select(pl.col("^rows_.*$")).row(0)
    assert read_count == kept_count + refused_count
    numbers = [*result.kept["source_row"], *result.quarantined["source_row"]]
    assert sorted(numbers) == list(range(1, read_count + 1))
    untouched = {str(i) for i, line in enumerate(lines) if line == LINES[i]}
    assert untouched <= set(result.kept["report_id"])


def cells(result: intake.Intake) -> str:
    """Everything a result holds, as one text."""
    frames = (result.kept, result.quarantined, result.files)
    return "\n".join(str(frame.rows()) for frame in frames)


def test_nothing_about_a_person_gets_through(tmp_path: Path):
    persons = "SUSP_RACE,VIC_SEX,VIC_AGE_GROUP,PERP_SEX"
    header = f"{persons},{COMPLAINTS_24}"
    rows = [complaint(), complaint(KY_CD="x"), "1,2"]
    write_file(tmp_path / "c.csv", header, *(f"CANARY,CANARY,CANARY,CANARY,{row}" for row in rows))
    write_file(tmp_path / "s.csv", SHOOTINGS, shooting(1).replace("M,", "CANARY"), "CANARY,M")
    write_file(tmp_path / "e.csv", EVENTS, "1,CANARY,5/5/2022,5/5/2022,P,T,Bronx,L,,,,", "1,CANARY",
               '1,"CANARY,5/5/2022')  # fmt: skip
    for table in ("complaints", "shootings", "permitted_events"):
        result = read(table, tmp_path)
        assert result.kept.height >= 1
        assert result.quarantined.height >= 1
        assert "CANARY" not in cells(result)


def test_no_raw_table_has_a_column_about_a_person():
    names = [column.lower() for table in raw.TABLES for column in table.column_names]
    assert len(names) > 60
    assert not [name for name in names if name.startswith(PERSON)]


@pytest.mark.real_data
@needs_real_files
def test_every_real_row_is_kept_or_quarantined_and_says_nothing_of_persons():
    published = ("BLACK HISPANIC", "WHITE HISPANIC", "ASIAN / PACIFIC", "Birthday Party")
    for table in layouts.LAYOUTS:
        result = read(table, REAL_FILES)
        counts = result.files.select(pl.col("^rows_.*$").sum())
        if result.files.height:
            read_count, kept_count, refused_count = counts.row(0)
            assert read_count == kept_count + refused_count
            assert refused_count == result.quarantined.height
        assert not [c for c in result.kept.columns if c.lower().startswith(PERSON)]
        texts = result.kept.select(pl.col(pl.String)).columns
        for text in texts:
            values = result.kept[text].fill_null("")
            assert not values.str.contains_any(published).any(), (table, text)


@pytest.mark.real_data
@needs_real_files
def test_two_hundred_thousand_rows_take_about_a_second():
    start = time.process_time()
    assert read("felonies", REAL_FILES).kept.height == 191_580
    assert time.process_time() - start < 4  # measured 1.05 s of CPU


def test_a_broken_row_keeps_its_number_in_the_account(tmp_path: Path):
    path = write_file(tmp_path / "c.csv", COMPLAINTS_24, complaint(), "1,2,3", complaint())
    set_day(path, date(2016, 1, 1))
    result = read("complaints", tmp_path)
    assert broken_rules(result) == [(2, "ragged_row", "whole row", "3 fields, the header has 24")]
    assert result.kept["source_row"].to_list() == [1, 3]
