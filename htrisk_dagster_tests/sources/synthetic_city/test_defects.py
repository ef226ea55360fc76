from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.sources.intake import NEW_YORK, Intake, read
from htrisk_dagster.sources.synthetic_city import PRESETS, write_city
from htrisk_dagster.sources.synthetic_city.defects import (
    RENAMES,
    Defects,
    amended_offence,
    with_clock_changes,
)
from htrisk_dagster.sources.synthetic_city.offences import OFFENCES

from .conftest import SEED, City

LATER = "NYPD_Complaint_Data_Later.csv"
ALL_ROWS = ["report_id", "occurred_on", "reported_on"]


def complaints(folder: Path) -> Intake:
    return read("complaints", folder, time_zone="America/New_York", bounding_box=NEW_YORK)


def defective(folder: Path, **defects: Any) -> Intake:
    write_city(folder, replace(PRESETS["tiny"], defects=Defects(**defects)), SEED)
    return complaints(folder)


@pytest.fixture(scope="module")
def sound(city: City) -> Intake:
    return complaints(city.folder)


def test_exact_duplicates_are_kept_and_one_number_is_one_incident(
    tmp_path: Path, sound: Intake
) -> None:
    found = defective(tmp_path / "city", duplicates_per_million=20_000)
    repeated = found.kept.height - sound.kept.height
    assert repeated == pytest.approx(0.02 * 61_000, rel=0.02)
    assert set(found.kept["report_id"]) == set(sound.kept["report_id"])
    # A repeated row differs in its place in the file only, so it does not matter which is kept.
    content = [c for c in found.kept.columns if c not in ("source_row", "source_file")]
    in_a_file = found.kept.filter(pl.col("source_file").str.contains("Historic"))
    assert in_a_file.unique(content).height == in_a_file["report_id"].n_unique()


def test_renames_of_2024_leave_codes_and_groups_as_they_were(tmp_path: Path, sound: Intake) -> None:
    found = defective(tmp_path / "city", has_renames=True)
    assert found.quarantined.height == sound.quarantined.height
    columns = ["report_id", "offence_code", "offence_detail_code", "precinct"]
    assert found.kept.select(columns).equals(sound.kept.select(columns))
    new = found.kept.filter(pl.col("reported_on") >= date(2024, 1, 1))
    old = found.kept.filter(pl.col("reported_on") < date(2024, 1, 1))
    assert set(RENAMES) & set(old["offence"])
    assert not set(RENAMES) & set(new["offence"])
    assert {"KIDNAPPING", "PROSTITUTION"} < set(new["offence"])


def test_a_month_that_comes_later_is_there_once_its_file_is(tmp_path: Path, sound: Intake) -> None:
    found = defective(tmp_path / "city", late_month=date(2024, 2, 1))
    rows, sound_rows = (i.kept.select(ALL_ROWS).unique().sort(ALL_ROWS) for i in (found, sound))
    assert rows.equals(sound_rows)
    later = tmp_path / "city" / "complaints" / LATER
    in_later = found.kept.filter(source_file=f"complaints/{LATER}")
    assert in_later.height > 5_000
    assert in_later["reported_on"].is_between(date(2024, 2, 1), date(2024, 2, 29)).all()
    # A month later than the other files, so that whoever reads it knows when it came.
    assert set(in_later["pulled_on"]) == {date(2024, 6, 1)}
    later.unlink()
    early = complaints(tmp_path / "city").kept
    missing = early.filter(pl.col("reported_on").is_between(date(2024, 2, 1), date(2024, 2, 29)))
    assert missing.height == 0
    assert early.height == found.kept.height - in_later.height


def test_hours_that_do_not_exist_or_exist_twice_keep_their_day(
    tmp_path: Path, sound: Intake
) -> None:
    found = defective(tmp_path / "city", has_clock_changes=True)
    assert found.quarantined.height == sound.quarantined.height
    assert found.kept.select(ALL_ROWS).equals(sound.kept.select(ALL_ROWS))
    assert found.kept["occurred_at"].null_count() == 0
    spring = found.kept.filter(occurred_on=date(2024, 3, 10)).unique("report_id")
    autumn = found.kept.filter(occurred_on=date(2023, 11, 5)).unique("report_id")
    # 02:30 does not exist on 10 March and is read as 03:30, UTC-4; 01:30 of 5 November is read as
    # the first, UTC-4.
    assert (spring["occurred_at"].dt.strftime("%H:%M") == "07:30").sum() > 10
    assert (autumn["occurred_at"].dt.strftime("%H:%M") == "05:30").sum() > 10
    assert spring["occurred_at"].dt.hour().is_in([4, 5, 6]).sum() == 0


def test_clock_changes_by_hand() -> None:
    days = np.arange("2024-03-08", "2024-03-13", dtype="datetime64[D]")
    occurred = np.array([1, 2, 2, 3])
    minute = np.array([30, 30, 240, 30])
    assert with_clock_changes(minute, occurred, days).tolist() == [30, 150, 240, 30]


def test_amended_rows_come_last_under_the_same_number(tmp_path: Path, sound: Intake) -> None:
    found = defective(tmp_path / "city", amended_per_thousand=20)
    amended = found.kept.filter(source_file=f"complaints/{LATER}")
    assert amended.height == pytest.approx(0.02 * 30_000, rel=0.05)
    assert amended["report_id"].n_unique() == amended.height
    both = amended.join(sound.kept.unique("report_id"), on="report_id", suffix="_before")
    assert both.height == amended.height
    changed = (both["offence_code"] != both["offence_code_before"]) | (
        both["offence_detail_code"] != both["offence_detail_code_before"]
    )
    assert changed.all()
    assert (both["occurred_at"] == both["occurred_at_before"]).all()
    # Staging keeps the row that was pulled last: the amended one.
    assert (both["pulled_on"] > both["pulled_on_before"]).all()


def test_amended_offence_is_another_of_its_family() -> None:
    before = np.arange(len(OFFENCES))
    after = amended_offence(before)
    assert (after != before).all()
    assert all(OFFENCES[a].family == OFFENCES[b].family for a, b in zip(after, before, strict=True))


def test_sound_city_has_no_later_file(city: City) -> None:
    assert not (city.folder / "complaints" / LATER).exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"late_month": date(2024, 2, 2)}, "first day"),
        ({"amended_per_thousand": 1001}, "between 0 and 1000"),
        ({"duplicates_per_million": -1}, "must not be negative"),
    ],
)
def test_impossible_defects_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Defects(**wrong)
