from __future__ import annotations

from pathlib import Path

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.unread_files import unread_files
from htrisk_dagster_tests.sources.published_files import (
    REAL_FILES,
    SHOOTINGS,
    needs_real_files,
    write_file,
)


def test_a_file_that_no_table_takes_is_named_with_the_nearest_table(tmp_path: Path):
    write_file(tmp_path / "good.csv", SHOOTINGS)
    write_file(tmp_path / "renamed.csv", "INCIDENT_KEY,DAY,TIME,BORO,PCT")
    write_file(tmp_path / "empty.csv")
    write_file(tmp_path / "sheet.xlsx", "PK")
    write_file(tmp_path / "notes.md", "no data")
    write_file(tmp_path / ".half.csv", "A,B")

    found = {file.path.name: file.sentence for file in unread_files(tmp_path)}

    assert list(found) == ["empty.csv", "renamed.csv", "sheet.xlsx"]
    assert found["renamed.csv"].endswith(
        "its columns are INCIDENT_KEY, DAY, TIME, BORO, PCT; nearest is shootings, with 2 of its 7."
    )
    assert "names no column" in found["empty.csv"]
    assert [file.nearest for file in unread_files(tmp_path)] == [None, "shootings", None]
    assert "is not read: only .csv" in found["sheet.xlsx"]


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_other_separators_are_named(tmp_path: Path, mark: str, word: str):
    write_file(tmp_path / "a.csv", SHOOTINGS.replace(",", mark))
    with pytest.raises(SourceError, match=f"a file of shootings, but .*separated by {word}"):
        unread_files(tmp_path)


@pytest.mark.real_data
@needs_real_files
def test_of_the_real_files_those_without_a_table_are_unread():
    assert [file.path.name for file in unread_files(REAL_FILES)] == [
        "data_dictionary_2023.csv.gz",
        "nypd_complaints_weekly_by_precinct_offense_2006_2024.parquet",
        "weather_central_park_daily_TZgroup4.csv",
        "nybb_16a.zip",
        "nyc_airport_daily_departures_2013_nycflights13.csv",
    ]
