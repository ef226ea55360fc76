"""A clock that was set back, and one that had run ahead, under the fetching of reports.

Belongs here: pulls of a month on days that do not follow each other. Does not: what a month of pages
is (`sources/page_files`), days of 23 or 25 hours (`odd_days`).

Nothing that was made is judged by the clock: partitions are told apart by fingerprints, and Dagster
takes the order of its history from its numbering. Only a live site is asked by the clock: up to which
day, and whether again.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from htrisk_dagster.faults.ending import CAUGHT_UP, Ending, judged
from htrisk_dagster.faults.small_site import SmallSite, serving
from htrisk_dagster.sources import live

_DATA_SET = "5uac-w243"
_APRIL = (date(2024, 4, 1), date(2024, 4, 30))
Pull = Callable[[date, str], set[str]]


def endings(folder: Path) -> Iterable[Ending]:
    """Try both clocks in `folder`."""
    with serving(SmallSite({_DATA_SET: _reports()}, date(2024, 4, 10))) as site:
        yield _set_back(site, _puller(site, folder / "back"))
        yield _was_ahead(site, _puller(site, folder / "ahead"))


def _reports() -> list[dict[str, str]]:
    """Three reports a day in April."""
    days = [_APRIL[0] + timedelta(days=i) for i in range(30)]
    return [
        {"cmplnt_num": f"{day:%d}{k}", "rpt_dt": f"{day}T00:00:00.000"}
        for day in days
        for k in "abc"
    ]


def _puller(site: SmallSite, folder: Path) -> Pull:
    def pull(today: date, name: str) -> set[str]:
        """Fetch April as of a day by the clock; give the numbers of the reports that are there."""
        into = live.fetch(
            "complaints", *_APRIL, into=folder / name, app_token=None, say=lambda _: None,
            today=today, base_url=site.url,
        )  # fmt: skip
        for path in into.rglob("*.json.gz"):
            _dated(path, today)
        pages = (json.loads(gzip.decompress(p.read_bytes())) for p in into.rglob("*.json.gz"))
        return {row["cmplnt_num"] for page in pages for row in page}

    return pull


def _dated(path: Path, today: date) -> None:
    """Give a page that was written now the date that the clock would have given it."""
    now = datetime.now(UTC).timestamp()
    if now - path.stat().st_mtime < 3600:
        noon = datetime.combine(today, time(12), UTC).timestamp()
        os.utime(path, (noon, noon))


def _set_back(site: SmallSite, pull: Pull) -> Ending:
    wrong = []
    site.released_until = date(2024, 4, 10)
    before = pull(date(2024, 4, 10), "disturbed")
    site.released_until = date(2024, 4, 11)
    while_back = pull(date(2024, 4, 8), "disturbed")
    if lost := before - while_back:
        wrong.append(f"{len(lost)} reports were lost while the clock was back")
    site.released_until = date(2024, 4, 12)
    after = pull(date(2024, 4, 12), "disturbed")
    undisturbed = pull(date(2024, 4, 12), "undisturbed")
    if after != undisturbed:
        wrong.append(f"{len(undisturbed - after)} reports are missing after it was right again")
    came = (
        f"{len(before)} reports before, {len(while_back)} while it was back, {len(after)} after, as many "
        "as without it"
    )
    done = "a month fetched on 10, 8 and 12 April"
    return judged("clock set back two days", done, came, wrong, CAUGHT_UP)


def _was_ahead(site: SmallSite, pull: Pull) -> Ending:
    wrong = []
    site.released_until = date(2024, 4, 10)
    ahead = pull(date(2025, 4, 10), "disturbed")
    site.released_until = date(2024, 4, 12)
    after = pull(date(2024, 4, 12), "disturbed")
    undisturbed = pull(date(2024, 4, 12), "undisturbed")
    if after != undisturbed:
        wrong.append(
            f"the month passed for done: {len(undisturbed - after)} reports are missing after it"
        )
    came = f"{len(ahead)} reports by the wrong clock, {len(after)} by the right one, as many as without"
    done = "a month fetched in 2025, then in 2024"
    return judged("clock a year ahead, then right", done, came, wrong, CAUGHT_UP)
