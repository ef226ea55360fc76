"""A month of pages is the old one or the new one, also after a real kill between two renames."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from htrisk_dagster.sources.file_content import files_below
from htrisk_dagster.sources.page_files import MonthOfPages, calendar_months
from hypothesis import given
from hypothesis import strategies as st

# Ends the process, without any clean-up, at the given call of Path.rename.
_KILLED = """
import os, sys
from datetime import date
from pathlib import Path
from htrisk_dagster.sources.file_content import files_below
from htrisk_dagster.sources.page_files import MonthOfPages

calls, rename = 0, Path.rename
def dies(self, target):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os._exit(9)
    return rename(self, target)
Path.rename = dies
month = MonthOfPages(Path(sys.argv[1]), "abcd-1234", date(2024, 3, 1), date(2024, 4, 1))
with month.replaced() as add:
    add([{"a": "new"}])
    add([{"b": "new"}])
"""


@pytest.mark.parametrize("at_rename", [1, 2])
def test_after_a_kill_while_the_months_change_places_the_old_month_is_back(
    tmp_path: Path, at_rename: int
) -> None:
    month = MonthOfPages(tmp_path / "got", "abcd-1234", date(2024, 3, 1), date(2024, 4, 1))
    with month.replaced() as add:
        add([{"a": "old"}])
    (old,) = month.finished()
    content = old.read_bytes()
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "got"), str(at_rename)], check=False
    )
    assert killed.returncode == 9
    # Below the folder that readers search there is never half a month.
    assert [p for p in (tmp_path / "got").rglob("*.json.gz") if p != old] == []
    assert month.finished() == [old]
    assert old.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["got"]


def test_older_pages_are_kept_where_they_differ_and_no_reader_finds_them(tmp_path: Path) -> None:
    month = MonthOfPages(tmp_path / "data/got", "abcd-1234", date(2024, 3, 1), date(2024, 4, 1))
    for day, value in ((1, "first"), (2, "second"), (3, "second"), (4, "third")):
        with month.replaced() as add:
            add([{"a": value}])
        noon = datetime(2024, 5, day, 12, tzinfo=UTC).timestamp()
        os.utime(month.finished()[0], (noon, noon))

    kept = {
        p.parent.name: json.loads(gzip.decompress(p.read_bytes()))[0]["a"]
        for p in month.superseded.rglob("*.json.gz")
    }
    assert kept == {
        "2024-05-01": "first",
        "2024-05-03": "second",
    }  # the page of the 2nd is that of the 3rd
    assert list(files_below(tmp_path / "data")) == month.finished()


@given(start=st.dates(date(1990, 1, 1), date(2060, 1, 1)), days=st.integers(1, 800))
def test_months_cover_every_day_of_the_window_once(start: date, days: int) -> None:
    stop = date.fromordinal(start.toordinal() + days)
    windows = list(calendar_months(start, stop))
    covered = [d for first, after in windows for d in range(first.toordinal(), after.toordinal())]
    assert covered == list(range(start.replace(day=1).toordinal(), stop.toordinal()))
    assert all(first.day == 1 for first, _ in windows)
    assert all(
        (date.fromordinal(after.toordinal() - 1)).month == first.month for first, after in windows
    )
