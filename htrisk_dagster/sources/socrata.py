"""Client for Socrata's open-data API (SODA 2.1), the platform of NYC Open Data and data.ny.gov.

Belongs here: queries, paging, and the check that no row is lost or repeated. Does not: the single
request and its retries (`socrata_site`), which data sets there are (`nyc_open_data`), the layout of
the files (`page_files`), reading them into tables.

API: https://dev.socrata.com/docs/queries, /docs/paging, /docs/system-fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.json_site import retrying_caller
from htrisk_dagster.sources.page_files import (
    MonthOfPages,
    Row,
    calendar_months,
    without_persons,
    write_json_gz,
)
from htrisk_dagster.sources.socrata_site import SocrataSite

_PASSES = 3  # over a month that changes while it is read
_DATASET_ID = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")
_COLUMN = re.compile(r"[a-z][a-z0-9_]*")


class DataSetChangedError(SourceError):
    """The publisher changed a data set while it was being read; another pass may go well."""


class SocrataClient:
    """Reads data sets of one Socrata site; a context manager over its connections.

    Parameters
    ----------
    base_url : str
        Site, such as `https://data.cityofnewyork.us`; nothing else is contacted.
    app_token : str, optional
        Sent as `X-App-Token`; never written to a log or a message.
    page_size : int
        Rows asked for at once.
    timeout_s, attempts, max_wait_s
        See `SocrataSite`.

    Raises
    ------
    SourceError
        Where the address or the token cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        app_token: str | None = None,
        *,
        page_size: int = 50_000,
        timeout_s: float = 60.0,
        attempts: int = 8,
        max_wait_s: float = 60.0,
    ) -> None:
        self._site = SocrataSite(
            base_url, app_token, timeout_s=timeout_s, attempts=attempts, max_wait_s=max_wait_s
        )
        self._page_size = page_size
        self._passing = retrying_caller(_PASSES, max_wait_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._site.close()

    def pages(
        self, dataset_id: str, *, date_column: str, start: date, stop: date
    ) -> Iterator[list[Row]]:
        """Rows with `start <= date_column < stop`, page by page, each row once.

        Pages follow the system field `:id`: each asks for the rows after the last one seen. With
        `$offset` a row inserted or deleted between two requests shifts all later ones, so that a
        row repeats or is lost at the page boundary. `:id` is opaque: the server orders and compares
        it, this side only tells equal from unequal. Pages end when the count asked beforehand is
        reached, not at a short page, which a server may send at will.

        Yields
        ------
        list of dict
            A page of rows, without system fields and columns about persons.

        Raises
        ------
        DataSetChangedError
            At the end, where the count before, the rows got and the count after differ.
        SourceError
            Where the site refuses, does not recover, repeats an `:id` or answers in another shape.
        """
        about, window = self._window(dataset_id, date_column, start, stop)
        expected = self._count(dataset_id, {"$where": window}, about)
        seen: set[str] = set()
        after = ""
        while len(seen) < expected:
            query = {
                "$select": "*,:id",  # SoQL wants the star before named columns
                "$where": window + after,
                "$order": ":id",
                "$limit": str(self._page_size),
            }
            rows = self._rows(dataset_id, query, about)
            if not rows:
                break
            for row in rows:
                _mark_seen(row, seen, about)
            last = rows[-1][":id"].replace("'", "''")
            after = f" AND :id > '{last}'"
            yield [without_persons(row) for row in rows]
        counted = self._count(dataset_id, {"$where": window}, about)
        if not len(seen) == expected == counted:
            raise DataSetChangedError(
                f"{about} changed while it was read: {expected} rows before, {len(seen)} got, "
                f"{counted} after. The publisher is updating it: run the same command again later."
            )

    def download(
        self,
        dataset_id: str,
        *,
        date_column: str,
        start: date,
        stop: date,
        into: Path,
        refresh: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> list[Path]:
        """Keep the rows of a window as files, month by month; finished months are not asked again.

        Months are whole: the first is fetched from its first day, the last up to `stop`. A month
        that an earlier call fetched up to an earlier day is fetched anew, so `stop` should not lie
        in the future. A month that changes while it is read is read again, three times in all.

        Parameters
        ----------
        dataset_id : str
            Four-by-four identifier, such as `qgea-i56i`.
        date_column : str
            Column that the window filters, by its API name.
        start, stop : date
            First day and the day after the last.
        into : Path
            Folder for the months; see `page_files` for the layout.
        refresh : bool
            Fetch finished months again, for rows that the publisher added or corrected since.
        progress : callable, optional
            Called after each page with its number of rows.

        Returns
        -------
        list of Path
            All files of the window in order, those of earlier calls included.

        Raises
        ------
        SourceError
            As for `pages`. Finished months stay; the month in work is as it was before.
        """
        self._window(dataset_id, date_column, start, stop)
        paths: list[Path] = []
        for month_start, month_stop in calendar_months(start, stop):
            month = MonthOfPages(into, dataset_id, month_start, month_stop)
            if refresh or not month.finished():
                self._passing(DataSetChangedError, self._fill, month, date_column, progress)
            paths += month.finished()
        return paths

    def download_geojson(self, dataset_id: str, into: Path) -> Path:
        """Keep a data set of boundaries as `<into>/<data set>.geojson.gz`; return that file.

        Raises
        ------
        SourceError
            As for `pages`, and where the answer is not a GeoJSON FeatureCollection (RFC 7946) with
            one feature a row.
        """
        about = self._about(dataset_id)
        expected = self._count(dataset_id, {}, about)
        query = {"$order": ":id", "$limit": str(self._page_size)}
        answer = self._site.ask(f"/resource/{dataset_id}.geojson", query, about)
        found = answer.get("features") if isinstance(answer, dict) else None
        features = [item for item in found or [] if isinstance(item, dict)]
        if not expected or len(features) != expected:
            raise SourceError(
                f"{about} has {expected} rows, but its GeoJSON has {len(features)} features. "
                "Try again later, or export it by hand from the site as GeoJSON."
            )
        for feature in features:
            feature["properties"] = without_persons(feature.get("properties") or {})
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"{dataset_id}.geojson.gz"
        write_json_gz(path, {"type": "FeatureCollection", "features": features})
        return path

    def _fill(
        self, month: MonthOfPages, date_column: str, progress: Callable[[int], None] | None
    ) -> None:
        with month.replaced() as add:
            for page in self.pages(
                month.dataset_id, date_column=date_column, start=month.start, stop=month.stop
            ):
                add(page)
                if progress is not None:
                    progress(len(page))

    def _about(self, dataset_id: str) -> str:
        if not _DATASET_ID.fullmatch(dataset_id):
            raise SourceError(
                f"'{dataset_id}' is no Socrata data set. Give the four-by-four identifier at the "
                "end of the data set's address, such as qgea-i56i."
            )
        return f"Data set {dataset_id} on {self._site.host}"

    def _window(
        self, dataset_id: str, date_column: str, start: date, stop: date
    ) -> tuple[str, str]:
        about = self._about(dataset_id)
        if not _COLUMN.fullmatch(date_column):
            raise SourceError(
                f"'{date_column}' is no column of the API. Give its API name, such as rpt_dt."
            )
        if start >= stop:
            raise SourceError(f"The window {start} to {stop} is empty. Give a later stop.")
        return (
            f"{about} ({date_column} from {start} to before {stop})",
            f"{date_column} >= '{start}T00:00:00.000' AND {date_column} < '{stop}T00:00:00.000'",
        )

    def _count(self, dataset_id: str, where: dict[str, str], about: str) -> int:
        rows = self._rows(dataset_id, {"$select": "count(*) AS row_count", **where}, about)
        try:
            return int(rows[0]["row_count"])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise SourceError(
                f"{about} did not answer count(*) with a number but "
                f"{self._site.hidden(repr(rows))}. Check that the address is a Socrata site."
            ) from error

    def _rows(self, dataset_id: str, query: dict[str, str], about: str) -> list[Row]:
        rows = self._site.ask(f"/resource/{dataset_id}.json", query, about)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise SourceError(
                f"{about} did not answer with a JSON list of rows but "
                f"{self._site.hidden(repr(rows))}. Check that the address is a Socrata site."
            )
        return rows


def _mark_seen(row: Row, seen: set[str], about: str) -> None:
    row_id = row.get(":id")
    if not isinstance(row_id, str):
        raise SourceError(
            f"{about} answered with a row without ':id' after {len(seen)} rows, so pages cannot be "
            "told apart. Export it by hand from the site."
        )
    if row_id in seen:
        raise SourceError(
            f"{about} answered with row '{row_id}' twice, after {len(seen)} rows, so its paging "
            "cannot be trusted. Try again later."
        )
    seen.add(row_id)
