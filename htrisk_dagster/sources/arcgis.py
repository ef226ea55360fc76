"""Client for layers of ArcGIS feature services, the platform of Detroit's open data and many others.

Belongs here: queries, paging, and the check that no row is lost or repeated. Does not: the single request
and its retries (`arcgis_site`), what answers mean (`arcgis_answers`), which layers a city has (its study
area), the files of pages (`page_files`).

API: https://developers.arcgis.com/rest/services-reference/enterprise/query-feature-service-layer/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.arcgis_answers import (
    LAT,
    LON,
    LayerChangedError,
    LayerFacts,
    facts_of,
    features_of,
    point_of,
    window,
)
from htrisk_dagster.sources.arcgis_site import ArcgisSite
from htrisk_dagster.sources.json_site import retrying_caller
from htrisk_dagster.sources.layouts import normalise
from htrisk_dagster.sources.page_files import (
    MonthOfPages,
    Row,
    calendar_months,
    without_persons,
    write_json_gz,
)

_PASSES = 3  # over a month that changes while it is read
_ADDRESS = re.compile(r"(https?://[^/]+)(/.+/(?P<name>[^/]+)/(?:Feature|Map)Server/(?P<id>\d+))/?")


class FeatureLayer:
    """Reads one layer; a context manager over its connections.

    Parameters
    ----------
    url : str
        Address of the layer, such as `https://…/FeatureServer/0`; nothing else is contacted.
    token : str, optional
        Sent in a header; never written to a log or a message.
    page_size : int
        Rows asked for at once; the layer's own limit where that is lower.
    timeout_s, attempts, max_wait_s
        See `JsonSite`.

    Raises
    ------
    SourceError
        Where the address or the token cannot be used.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        page_size: int = 2_000,
        timeout_s: float = 60.0,
        attempts: int = 8,
        max_wait_s: float = 60.0,
    ) -> None:
        parts = _ADDRESS.fullmatch(url)
        if parts is None:
            raise SourceError(
                f"'{url}' is no layer. Give an address that ends with FeatureServer/0."
            )
        self.name = f"{parts['name']}-{parts['id']}"
        self._path = parts[2]
        self._site = ArcgisSite(
            parts[1], token, timeout_s=timeout_s, attempts=attempts, max_wait_s=max_wait_s
        )
        self._about = f"Layer {parts['name']}/{parts['id']} on {self._site.host}"
        self._page_size = page_size
        self._facts: LayerFacts | None = None
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

    def facts(self) -> LayerFacts:
        """What the layer says of itself, asked once.

        Raises
        ------
        SourceError
            Where the address is none of a layer, or the site does not recover.
        """
        if self._facts is None:
            said = self._site.ask(self._path, {"f": "json"}, self._about)
            self._facts = facts_of(said, self._about, self._page_size, self._site.hidden)
        return self._facts

    def pages(self, columns: Sequence[str], *, where: str = "1=1") -> Iterator[list[Row]]:
        """Rows of a query, page by page, each row once.

        Pages follow the field that numbers rows: each asks for those after the last one seen, in order.
        With `resultOffset` a row inserted or deleted between two requests shifts all later ones. Pages
        end when the count asked beforehand is reached: a short page, or one without
        `exceededTransferLimit`, is not taken for the last, since servers differ in both.

        Parameters
        ----------
        columns : sequence of str
            Fields to load, in any spelling; no other leaves the server. `longitude` and `latitude` of
            a point are added where the layer has no such fields.
        where : str
            SQL condition.

        Yields
        ------
        list of dict
            A page of rows, without columns about persons.

        Raises
        ------
        LayerChangedError
            At the end, where the count before, the rows got and the count after differ.
        SourceError
            Where a field does not exist, the site refuses, does not recover, or repeats a number.
        """
        facts = self.facts()
        fields = self._fields(columns)
        adds_point = facts.is_points and not {LON, LAT} <= {f.lower() for f in fields}
        expected = self._count(where)
        seen: set[int] = set()
        last = -1
        while len(seen) < expected:
            answer = self._query(
                {
                    "where": f"({where}) AND {facts.object_id} > {last}",
                    "outFields": ",".join(dict.fromkeys([facts.object_id, *fields])),
                    "orderByFields": facts.object_id,
                    "resultRecordCount": str(min(self._page_size, facts.most_rows)),
                    "returnGeometry": str(adds_point).lower(),
                    "outSR": "4326",
                }
            )
            features = features_of(answer, self._about, self._site.hidden)
            if not features:
                break
            rows = []
            for feature in features:
                row = dict(feature["attributes"])
                last = self._new_number(row.pop(facts.object_id, None), seen)
                rows.append(row | point_of(feature) if adds_point else row)
            yield [without_persons(row) for row in rows]
        counted = self._count(where)
        if not len(seen) == expected == counted:
            raise LayerChangedError(
                f"{self._about} changed while it was read: {expected} rows before, {len(seen)} got, "
                f"{counted} after. The publisher is updating it: run the same command again later."
            )

    def download_months(
        self,
        columns: Sequence[str],
        *,
        date_field: str,
        time_zone: str,
        start: date,
        stop: date,
        into: Path,
        where: str = "1=1",
        refresh: Callable[[MonthOfPages], bool] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Path]:
        """Keep the rows of a window as files, month by month; finished months are not asked again.

        A month that changes while it is read is read again, three times in all. Rows without a date
        lie in no month and are not got.

        Parameters
        ----------
        columns : sequence of str
            As for `pages`.
        date_field : str
            Field that the window filters.
        time_zone : str
            IANA name of the zone whose months these are; the server compares in UTC.
        start, stop : date
            First day and the day after the last; months are whole, the last up to `stop`.
        into : Path
            Folder for the months; see `page_files` for the layout.
        where : str
            SQL condition beside the window.
        refresh : callable, optional
            Whether a finished month is to be fetched again.
        progress : callable, optional
            Called after each page with its number of rows.

        Returns
        -------
        list of Path
            All files of the window in order, those of earlier calls included.

        Raises
        ------
        SourceError
            As for `pages`, and where the window is empty. Finished months stay; the month in work is
            as it was before.
        """
        if start >= stop:
            raise SourceError(f"The window {start} to {stop} is empty. Give a later stop.")
        (field,) = self._fields([date_field])
        paths: list[Path] = []
        for month_start, month_stop in calendar_months(start, stop):
            month = MonthOfPages(into, self.name, month_start, month_stop).reaching_what_is_there()
            if not month.finished() or (refresh is not None and refresh(month)):
                in_month = window(field, month.start, month.stop, time_zone)
                condition = f"({where}) AND {in_month}"
                self._passing(LayerChangedError, self._fill, month, columns, condition, progress)
            paths += month.finished()
        return paths

    def download(self, columns: Sequence[str], into: Path, *, where: str = "1=1") -> Path:
        """Keep a layer of points or of rows without a place as one file; return it.

        Raises
        ------
        SourceError
            As for `pages`.
        """
        rows = self._passing(LayerChangedError, self._all_rows, columns, where)
        return self._write(into, "json.gz", rows)

    def download_geojson(self, columns: Sequence[str], into: Path, *, where: str = "1=1") -> Path:
        """Keep a layer of polygons as one GeoJSON file; return it.

        Raises
        ------
        SourceError
            As for `pages`, and where the answer holds fewer features than the layer.
        """
        expected = self._count(where)
        query = {
            "where": where, "outFields": ",".join(self._fields(columns)), "outSR": "4326",
            "f": "geojson",
        }  # fmt: skip
        answer = self._site.ask(f"{self._path}/query", query, self._about)
        found = answer.get("features") if isinstance(answer, dict) else None
        features = [item for item in found or [] if isinstance(item, dict)]
        if len(features) != expected or not features:
            raise SourceError(
                f"{self._about} has {expected} rows, but its GeoJSON has {len(features)} features. "
                "Download it by hand from the site as GeoJSON."
            )
        for feature in features:
            feature["properties"] = without_persons(feature.get("properties") or {})
        content = {"type": "FeatureCollection", "features": features}
        return self._write(into, "geojson.gz", content)

    def _write(self, into: Path, suffix: str, content: object) -> Path:
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"{self.name}.{suffix}"
        write_json_gz(path, content)
        return path

    def _all_rows(self, columns: Sequence[str], where: str) -> list[Row]:
        return [row for page in self.pages(columns, where=where) for row in page]

    def _fill(
        self,
        month: MonthOfPages,
        columns: Sequence[str],
        where: str,
        progress: Callable[[int], None] | None,
    ) -> None:
        with month.replaced() as add:
            for page in self.pages(columns, where=where):
                add(page)
                if progress is not None:
                    progress(len(page))

    def _fields(self, columns: Sequence[str]) -> list[str]:
        """The layer's own names of columns; those of a point may be its geometry."""
        facts = self.facts()
        known = {normalise(name): name for name in facts.fields}
        in_geometry = {normalise(LON), normalise(LAT)} if facts.is_points else set()
        missing = [c for c in columns if normalise(c) not in {*known, *in_geometry}]
        if missing:
            raise SourceError(
                f"{self._about} has no field {', '.join(missing)}. It has: {', '.join(facts.fields)}. "
                "Name its fields in the study area."
            )
        return [known[normalise(c)] for c in columns if normalise(c) in known]

    def _count(self, where: str) -> int:
        answer = self._query({"where": where, "returnCountOnly": "true"})
        count = answer.get("count") if isinstance(answer, dict) else None
        if not isinstance(count, int):
            raise SourceError(
                f"{self._about} did not answer with a count but {self._site.hidden(repr(answer))}. "
                "Check that the address is one of a layer."
            )
        return count

    def _query(self, query: dict[str, str]) -> Any:
        return self._site.ask(f"{self._path}/query", {**query, "f": "json"}, self._about)

    def _new_number(self, number: object, seen: set[int]) -> int:
        if not isinstance(number, int):
            raise SourceError(
                f"{self._about} answered with a row without its number after {len(seen)} rows, so pages "
                "cannot be told apart. Download it by hand from the site."
            )
        if number in seen:
            raise SourceError(
                f"{self._about} answered with row {number} twice, after {len(seen)} rows, so its paging "
                "cannot be trusted. Try again later."
            )
        seen.add(number)
        return number
