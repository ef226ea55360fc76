"""Each fault of the surroundings ends well, and one that did not would be told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.faults import environment, full_disks, odd_days, set_clocks, silent_week
from htrisk_dagster.faults.ending import FAILED, GOOD_ENDS, SKIPPED, Ending, is_sentence, judged
from htrisk_dagster.sources import live
from htrisk_dagster.sources.page_files import MonthOfPages
from htrisk_dagster_tests.defs.conftest import city  # noqa: F401  # the city of the graph's tests
from htrisk_dagster_tests.defs.small_city import City


def bad(endings: list[Ending]) -> list[Ending]:
    return [e for e in endings if e.end not in GOOD_ENDS]


def test_odd_days_count_each_incident_once(tmp_path: Path):
    endings = list(odd_days.endings(tmp_path))
    assert bad(endings) == []
    assert [e.fault for e in endings] == list(odd_days.STRETCHES)


def test_the_hours_of_a_day_are_those_of_the_almanac():
    """US daylight saving in 2024: 10 March at 02:00 to 3 November at 02:00 (15 U.S.C. 260a)."""
    assert len(odd_days.hours_of(date(2024, 3, 10), date(2024, 3, 10))) == 23
    assert len(odd_days.hours_of(date(2024, 11, 3), date(2024, 11, 3))) == 25
    assert len(odd_days.hours_of(date(2024, 11, 4), date(2024, 11, 4))) == 24


def test_days_taken_in_utc_would_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(odd_days, "local_days", lambda instants, zone: instants.dt.date())
    ends = {e.end for e in odd_days.endings(tmp_path)}
    assert ends == {FAILED}


def test_a_clock_that_is_set_costs_no_report(tmp_path: Path):
    assert bad(list(set_clocks.endings(tmp_path))) == []


def test_a_month_cut_short_or_passed_for_done_would_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(MonthOfPages, "reaching_what_is_there", lambda month: month)
    back, ahead = set_clocks.endings(tmp_path / "a")
    assert (back.end, ahead.end) == (FAILED, ahead.end)
    assert "were lost while the clock was back" in back.came
    monkeypatch.undo()
    monkeypatch.setattr(live, "is_unsettled", lambda stop, asked_on, today: asked_on < today)
    back, ahead = set_clocks.endings(tmp_path / "b")
    assert ahead.end == FAILED
    assert "passed for done" in ahead.came


@pytest.mark.slow  # 10 s of CPU: four homes of Dagster on disks in trouble
def test_a_disk_that_is_full_or_read_only_is_told_and_caught_up_with(tmp_path: Path):
    endings = list(full_disks.endings(tmp_path))
    if [e.end for e in endings] == [SKIPPED]:
        pytest.skip(endings[0].came)
    assert bad(endings) == []
    assert len(endings) == 4


def test_where_the_system_gives_no_disk_of_its_own_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "")
    (ending,) = full_disks.endings(tmp_path)
    assert (ending.end, ending.came) == (
        SKIPPED, "This system gives no mount namespace (unshare -m, unshare -Urm).",
    )  # fmt: skip


@pytest.mark.extended  # 90 s of CPU: three stagings; `htrisk faults` takes the whole week
def test_a_site_that_was_silent_is_caught_up_with(city: City, tmp_path: Path):  # noqa: F811
    mornings = silent_week.SILENT[:2]
    assert bad([silent_week.silent_week(city.settings, tmp_path, mornings)]) == []


def test_the_part_tells_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    good = judged("rain", "it rained", "nothing got wet", [], GOOD_ENDS[0])
    wrong = judged("snow", "it snowed", "nothing got cold", ["it got cold"], GOOD_ENDS[0])
    monkeypatch.setattr(environment, "FAULTS", (lambda folder: [good, wrong],))
    said: list[str] = []
    result = environment.run_part(tmp_path, n=1, say=said.append)
    assert (result["cases"], result["failed"]) == (2, 1)
    assert result["failures"] == ["snow: it got cold"]
    assert len(said) == 2


def test_a_sentence_is_one_line_with_a_full_stop_and_no_error_number():
    assert is_sentence("The disk is full.")
    assert not is_sentence("")
    assert not is_sentence("[Errno 28] No space left on device.")
    assert not is_sentence("Two\nlines.")
