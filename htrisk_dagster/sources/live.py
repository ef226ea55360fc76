"""The live origin: which data sets make a raw table, and which months must be asked again.

Belongs here: one call that brings a raw table's files up to date in a folder. Does not: requests
(`socrata`), the data sets themselves (`nyc_open_data`), reading the files (`intake`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.nyc_open_data import BOUNDARIES, DATED, DatedDataSet
from htrisk_dagster.sources.page_files import MonthOfPages, calendar_months
from htrisk_dagster.sources.socrata import SocrataClient

TABLES = (*DATED, *BOUNDARIES)
# Publishers release by quarter and amend for a while: a month asked for less than this after its
# end may have gained rows since.
SETTLED_AFTER_DAYS = 100


def fetch(
    table: str,
    start: date,
    end: date,
    *,
    into: Path,
    app_token: str | None,
    say: Callable[[str], None],
    today: date | None = None,
    base_url: str | None = None,
) -> Path:
    """Bring the files of one raw table up to date; return their folder, `<into>/<table>`.

    Parameters
    ----------
    table : str
        Raw table. One that no site publishes gets an empty folder, for files brought by hand.
    start, end : date
        First and last day, both included; whole months are asked for, none after today.
    into : Path
        Folder of all tables.
    app_token : str, optional
        Sent to the site; without one it answers more slowly.
    say : callable
        Takes one line of progress.
    today : date, optional
        Day of the request, UTC; now if not given.
    base_url : str, optional
        Another site with the same data sets, such as a mirror.

    Raises
    ------
    SourceError
        Where the range is empty, or a site refuses or does not recover. Finished months stay.
    """
    if end < start:
        raise SourceError(f"Nothing can be fetched from {start} to {end}: the end lies before.")
    folder = into / table
    folder.mkdir(parents=True, exist_ok=True)
    now = today or datetime.now(UTC).date()
    for data_set in DATED.get(table, ()):
        with SocrataClient(base_url or data_set.base_url, app_token) as client:
            stop = min(end, now) + timedelta(days=1)
            for month_start, month_stop in calendar_months(start, stop):
                _fetch_month(client, data_set, month_start, month_stop, folder, now, say)
    boundary = BOUNDARIES.get(table)
    if boundary and not any(folder.glob("*.geojson.gz")):
        say(f"{boundary.title}: asking {boundary.base_url}/d/{boundary.dataset_id}")
        with SocrataClient(base_url or boundary.base_url, app_token) as client:
            client.download_geojson(boundary.dataset_id, folder)
    return folder


def _fetch_month(
    client: SocrataClient,
    data_set: DatedDataSet,
    start: date,
    stop: date,
    folder: Path,
    today: date,
    say: Callable[[str], None],
) -> None:
    month = MonthOfPages(folder, data_set.dataset_id, start, stop).reaching_what_is_there()
    have = month.finished()
    is_stale = bool(have) and is_unsettled(stop, _day_written(have[0]), today)
    if have and not is_stale:
        return
    rows = 0

    def count(new: int) -> None:
        nonlocal rows
        rows += new
        say(f"{data_set.title} {start:%Y-%m}: {rows} rows")

    client.download(
        data_set.dataset_id,
        date_column=data_set.date_column,
        start=start,
        stop=month.stop,
        into=folder,
        refresh=is_stale,
        progress=count,
    )


def is_unsettled(stop: date, asked_on: date, today: date) -> bool:
    """Whether a month that ends before `stop`, asked for on `asked_on`, should be asked again.

    A day that lies ahead was told by a wrong clock: nobody knows what the month held then.
    """
    settled_on = stop + timedelta(days=SETTLED_AFTER_DAYS)
    return asked_on > today or (asked_on < today and asked_on < settled_on)


def _day_written(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
